"""How much one command of a client may cost, before and after login."""

from __future__ import annotations

from mailnode.runtime.settings.imap import ImapSettings
from mailnode.wire.imap.receiver import Limits

# Commands and literals of strangers are small; they cannot append.
STRANGER_LIMITS = Limits(line=16384, literals=4096, literal_count=4, append=0, stream_above=0)


def user_limits(settings: ImapSettings) -> Limits:
    """The limits of a client that has logged in."""
    return Limits(
        line=settings.max_line_bytes,
        literals=settings.max_literal_bytes,
        append=settings.max_append_bytes,
        stream_above=settings.spool_bytes,
    )
