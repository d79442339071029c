"""A reply: code, enhanced code, text, as one value.

Promises: the text is printable ASCII and holds nothing a client sent; ``encode`` gives whole
CRLF-ended lines.
RFC: 5321 4.2 (form), 2034 (enhanced codes), 3463.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from mailnode.model.status import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, of one or more lines; ``enhanced`` is empty where none belongs (220, EHLO)."""

    code: int
    enhanced: str
    text: str
    more: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The bytes to send."""
        return _encoded(self.code, self.enhanced, self.text, self.more)

    @property
    def positive(self) -> bool:
        """True for 2xx and 3xx."""
        return self.code < 400


@lru_cache(maxsize=256)  # nearly all replies are the same few
def _encoded(code: int, enhanced: str, text: str, more: tuple[str, ...]) -> bytes:
    lines = (text, *more)
    # RFC 2034 4: the enhanced code is repeated on each line.
    mark = f"{enhanced} " if enhanced else ""
    last = len(lines) - 1
    return "".join(
        f"{code}{'-' if at < last else ' '}{mark}{line}\r\n" for at, line in enumerate(lines)
    ).encode("ascii", "replace")


def outcome_reply(outcome: Outcome) -> Reply:
    """The reply that tells a client this outcome.

    The basic code follows from the enhanced one, so that the two never contradict each other.
    """
    return Reply(_basic_code(outcome), outcome.code, outcome.public)


_BASIC = {
    "5.2.2": 552,
    "5.2.3": 552,
    "5.3.4": 552,
    "4.2.2": 452,
    "4.3.1": 452,
    "4.5.3": 452,
    "5.1.3": 553,
    "5.6.7": 553,
    "5.6.0": 550,
    "5.6.11": 550,
    "5.4.6": 554,
    "5.7.0": 530,
    "4.3.2": 421,
}


def _basic_code(outcome: Outcome) -> int:
    known = _BASIC.get(outcome.code)
    if known is not None and known // 100 == outcome.verdict.value:
        return known
    return {Verdict.DONE: 250, Verdict.LATER: 451, Verdict.NEVER: 550}[outcome.verdict]


OK = Reply(250, "2.0.0", "ok")
SENDER_OK = Reply(250, "2.1.0", "sender ok")
RECIPIENT_OK = Reply(250, "2.1.5", "recipient ok")
GO_AHEAD = Reply(354, "", "end data with <CR><LF>.<CR><LF>")
BYE = Reply(221, "2.0.0", "goodbye")
CANNOT_VERIFY = Reply(252, "2.1.5", "cannot verify, send some mail and see")
READY_FOR_TLS = Reply(220, "2.0.0", "ready to start TLS")
LOGGED_IN = Reply(235, "2.7.0", "authentication successful")

UNKNOWN_COMMAND = Reply(500, "5.5.1", "command not recognized")
BAD_LINE = Reply(500, "5.5.2", "command lines are text and end with CRLF")
LINE_TOO_LONG = Reply(500, "5.5.6", "line too long")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "command not implemented")
BAD_ARGUMENT = Reply(501, "5.5.4", "syntax error in arguments")
NO_ARGUMENT = Reply(501, "5.5.4", "this command takes no argument")
BAD_PARAMETER = Reply(501, "5.5.4", "syntax error in a parameter")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "parameter not recognized or not offered")
BAD_SEQUENCE = Reply(503, "5.5.1", "bad sequence of commands")
HELLO_FIRST = Reply(503, "5.5.1", "say hello first")
MAIL_FIRST = Reply(503, "5.5.1", "MAIL first")
RECIPIENT_FIRST = Reply(503, "5.5.1", "no valid recipients")
NESTED_MAIL = Reply(503, "5.5.1", "a transaction is open already")
BAD_PATH = Reply(501, "5.1.3", "syntax error in address")
BAD_SENDER = Reply(501, "5.1.7", "syntax error in sender address")
NEED_UTF8 = Reply(553, "5.6.7", "a non-ASCII address needs SMTPUTF8")
TOO_LARGE = Reply(552, "5.3.4", "message too large")
NEED_LOGIN = Reply(530, "5.7.0", "authentication required")
NEED_TLS = Reply(530, "5.7.0", "issue STARTTLS first")
LOGIN_NEEDS_TLS = Reply(538, "5.7.11", "encryption required for authentication")
LOGIN_FAILED = Reply(535, "5.7.8", "authentication failed")
LOGIN_CANCELLED = Reply(501, "5.7.0", "authentication cancelled")
BAD_MECHANISM = Reply(504, "5.5.4", "mechanism not offered")
ALREADY_LOGGED_IN = Reply(503, "5.5.1", "already authenticated")
TRY_LATER = Reply(451, "4.3.0", "temporary failure, try again later")
TIMED_OUT = Reply(421, "4.4.2", "timeout, closing connection")
SHUTTING_DOWN = Reply(421, "4.3.2", "service is restarting, try again")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "too many errors")
LOST_COUNT = Reply(421, "4.3.0", "temporary failure, closing connection")
