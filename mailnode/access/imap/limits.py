"""How much one command of a client may cost, before and after login."""

from __future__ import annotations

from functools import lru_cache

from mailnode.runtime.settings.imap import ImapSettings
from mailnode.wire.imap.receiver import Limits

# Commands and literals of strangers are small; they cannot append.
STRANGER_LIMITS = Limits(line=16384, literals=4096, literal_count=4, append=0, stream_above=0)


def user_limits(settings: ImapSettings) -> Limits:
    """The limits of a client that has logged in; one object for all."""
    return _limits(
        settings.max_line_bytes,
        settings.max_literal_bytes,
        settings.max_append_bytes,
        settings.spool_bytes,
    )


@lru_cache(maxsize=8)
def _limits(line: int, literals: int, append: int, stream_above: int) -> Limits:
    return Limits(line=line, literals=literals, append=append, stream_above=stream_above)
