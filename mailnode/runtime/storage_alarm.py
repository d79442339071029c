"""Tells the operator that storage fails, without filling the log that he is to read.

Promises: the first failure of a kind is told at once, then one a minute however many there are.
"""

from __future__ import annotations

from mailnode.model.errors import StorageFull, StorageGone
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog

TOLD_EVERY_S = 60.0


class StorageAlarm:
    """For what happens again with every message while it lasts. Any number of threads."""

    def __init__(self, path: str, clock: Clock, log: MailLog) -> None:
        self._path, self._clock, self._log = path, clock, log
        self._told_at: dict[str, float] = {}

    def tell(self, error: Exception) -> None:
        """Log a failure of the storage; any other error is none of it."""
        if isinstance(error, StorageFull | StorageGone):
            remedy = error.remedy
        elif isinstance(error, OSError):
            remedy = StorageGone.remedy
        else:
            return
        now = self._clock.monotonic()
        if now - self._told_at.get(remedy, float("-inf")) < TOLD_EVERY_S:
            return
        self._told_at[remedy] = now
        self._log.event(Event.STORAGE, path=self._path, reason=str(error), remedy=remedy)
