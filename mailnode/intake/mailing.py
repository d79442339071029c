"""The mail commands: MAIL, RCPT, DATA, BDAT, BURL, and the state they work on.

Promises: a refused recipient hurts no other; every octet of a refused message or chunk is read
before it is answered, or the dialog ends.
RFC: 5321 4.1.1.2-4, 2033 4.2, 3030, 4468, 6531 3.4.
"""

from __future__ import annotations

import re

from mailnode.directory import Mailbox
from mailnode.intake.acceptance import Arrival, take
from mailnode.intake.content import Body, read_chunk, read_data
from mailnode.intake.desk import Desk, Role, Urls
from mailnode.intake.transaction import Accepted, Transaction, judge_recipient, judge_sender
from mailnode.intake.wire import Wire
from mailnode.model.envelope import Client, Recipient
from mailnode.model.errors import MailnodeError, TemporaryError
from mailnode.model.status import Outcome
from mailnode.runtime.maillog import Event
from mailnode.wire.smtp import reply as say
from mailnode.wire.smtp.command import after_keyword
from mailnode.wire.smtp.data import ContentCheck
from mailnode.wire.smtp.parameters import parse_mail_parameters, parse_rcpt_parameters
from mailnode.wire.smtp.path import is_ascii, parse_forward_path, parse_reverse_path
from mailnode.wire.smtp.reply import Reply, outcome_reply

# RFC 4468 3.2: a URL has neither spaces nor octets outside ASCII.
_BURL = re.compile(rb"([!-~]+)(?:[ \t]+(LAST))?", re.IGNORECASE)
_BDAT = re.compile(rb"(\d{1,12})(?:[ \t]+(LAST))?", re.IGNORECASE)


