"""Tagged replies, and the one table from domain errors to response codes.

Promises: only ``public`` texts reach a client; an unknown failure is no reply of this module.
RFC: 3501 7.1, 5530 (response codes), 3516, 7162 3.1.3 (MODIFIED), 7889 (TOOBIG).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailnode.model.errors import (
    BadFolderName,
    FolderExists,
    MailnodeError,
    NoPermission,
    NoSuchFolder,
    NoSuchMessage,
    OverQuota,
    PermanentError,
    TemporaryError,
)

# The first class that fits names the code; order goes from the special to the general.
CODES: tuple[tuple[type[MailnodeError], str], ...] = (
    (OverQuota, "OVERQUOTA"),
    (NoSuchFolder, "NONEXISTENT"),
    (FolderExists, "ALREADYEXISTS"),
    (BadFolderName, "CANNOT"),
    (NoSuchMessage, "EXPUNGEISSUED"),
    (TemporaryError, "UNAVAILABLE"),
    (PermanentError, "CANNOT"),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a command: OK, NO or BAD, with an optional response code."""

    status: str
    text: str
    code: str = ""

    def line(self, tag: str) -> bytes:
        """The whole line with CRLF; ``tag`` may be ``*``."""
        code = f"[{self.code}] " if self.code else ""
        return f"{tag} {self.status} {code}{self.text}\r\n".encode("utf-8", "replace")


class Refused(Exception):
    """Ends a command early with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def ok(text: str, code: str = "") -> Reply:
    """The command did what it should."""
    return Reply("OK", text, code)


def no(text: str, code: str = "") -> Reply:
    """The command was understood and refused."""
    return Reply("NO", text, code)


def bad(text: str, code: str = "") -> Reply:
    """The command was not understood or is not allowed now."""
    return Reply("BAD", text, code)


def from_error(error: MailnodeError, missing: str = "NONEXISTENT") -> Reply:
    """The reply for a domain error; ``missing`` is the code for a folder that is not there.

    RFC 3501 6.3.11, 6.4.7: APPEND and COPY say TRYCREATE then.
    """
    if isinstance(error, NoPermission):
        return no(error.public, "NOPERM")
    if isinstance(error, NoSuchFolder):
        return no(error.public, missing)
    code = next((code for kind, code in CODES if isinstance(error, kind)), "SERVERBUG")
    return no(error.public, code)
