"""Writes that can wait a little: use for quota2, last logins.

Promises: many changes of one user become one row; the newest wins; memory is bounded by
``ENTRIES``; while the database is gone the newest figures wait, and nobody waits for them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mailnode.directory.sql import SqlDirectory
from mailnode.model.errors import DirectoryGone, PermanentError

ENTRIES = 100_000


class Mirror:
    """Collects figures for ``period_s`` and writes them in one transaction."""

    def __init__(self, inner: SqlDirectory, *, period_s: float) -> None:
        self._inner = inner
        self._period_s = period_s
        self._usage: dict[str, tuple[int, int]] = {}
        self._logins: dict[tuple[str, str], tuple[int, str]] = {}
        self._task: asyncio.Task[None] | None = None

    def use(self, user: str, used_bytes: int, messages: int) -> None:
        """Bytes and messages that ``user`` has now. Loop thread only."""
        if len(self._usage) < ENTRIES or user in self._usage:
            self._usage[user] = (max(0, used_bytes), max(0, messages))
            self._wake()

    def login(self, user: str, service: str, at: float, peer: str) -> None:
        """``user`` was let in. Loop thread only."""
        if len(self._logins) < ENTRIES:
            self._logins[user, service] = (int(at), peer[:46])
            self._wake()

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        while self._usage or self._logins:
            await asyncio.sleep(self._period_s)
            await self.flush()

    async def flush(self) -> None:
        """Write what is there; what could not be written is kept, unless newer came meanwhile."""
        usage, self._usage = self._usage, {}
        logins, self._logins = self._logins, {}
        try:
            await self._inner.write_usage(usage)
        except (DirectoryGone, PermanentError):
            self._usage = {**usage, **self._usage}
        try:
            await self._inner.write_last_logins(logins)
        except (DirectoryGone, PermanentError):
            self._logins = {**logins, **self._logins}

    async def close(self) -> None:
        """Write once more and stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()
