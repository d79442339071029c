"""How long a client may take, by what it is that we wait for.

Promises: a pure judgement; whoever asks does the ending.
RFC: 3501 5.4, 2177 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailnode.runtime.settings.imap import ImapSettings

# How long a closing connection may take to drain its last words.
CLOSING_S = 10.0


class End(Enum):
    """How a connection is ended: at once, at once with a reason for the log, or with BYE."""

    ABORT = "abort"
    CUT = "cut"
    BYE = "bye"


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a connection waits for: seconds since the last octet, since its output got stuck
    (``None``: it is not), and since it was opened by somebody still unknown (``None``: known);
    ``busy``: it is our turn."""

    closing: bool
    busy: bool
    quiet_s: float
    blocked_s: float | None
    stranger_s: float | None


def judge(waiting: Waiting, settings: ImapSettings) -> tuple[End, str] | None:
    """How and why to end the connection now; ``None``: not yet."""
    if waiting.closing:
        return (End.ABORT, "") if waiting.quiet_s > CLOSING_S else None
    if waiting.blocked_s is not None:
        too_long = waiting.blocked_s > settings.write_timeout_s
        return (End.CUT, "client does not read") if too_long else None
    if waiting.busy:
        return None
    if waiting.stranger_s is not None:
        too_long = waiting.stranger_s > settings.login_timeout_s
        return (End.BYE, "no login in time") if too_long else None
    # RFC 3501 5.4, 2177 3: thirty minutes at least, in IDLE too.
    return (End.BYE, "silent for too long") if waiting.quiet_s > settings.idle_timeout_s else None
