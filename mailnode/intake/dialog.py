"""The dialog: which command is legal when, and what it is answered.

Promises: one reply per command (LMTP: one per recipient after the data), in order, also when
commands are pipelined; nothing that a client sends ends a dialog without a reply, save its going.
RFC: 5321 4.1 (commands), 4.1.4 (order), 2033 (LMTP), 2920 (PIPELINING), 3030 (BDAT), 3207
(STARTTLS), 4468 (BURL), 4954 (AUTH), 1870, 2034, 3461, 6152, 6531, 8689, 9422.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailnode.directory.exchange import offers as offers_of
from mailnode.intake.desk import Role
from mailnode.intake.greeting import hello, plain_hello
from mailnode.intake.login import log_in, visitor
from mailnode.intake.mailing import Mailing
from mailnode.policy import Question, Stage
from mailnode.wire.smtp import reply as say
from mailnode.wire.smtp.command import split_command
from mailnode.wire.smtp.reply import Reply

# RFC 5321 4.5.3.1.4 asks for 512; parameters add to it (RFC 1870, 3461, 4954, 6531).
COMMAND_LIMIT = 4096
AUTH_LIMIT = 12_288 + 64


class Dialog(Mailing):
    """One client's dialog. ``ended`` once the last reply was queued."""

    async def greet(self) -> None:
        """The first reply; ends the dialog when the client is not welcome."""
        total, peer = self.connections
        question = Question(Stage.CONNECT, self.client(), connections=total, peer_connections=peer)
        objection = await self.desk.policy.judge(question)
        if objection is not None:
            self.refuse(objection.code, objection.public)
            return self.end(Reply(421, _temporary(objection.code), objection.public))
        # RFC 5321 3.1, 4.3.1: the server speaks first; who does not wait is no mail server.
        if self.desk.role is Role.MX and self.wire.heard and not self.wire.tls:
            self.refuse("5.5.1", "talked before the greeting")
            return self.end(Reply(554, "5.5.1", "you talk before you were greeted"))
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
            return say.NEED_LOGIN if self.may_log_in() else say.NEED_TLS
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
        mechanisms = offers_of(visitor(self.desk, self.wire)) if self.may_log_in() else ()
        logged_in = self.login is not None
        if protocol == "SMTP":
            said = plain_hello(self.desk)
        else:
            said = hello(self.desk, bool(self.wire.tls), mechanisms, logged_in)
        self.offered = said.offered
        return said.reply

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
        self.end(say.BYE)

    async def starttls(self, argument: bytes) -> Reply | None:
        """RFC 3207 4: both sides begin anew after the handshake, with nothing remembered."""
        if self.wire.tls:
            return say.BAD_SEQUENCE
        await self.wire.start_tls()
        # RFC 3207 4.2: what was said before it counts for nothing.
        self.close()
        self.hello, self.protocol, self.login = "", "SMTP", None
        self.offered = frozenset()
        return None

    async def auth(self, argument: bytes) -> Reply | None:
        """RFC 4954 4."""
        if self.login is not None:
            return say.ALREADY_LOGGED_IN
        # RFC 4954 4: not within a transaction.
        if self.transaction is not None:
            return say.BAD_SEQUENCE
        if not self.may_log_in():
            return say.LOGIN_NEEDS_TLS
        found = await log_in(self.desk, self.wire, argument)
        if isinstance(found, Reply):
            return found
        self.login = found
        return say.LOGGED_IN


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
    "BURL": _Rule(Dialog.burl, hello=True, login=True, roles=frozenset({Role.SUBMISSION})),
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
