"""The ``[pop3]`` section: limits and manners of the POP3 server."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from mailnode.runtime.settings.section import Section

_UIDL = re.compile(r"(?:[!-$&-~]|%%|%(?:0?[0-9]{0,2})[Xx]?[uv])+")
_UID = re.compile(r"%(?:0?[0-9]{0,2})[Xx]?u")


class Pop3Settings(Section):
    """How long POP3 sessions may last, how messages are named, and what a session may do."""

    plaintext_login: bool = Field(
        default=False,
        description="Let clients send passwords without TLS. Leave it off outside a test.",
    )
    uidl_format: str = Field(
        default="%08Xu%08Xv",
        max_length=60,
        description="How a message's unique id is made of %u (its UID) and %v (UIDVALIDITY), with "
        "width and X for hexadecimal. The default is Dovecot's; Cyrus had %v.%u. Take over the "
        "format of the server before, or clients fetch all mail again.",
    )
    mark_seen: bool = Field(
        default=True, description="Mark messages that a client fetched as \\Seen when it leaves."
    )
    downgrade_headers: bool = Field(
        default=True,
        description="Give clients that did not say UTF8 header fields in ASCII (RFC 6856 2.1, "
        "6858): encoded words instead of 8-bit text. Turn it off to hand messages out as they "
        "are kept, which is against the RFC but leaves signatures whole.",
    )
    expire_days: int = Field(
        default=-1,
        ge=-1,
        description="Told to clients (EXPIRE): days that mail is kept on the server. -1: for ever. "
        "It deletes nothing; set it if something else does.",
    )
    login_timeout_s: float = Field(
        default=60.0, ge=1, le=3600, description="A client that has not logged in by then is left."
    )
    idle_timeout_s: float = Field(
        default=600.0,
        ge=1,
        le=86400,
        description="A logged-in client may be silent for so long; RFC 1939 3 asks for 600.",
    )
    write_timeout_s: float = Field(
        default=180.0,
        ge=1,
        le=3600,
        description="A client that does not take what it asked for is left after so many seconds.",
    )
    max_sessions: int = Field(
        default=20000, ge=1, description="Open connections that one worker takes."
    )
    max_sessions_per_ip: int = Field(
        default=200,
        ge=1,
        description="Open connections from one IP address, in all workers together.",
    )
    max_sessions_per_user_ip: int = Field(
        default=10,
        ge=1,
        description="Logged-in connections of one user from one IP address, in all workers "
        "together.",
    )
    max_bad_commands: int = Field(
        default=20,
        ge=1,
        description="So many wrong commands or refused logins in a row end the connection.",
    )

    @field_validator("uidl_format")
    @classmethod
    def _names_every_message(cls, value: str) -> str:
        if not _UIDL.fullmatch(value) or not _UID.search(value):
            raise ValueError("must hold %u, perhaps %v, and printable characters without spaces")
        return value
