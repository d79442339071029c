"""Replies, and the one table from domain errors to response codes.

Promises: only ``public`` texts reach a client.
RFC: 1939 3, 2449 8 (response codes), 3206 (SYS, AUTH).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailnode.model.errors import MailnodeError, NoSuchMessage, TemporaryError


@dataclass(frozen=True, slots=True)
class Reply:
    """A single line; ``code`` is a response code without brackets. ``blames``: the client did
    something wrong, and may be left if it goes on with that."""

    good: bool
    text: str = ""
    code: str = ""
    blames: bool = False

    def line(self) -> bytes:
        """The line with CRLF."""
        code = f" [{self.code}]" if self.code else ""
        text = f" {self.text}" if self.text else ""
        return f"{'+OK' if self.good else '-ERR'}{code}{text}\r\n".encode()


def ok(text: str = "") -> Reply:
    """The command did what it should."""
    return Reply(True, text)


def err(text: str, code: str = "") -> Reply:
    """The command was refused."""
    return Reply(False, text, code, blames=True)


class Refused(Exception):
    """Ends a command early with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def from_error(error: MailnodeError) -> Reply:
    """The reply for a domain error."""
    if isinstance(error, NoSuchMessage):
        return Reply(False, error.public)
    # RFC 3206 4: TEMP is worth another try, PERM needs a person.
    temporary = isinstance(error, TemporaryError)
    return Reply(False, error.public, "SYS/TEMP" if temporary else "SYS/PERM")
