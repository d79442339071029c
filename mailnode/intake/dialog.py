"""The dialog: which command is legal when, and what it is answered.

Promises: one reply per command (LMTP: one per recipient after the data), in order, also when
commands are pipelined; nothing that a client sends ends a dialog without a reply, save its going.
RFC: 5321 4.1 (commands), 4.1.4 (order), 2033 (LMTP), 2920 (PIPELINING), 3030 (BDAT), 3207
(STARTTLS), 4954 (AUTH), 1870, 2034, 3461, 6152, 6531, 8689, 9422.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailnode.directory import Mailbox
from mailnode.intake.acceptance import Arrival, take
from mailnode.intake.content import Body, read_chunk, read_data
from mailnode.intake.desk import Desk, Role
from mailnode.intake.greeting import capabilities, hello_reply
from mailnode.intake.login import log_in
from mailnode.intake.transaction import Accepted, Transaction, judge_recipient, judge_sender
from mailnode.intake.wire import Wire
from mailnode.model.envelope import Client, Recipient
from mailnode.model.status import Outcome
from mailnode.policy import Question, Stage
from mailnode.runtime.maillog import Event
from mailnode.wire.smtp import reply as say
from mailnode.wire.smtp.command import after_keyword, split_command
from mailnode.wire.smtp.data import ContentCheck
from mailnode.wire.smtp.parameters import parse_mail_parameters, parse_rcpt_parameters
from mailnode.wire.smtp.path import is_ascii, parse_forward_path, parse_reverse_path
from mailnode.wire.smtp.reply import Reply, outcome_reply

# RFC 5321 4.5.3.1.4 asks for 512; parameters add to it (RFC 1870, 3461, 4954, 6531).
COMMAND_LIMIT = 4096
AUTH_LIMIT = 12_288 + 64
_BDAT = re.compile(rb"(\d{1,12})(?:[ \t]+(LAST))?", re.IGNORECASE)
_SENT_AWAY = Reply(421, "4.7.0", "enough messages on one connection, connect anew")


class Dialog:
    """One client's dialog. ``ended`` once the last reply was queued."""

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
        self._offered: frozenset[str] = frozenset()
        self._connections = (connections, peer_connections)
        self._errors = 0
        self._messages = 0

    def client(self) -> Client:
        """The client as known so far."""
        user = self.login.user if self.login is not None else ""
        wire = self.wire
        return Client(wire.host, wire.port, self.hello, wire.tls, user, self.protocol)

    async def greet(self) -> None:
        """The first reply; ends the dialog when the client is not welcome."""
        total, peer = self._connections
        question = Question(Stage.CONNECT, self.client(), connections=total, peer_connections=peer)
        objection = await self.desk.policy.judge(question)
        if objection is not None:
            self._refuse(objection.code, objection.public)
            return self._end(Reply(421, _temporary(objection.code), objection.public))
        # RFC 5321 3.1, 4.3.1: the server speaks first; who does not wait is no mail server.
        if self.desk.role is Role.MX and self.wire.heard and not self.wire.tls:
            self._refuse("5.5.1", "talked before the greeting")
            return self._end(Reply(554, "5.5.1", "you talk before you were greeted"))
        kind = "LMTP" if self.desk.role is Role.LMTP else "ESMTP"
        self.wire.send(Reply(220, "", f"{self.desk.hostname} {kind} mailnode"))
        return None

    async def obey(self, line: bytes | None) -> None:
        """Answer one command line (``None``: it was too long)."""
        answer = say.LINE_TOO_LONG if line is None else await self._answer(line)
        if answer is None:
            return
        self.wire.send(answer)
        if answer.code >= 500:
            self.count_error()

    def count_error(self) -> None:
        """A client that only makes errors is sent away (RFC 5321 4.3.2 allows 421 at any time)."""
        self._errors += 1
        if self._errors >= self.desk.settings.max_errors:
            self._refuse("4.7.0", "too many errors")
            self._end(say.TOO_MANY_ERRORS)

    def close(self) -> None:
        """Forget the open transaction."""
        if self.transaction is not None:
            self.transaction.close()
            self.transaction = None

    def _end(self, reply: Reply) -> None:
        self.wire.send(reply)
        self.ended = True

    async def _answer(self, line: bytes) -> Reply | None:
        split = split_command(line)
        if isinstance(split, Reply):
            return split
        verb, argument = split
        rule = _RULES.get(verb)
        if rule is None or (rule.roles and self.desk.role not in rule.roles):
            return say.UNKNOWN_COMMAND
        if len(line) > COMMAND_LIMIT and verb != "AUTH":
            return say.LINE_TOO_LONG
        if argument and not rule.argument:
            return say.NO_ARGUMENT
        # RFC 5321 4.1.4: no mail without a hello.
        if rule.hello and not self.hello:
            return say.HELLO_FIRST
        # RFC 6409 4.3: submission is for those who logged in.
        if rule.login and self.desk.role is Role.SUBMISSION and self.login is None:
            return say.NEED_LOGIN if self._may_log_in() else say.NEED_TLS
        return await rule.obey(self, argument)

    # -- hello and the like ---------------------------------------------------------------------

    async def helo(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.1: HELO. The transaction ends."""
        return self._hello(argument, "SMTP")

    async def ehlo(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.1: EHLO."""
        return self._hello(argument, "ESMTP")

    async def lhlo(self, argument: bytes) -> Reply:
        """RFC 2033 4.1: LHLO, the same under another name."""
        return self._hello(argument, "LMTP")

    def _hello(self, argument: bytes, protocol: str) -> Reply:
        name = argument.decode("utf-8", "replace").strip()
        # RFC 5321 4.1.4: a wrong name is no reason to refuse mail; none at all is bad syntax.
        if not name or len(name) > 255 or not name.isprintable():
            return say.BAD_ARGUMENT
        self.close()
        self.hello, self.protocol = name, protocol
        offers = capabilities(self.desk, bool(self.wire.tls), self._may_log_in())
        self._offered = frozenset(offers) if protocol != "SMTP" else frozenset()
        return hello_reply(self.desk.hostname, offers if protocol != "SMTP" else {})

    async def noop(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.9."""
        return say.OK

    async def rset(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.5: the transaction ends, hello and login stay."""
        self.close()
        return say.OK

    async def vrfy(self, argument: bytes) -> Reply:
        """RFC 5321 3.5.3, 7.3: nothing is told."""
        return say.CANNOT_VERIFY if argument else say.BAD_ARGUMENT

    async def expn(self, argument: bytes) -> Reply:
        """RFC 5321 3.5.3: not offered."""
        return say.NOT_IMPLEMENTED

    async def help(self, argument: bytes) -> Reply:
        """RFC 5321 4.1.1.8."""
        return Reply(214, "2.0.0", "commands: " + " ".join(sorted(_names(self.desk.role))))

    async def quit(self, argument: bytes) -> None:
        """RFC 5321 4.1.1.10."""
        self._end(say.BYE)

    async def starttls(self, argument: bytes) -> Reply | None:
        """RFC 3207 4: both sides begin anew after the handshake, with nothing remembered."""
        if self.wire.tls:
            return say.BAD_SEQUENCE
        await self.wire.start_tls()
        # RFC 3207 4.2: what was said before it counts for nothing.
        self.close()
        self.hello, self.protocol, self.login = "", "SMTP", None
        self._offered = frozenset()
        return None

    async def auth(self, argument: bytes) -> Reply | None:
        """RFC 4954 4."""
        if self.login is not None:
            return say.ALREADY_LOGGED_IN
        # RFC 4954 4: not within a transaction.
        if self.transaction is not None:
            return say.BAD_SEQUENCE
        if not self._may_log_in():
            return say.LOGIN_NEEDS_TLS
        found = await log_in(self.desk, self.wire, argument)
        if isinstance(found, Reply):
            return found
        self.login = found
        return say.LOGGED_IN

    def _may_log_in(self) -> bool:
        if self.desk.role is not Role.SUBMISSION:
            return False
        loopback = self.wire.host in ("127.0.0.1", "::1")
        return bool(self.wire.tls) or (loopback and self.desk.settings.auth_without_tls_on_loopback)

    # -- the transaction ------------------------------------------------------------------------

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
        parameters = parse_mail_parameters(path[1], self._offered)
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
            self._refuse(objection.code, objection.public, sender=str(sender or ""))
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
        parameters = parse_rcpt_parameters(path[1], self._offered)
        if isinstance(parameters, Reply):
            return parameters
        if not utf8 and not is_ascii(path[0]):
            return say.NEED_UTF8
        return Recipient(path[0], parameters.notify, parameters.orcpt)

    def _refused_recipient(
        self, judged: Outcome, transaction: Transaction, recipient: Recipient
    ) -> Reply:
        self._refuse(
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
            self._end(say.BAD_ARGUMENT)
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
            self._end(say.TOO_LARGE)
            return None
        await read_chunk(self.wire, size, body)
        if found[2] is None:
            self.wire.allow(self.desk.settings.command_timeout_s)
            return Reply(250, "2.0.0", f"{size} octets received")
        body.check.finish()
        await self._finish(transaction, body)
        return None

    async def _skip(self, size: int) -> None:
        if size > self.desk.settings.max_message_bytes:
            self._end(say.TOO_LARGE)
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

    def _refuse(self, code: str, reason: str, **facts: str) -> None:
        self.desk.log.event(
            Event.REFUSED,
            service=self.desk.role.value,
            peer=self.wire.host,
            sender=facts.get("sender", ""),
            recipient=facts.get("recipient", ""),
            code=code,
            reason=reason,
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a command is legal: after a hello, after a login (submission), with an argument, for
    which roles (empty: all)."""

    obey: Callable[[Dialog, bytes], Awaitable[Reply | None]]
    hello: bool = False
    login: bool = False
    argument: bool = True
    roles: frozenset[Role] = frozenset()


_SMTP = frozenset({Role.MX, Role.SUBMISSION})
_RULES: dict[str, _Rule] = {
    # RFC 2033 4.1: LMTP has LHLO and neither HELO nor EHLO.
    "HELO": _Rule(Dialog.helo, roles=_SMTP),
    "EHLO": _Rule(Dialog.ehlo, roles=_SMTP),
    "LHLO": _Rule(Dialog.lhlo, roles=frozenset({Role.LMTP})),
    "STARTTLS": _Rule(Dialog.starttls, hello=True, argument=False),
    "AUTH": _Rule(Dialog.auth, hello=True, roles=frozenset({Role.SUBMISSION})),
    "MAIL": _Rule(Dialog.mail, hello=True, login=True),
    "RCPT": _Rule(Dialog.rcpt, hello=True, login=True),
    "DATA": _Rule(Dialog.data, hello=True, login=True, argument=False),
    "BDAT": _Rule(Dialog.bdat, hello=False, login=False),
    "RSET": _Rule(Dialog.rset, argument=False),
    "NOOP": _Rule(Dialog.noop),
    "VRFY": _Rule(Dialog.vrfy),
    "EXPN": _Rule(Dialog.expn),
    "HELP": _Rule(Dialog.help),
    "QUIT": _Rule(Dialog.quit, argument=False),
}


def _names(role: Role) -> list[str]:
    return [verb for verb, rule in _RULES.items() if not rule.roles or role in rule.roles]


def _temporary(code: str) -> str:
    return f"4{code[1:]}"
