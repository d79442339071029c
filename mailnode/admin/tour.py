"""The demo's tour: real messages in by SMTP, out by IMAP and POP3, each step shown.

Promises: uses only Python's own clients, over TLS, checking the server's certificate against
the instance's; a step that does not hold raises ``TourFailed`` with one line.
"""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formatdate, make_msgid

from mailnode.admin.instance import Instance

CLIENT_TIMEOUT_S = 30
PUSH_WITHIN_S = 10.0


class TourFailed(Exception):
    """A step of the tour did not hold."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, with which protocol, and what came of it."""

    protocol: str
    did: str
    saw: str


def _need(held: bool, what: str) -> None:
    if not held:
        raise TourFailed(what)


def _message(sender: str, recipient: str, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    message.set_content(text)
    return message


class Tour:
    """The steps, in order; ``steps()`` runs them one by one."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._tls = ssl.create_default_context(cafile=instance.certificate)
        self._tls.check_hostname = False  # clients come to 127.0.0.1, whatever the server's name
        self._alice = instance.users[0]
        self._bob = instance.users[min(1, len(instance.users) - 1)]
        self._subject = f"mailnode demo {make_msgid()[1:9]}"

    def steps(self) -> Iterator[Step]:
        """Run the tour. Raises ``TourFailed``; other errors are the client libraries' own."""
        actions: tuple[Callable[[], Step], ...] = (
            self._submit,
            self._implicit_tls,
            self._incoming,
            self._no_relay,
            self._imap,
            self._push,
            self._pop3,
        )
        for action in actions:
            yield action()

    def _submit(self) -> Step:
        host, port = self._instance.address("submission")
        with smtplib.SMTP(host, port, timeout=CLIENT_TIMEOUT_S) as client:
            client.starttls(context=self._tls)
            client.login(self._alice, self._instance.password)
            client.send_message(_message(self._alice, self._bob, self._subject, "Hello Bob.\n"))
        return Step("SMTP", f"{self._alice} sent to {self._bob} by port {port}, STARTTLS", "250")

    def _implicit_tls(self) -> Step:
        host, port = self._instance.address("submissions")
        copies = [self._alice, self._bob]
        with smtplib.SMTP_SSL(host, port, timeout=CLIENT_TIMEOUT_S, context=self._tls) as client:
            client.login(self._bob, self._instance.password)
            message = _message(self._bob, ", ".join(copies), f"{self._subject} too", "To all.\n")
            client.send_message(message, self._bob, copies)
        return Step("SMTP", f"{self._bob} sent to both by port {port}, TLS", "250")

    def _incoming(self) -> Step:
        host, port = self._instance.address("smtp")
        with smtplib.SMTP(host, port, timeout=CLIENT_TIMEOUT_S) as client:
            message = _message("stranger@elsewhere.test", self._alice, self._subject, "Hi.\n")
            client.send_message(message)
        return Step("SMTP", f"a stranger's server delivered to {self._alice} by port {port}", "250")

    def _no_relay(self) -> Step:
        host, port = self._instance.address("smtp")
        with smtplib.SMTP(host, port, timeout=CLIENT_TIMEOUT_S) as client:
            client.ehlo()
            client.mail("stranger@elsewhere.test")
            code, text = client.rcpt("someone@elsewhere.test")
        _need(code >= 500, f"relaying was not refused: {code}")
        return Step("SMTP", "a stranger tried to relay", f"{code} {text.decode()}")

    def _imap(self) -> Step:
        host, port = self._instance.address("imaps")
        with imaplib.IMAP4_SSL(host, port, ssl_context=self._tls, timeout=CLIENT_TIMEOUT_S) as box:
            box.login(self._bob, self._instance.password)
            box.select("INBOX")
            _, found = box.uid("SEARCH", "SUBJECT", f'"{self._subject}"')
            uids = found[0].split()
            _need(len(uids) == 2, f"IMAP found {len(uids)} of 2 messages")
            _, parts = box.uid("FETCH", uids[0].decode(), "(BODY[] FLAGS)")
            message = BytesParser(policy=policy.default).parsebytes(parts[0][1])
            _need(message["Subject"] == self._subject, "IMAP gave another message")
            box.uid("STORE", uids[0].decode(), "+FLAGS", "(\\Answered)")
        return Step(
            "IMAP",
            f"{self._bob} searched, read and flagged by port {port}, TLS",
            f"{len(uids)} messages, first {len(parts[0][1])} bytes",
        )

    def _push(self) -> Step:
        host, port = self._instance.address("imap")
        with imaplib.IMAP4(host, port, timeout=CLIENT_TIMEOUT_S) as box:
            box.starttls(self._tls)
            box.login(self._alice, self._instance.password)
            box.select("INBOX")
            box.send(b"i1 IDLE\r\n")
            _need(box.readline().startswith(b"+"), "IDLE was refused")
            start = time.monotonic()
            self._incoming()
            line = box.readline()
            spent_s = time.monotonic() - start
            box.send(b"DONE\r\n")
            while not box.readline().startswith(b"i1 "):
                pass
        _need(b"EXISTS" in line and spent_s < PUSH_WITHIN_S, f"no push: {line!r}")
        return Step("IMAP", f"{self._alice} was told of new mail while idle", f"{spent_s:.3f} s")

    def _pop3(self) -> Step:
        host, port = self._instance.address("pop3s")
        box = poplib.POP3_SSL(host, port, timeout=CLIENT_TIMEOUT_S, context=self._tls)
        try:
            box.user(self._bob)
            box.pass_(self._instance.password)
            count, _ = box.stat()
            lines = box.retr(count)[1]
            _need(
                any(self._subject.encode() in line for line in lines), "POP3 gave another message"
            )
            box.dele(count)
        finally:
            box.quit()
        return Step(
            "POP3", f"{self._bob} fetched and deleted by port {port}, TLS", f"{count} messages"
        )
