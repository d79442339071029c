"""The ``[queue]`` section: when copies that failed are tried again."""

from __future__ import annotations

from pydantic import Field

from mailnode.runtime.settings.section import Section


class QueueSettings(Section):
    """The spool of copies still owed, and how patient it is."""

    first_retry_s: float = Field(
        default=60.0, gt=0, description="Wait before the second attempt, in seconds; then doubled."
    )
    max_retry_s: float = Field(
        default=3600.0, gt=0, description="Longest wait between two attempts, in seconds."
    )
    # RFC 5321 4.5.4.1: at least four to five days.
    expire_s: float = Field(
        default=432_000.0, gt=0, description="Time after which a copy is given up, in seconds."
    )
    delay_notice_s: float = Field(
        default=14_400.0,
        gt=0,
        description="Time after which senders who asked for it hear of a delay, in seconds.",
    )
    concurrency: int = Field(
        default=8, ge=1, le=256, description="Entries worked on at once by one worker."
    )
    scan_s: float = Field(
        default=30.0, gt=0, description="Longest time between two looks at the spool, in seconds."
    )