class Mailing:
    """The part of a dialog that moves mail. ``ended`` once the last reply was queued."""

    def __init__(
        self, desk: Desk, wire: Wire, *, connections: int = 1, peer_connections: int = 1
    ) -> None:
        self.desk = desk
        self.wire = wire
        self.ended = False
        self.transaction: Transaction | None = None
        self.login: Mailbox | None = None
        self.hello = ""
        self.protocol = "SMTP"
        self.offered: frozenset[str] = frozenset()
        self._facts = ("", 0, "", "", "", "")
        self._client = Client(*self._facts)
        self.connections = (connections, peer_connections)
        self._errors = 0
        self._messages = 0

    def client(self) -> Client:
        """The client as known so far."""
        user = self.login.user if self.login is not None else ""
        wire = self.wire
        facts = (wire.host, wire.port, self.hello, wire.tls, user, self.protocol)
        if facts != self._facts:
            self._facts, self._client = facts, Client(*facts)
        return self._client

    def count_error(self) -> None:
        """A client that only makes errors is sent away (RFC 5321 4.3.2 allows 421 at any time)."""
        self._errors += 1
        if self._errors >= self.desk.settings.max_errors:
            self.refuse("4.7.0", "too many errors")
            self.end(say.TOO_MANY_ERRORS)

    def close(self) -> None:
        """Forget the open transaction."""
        if self.transaction is not None:
            self.transaction.close()
            self.transaction = None

    def end(self, reply: Reply) -> None:
        """Send a last reply."""
        self.wire.send(reply)
        self.ended = True

    def may_log_in(self) -> bool:
        """True where AUTH is offered: submission, under TLS (RFC 4954 4)."""
        if self.desk.role is not Role.SUBMISSION:
            return False
        loopback = self.wire.host in ("127.0.0.1", "::1")
        return bool(self.wire.tls) or (loopback and self.desk.settings.auth_without_tls_on_loopback)

    async def mail(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.2."""
        if self.transaction is not None:
            return say.NESTED_MAIL
        raw = after_keyword(argument, b"FROM:")
        if raw is None:
            return say.BAD_ARGUMENT
        path = parse_reverse_path(raw)
        if isinstance(path, Reply):
            return say.BAD_SENDER
        parameters = parse_mail_parameters(path[1], self.offered)
        if isinstance(parameters, Reply):
            return parameters
        sender = path[0]
        # RFC 6531 3.4: a non-ASCII address only with SMTPUTF8.
        if sender is not None and not parameters.smtputf8 and not is_ascii(sender):
            return say.NEED_UTF8
        objection = await judge_sender(
            self.desk, self.client(), self.login, sender, parameters.size, self._messages
        )
        if objection is not None:
            reason = objection.cause or objection.public
            self.refuse(objection.code, reason, sender=str(sender or ""))
            return outcome_reply(objection)
        self.transaction = Transaction(sender, parameters, self.desk.clock.monotonic())
        return say.SENDER_OK

    async def rcpt(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.3."""
        transaction = self.transaction
        if transaction is None:
            return say.MAIL_FIRST
        if transaction.body is not None:
            return say.BAD_SEQUENCE
        recipient = self._recipient(argument, transaction.parameters.smtputf8)
        if isinstance(recipient, Reply):
            return recipient
        # The same recipient again is the same promise.
        if (
            any(one.recipient.address == recipient.address for one in transaction.accepted[-200:])
            and self.desk.role is not Role.LMTP
        ):
            return say.RECIPIENT_OK
        judged = await judge_recipient(self.desk, self.client(), transaction, recipient)
        if isinstance(judged, Accepted):
            transaction.accepted.append(judged)
            return say.RECIPIENT_OK
        return self._refused_recipient(judged, transaction, recipient)

    def _recipient(self, argument: bytes, utf8: bool) -> Recipient | Reply:
        raw = after_keyword(argument, b"TO:")
        if raw is None:
            return say.BAD_ARGUMENT
        path = parse_forward_path(raw)
        if isinstance(path, Reply):
            return path
        parameters = parse_rcpt_parameters(path[1], self.offered)
        if isinstance(parameters, Reply):
            return parameters
        if not utf8 and not is_ascii(path[0]):
            return say.NEED_UTF8
        return Recipient(path[0], parameters.notify, parameters.orcpt)

    def _refused_recipient(
        self, judged: Outcome, transaction: Transaction, recipient: Recipient
    ) -> Reply:
        self.refuse(
            judged.code,
            judged.cause or judged.public,
            sender=str(transaction.sender or ""),
            recipient=str(recipient.address),
        )
        return outcome_reply(judged)

    async def data(self, argument: bytes) -> Reply | None:
        """RFC 5321 4.1.1.4."""
        transaction = self.transaction
        if transaction is None:
            return say.MAIL_FIRST
        # RFC 3030 3: DATA and BDAT do not mix. RFC 2033 4.2: without recipients 503.
        if transaction.body is not None:
            return say.BAD_SEQUENCE
        if not transaction.accepted:
            return say.RECIPIENT_FIRST
        self.wire.send(say.GO_AHEAD)
        transaction.body = self._body()
        self._allow_content()
        await read_data(self.wire, transaction.body)
        await self._finish(transaction, transaction.body)
        return None

    async def bdat(self, argument: bytes) -> Reply | None:
        """RFC 3030 2: a chunk, answered by itself; the last one ends the message."""
        found = _BDAT.fullmatch(argument)
        if found is None:
            # The size of what follows is not known, so the dialog cannot be kept in step.
            self.end(say.BAD_ARGUMENT)
            return None
        size = int(found[1])
        transaction = self.transaction
        self._allow_content()
        # RFC 3030 2: the octets of a refused chunk are read all the same.
        if transaction is None or not transaction.accepted:
            await self._skip(size)
            return say.MAIL_FIRST if transaction is None else say.RECIPIENT_FIRST
        body = transaction.body = transaction.body or self._body()
        if body.check.size + size > 2 * self.desk.settings.max_message_bytes:
            self.end(say.TOO_LARGE)
            return None
        await read_chunk(self.wire, size, body)
        if found[2] is None:
            self.wire.allow(self.desk.settings.command_timeout_s)
            return Reply(250, "2.0.0", f"{size} octets received")
        body.check.finish()
        await self._finish(transaction, body)
        return None

    async def burl(self, argument: bytes) -> Reply | None:
        """RFC 4468 3: a chunk that lies in a mailbox."""
        found = _BURL.fullmatch(argument)
        if self.desk.urls is None or self.login is None:
            return say.UNKNOWN_COMMAND
        if found is None:
            return say.BAD_ARGUMENT
        transaction = self.transaction
        if transaction is None or not transaction.accepted:
            return say.MAIL_FIRST if transaction is None else say.RECIPIENT_FIRST
        body = transaction.body = transaction.body or self._body()
        octets = await self._referred(self.desk.urls, self.login.user, found[1].decode("ascii"))
        if isinstance(octets, Reply):
            # RFC 4468 3.4, 3030 2: the message is lost with its chunk.
            self.refuse(octets.enhanced, "BURL: " + octets.text)
            self.close()
            return octets
        body.check.look(octets)
        await body.add(octets)
        if found[2] is None:
            return Reply(250, "2.5.0", "send the next chunk")
        body.check.finish()
        await self._finish(transaction, body)
        return None

    async def _referred(self, urls: Urls, user: str, url: str) -> bytes | Reply:
        try:
            octets = await urls.read(user, url)
        except TemporaryError as error:
            # RFC 4468 3.3: no answer from the store is a matter of time.
            return Reply(451, "4.4.1", error.public)
        except MailnodeError:
            octets = None
        if octets is None:
            return Reply(554, "5.6.6", "nothing there that you may submit")
        return octets

    async def _skip(self, size: int) -> None:
        if size > self.desk.settings.max_message_bytes:
            self.end(say.TOO_LARGE)
            return
        await read_chunk(self.wire, size, None)
        self.wire.allow(self.desk.settings.command_timeout_s)

    async def _finish(self, transaction: Transaction, body: Body) -> None:
        fault = await body.finish(line_end=True)
        arrival = Arrival(self.client(), self.login, transaction, body)
        replies = await take(self.desk, arrival, fault)
        self.close()
        self._messages += 1
        for one in replies:
            self.wire.send(one)
        if any(one.positive for one in replies):
            self._errors = 0
        elif fault is not None:
            self.count_error()
        self.wire.allow(self.desk.settings.command_timeout_s)

    def _body(self) -> Body:
        settings = self.desk.settings
        check = ContentCheck(
            size_limit=settings.max_message_bytes, line_limit=settings.max_line_bytes
        )
        return Body(
            memory_bytes=settings.memory_bytes,
            folder=settings.temp_folder,
            pool=self.desk.pool,
            check=check,
        )

    def _allow_content(self) -> None:
        settings = self.desk.settings
        self.wire.allow(settings.data_timeout_s, settings.message_timeout_s)

    def refuse(self, code: str, reason: str, **facts: str) -> None:
        """Log a refusal."""
        self.desk.log.event(
            Event.REFUSED,
            service=self.desk.role.value,
            peer=self.wire.host,
            sender=facts.get("sender", ""),
            recipient=facts.get("recipient", ""),
            code=code,
            reason=reason,
        )
