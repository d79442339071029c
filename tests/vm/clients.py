"""Clients of the lab: they reach a node at an address, keep what it acknowledged, and go on through
every failure as real ones do."""

from __future__ import annotations

import imaplib
import itertools
import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage

from tests.vm.plan import DOMAIN, PASSWORD

# A storage that waits for a dead node's locks answers late, and a client waits for it.
PATIENCE_S = 120.0
# Between two messages of one client: what is stored is also looked at one by one in the end.
_PAUSE_S = 0.2
_FAULTS = (OSError, smtplib.SMTPException, imaplib.IMAP4.error)
_APPENDED = re.compile(rb"APPENDUID (\d+) (\d+)")


class Door:
    """An address that mailnode answers at; has what ``tests.support.mailbox_crowd`` asks of a
    node."""

    def __init__(self, name: str, host: str, patience_s: float = PATIENCE_S) -> None:
        self.name, self.host, self._patience_s = name, host, patience_s
        self.ports = {"smtp": 25, "imaps": 993}

    def imap(self, user: str) -> imaplib.IMAP4:
        """A logged-in session."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Made for the lab's names, not for its addresses.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = imaplib.IMAP4_SSL(
            self.host, self.ports["imaps"], ssl_context=context, timeout=self._patience_s
        )
        _notice_death(client.sock)
        client.login(f"{user}@{DOMAIN}", PASSWORD)
        return client

    def send(self, subject: str, *users: str) -> None:
        """One message by SMTP; raises what smtplib raises when it was not taken for all."""
        message = EmailMessage()
        to = [f"{user}@{DOMAIN}" for user in users]
        message["From"], message["To"], message["Subject"] = f"s@{DOMAIN}", ", ".join(to), subject
        message.set_content("text\n")
        with smtplib.SMTP(self.host, self.ports["smtp"], timeout=self._patience_s) as client:
            assert client.sock
            _notice_death(client.sock)
            refused = client.send_message(message)
        assert not refused, refused


def _notice_death(sock: socket.socket) -> None:
    """Who only waits for an answer hears nothing of a machine that died, unless he asks: whoever
    has its address then says that there is no such connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 3), (socket.TCP_KEEPINTVL, 2)):
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 30)


@dataclass(frozen=True)
class Appended:
    """A message that IMAP took: its place, and when its flag was acknowledged (or never)."""

    user: str
    subject: str
    validity: int
    uid: int
    flagged_at: float = 0.0


@dataclass
class Acknowledged:
    """What the clients of a load were promised."""

    sent: list[tuple[str, str]] = field(default_factory=list)  # user, subject
    appended: list[Appended] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


class Load:
    """Senders and IMAP clients at an address, until ``end``."""

    def __init__(self, label: str, door: Door, users: tuple[str, ...]) -> None:
        self._label, self._door = label, door
        self._stop = threading.Event()
        self.promised = Acknowledged()
        works: list[tuple[Callable[[str], None], str]] = []
        for user in users:
            works += [(self._send, user), (self._append, user)]
        self._threads = [
            threading.Thread(target=self._keep_on, args=work, daemon=True) for work in works
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> Acknowledged:
        """Let each client finish what it is at."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S * 3)
            assert not thread.is_alive(), "a client hangs"
        return self.promised

    def _keep_on(self, work: Callable[[str], None], user: str) -> None:
        """A client that is cut off, or told to come later, comes again."""
        while not self._stop.is_set():
            try:
                work(user)
            except _FAULTS as error:
                self.promised.refusals.append(repr(error))
                self._stop.wait(0.3)

    def _send(self, user: str) -> None:
        subject = self._subject()
        self._door.send(subject, user)
        self.promised.sent.append((user, subject))
        self._stop.wait(_PAUSE_S)

    def _append(self, user: str) -> None:
        client = self._door.imap(user)
        try:
            client.select("INBOX")
            while not self._stop.wait(_PAUSE_S):
                self._append_one(client, user)
        finally:
            client.shutdown()

    def _append_one(self, client: imaplib.IMAP4, user: str) -> None:
        subject = self._subject()
        text = f"Subject: {subject}\r\n\r\ntext\r\n".encode()
        status, said = client.append("INBOX", "", "", text)
        found = _APPENDED.search(said[0])
        if status != "OK" or found is None:
            raise imaplib.IMAP4.error(f"APPEND: {status} {said}")
        validity, uid = int(found[1]), int(found[2])
        one = Appended(user, subject, validity, uid)
        self.promised.appended.append(one)
        client.noop()
        if client.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Flagged)")[0] == "OK":
            flagged = Appended(user, subject, validity, uid, time.monotonic())
            self.promised.appended[self.promised.appended.index(one)] = flagged

    def _subject(self) -> str:
        return f"{self._label}-{time.monotonic_ns()}-{threading.get_ident() % 10_000}"


class Greetings:
    """Asks an address for its greeting, time and again; knows how long none came."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._stop = threading.Event()
        self.heard: list[float] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def gap_s(self, since: float) -> float:
        """Seconds from ``since`` to the first greeting after the last one before a pause: the
        longest time without a greeting that began at ``since`` or later."""
        times = [since, *(one for one in self.heard if one > since)]
        return max((b - a for a, b in itertools.pairwise(times)), default=0.0)

    def _run(self) -> None:
        door = Door("greetings", self._host, 2.0)
        while not self._stop.wait(0.1):
            try:
                with smtplib.SMTP(door.host, door.ports["smtp"], timeout=2.0):
                    self.heard.append(time.monotonic())
            except (OSError, smtplib.SMTPException):
                continue
