"""Writes that can wait a little: use for quota2, last logins.

Promises: many changes of one user become one row; the newest wins; memory is bounded by
``ENTRIES``; while the database is gone, or takes no writing, the newest figures wait, and nobody
waits for them. A transaction holds ``_AT_ONCE`` rows at most, so that after an outage each ends
within its time, however many have come together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from mailnode.directory.sql import SqlDirectory
from mailnode.model.errors import DirectoryGone, PermanentError

ENTRIES = 100_000
_AT_ONCE = 500
K = TypeVar("K")
V = TypeVar("V")


class Mirror:
    """Collects figures for ``period_s`` and writes them together."""

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
        await _write(self._usage, self._inner.write_usage)
        await _write(self._logins, self._inner.write_last_logins)

    async def close(self) -> None:
        """Write once more and stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()


async def _write(waiting: dict[K, V], write: Callable[[dict[K, V]], Awaitable[None]]) -> None:
    """Take out of ``waiting`` what ``write`` has written; after a failure the others come first,
    so that a row which somebody keeps locked holds up few."""
    keys = list(waiting)
    for start in range(0, len(keys), _AT_ONCE):
        rows = {key: waiting[key] for key in keys[start : start + _AT_ONCE]}
        try:
            await write(rows)
        except (DirectoryGone, PermanentError):
            for key in rows:
                waiting[key] = waiting.pop(key)
            return
        for key, value in rows.items():
            if waiting[key] == value:
                del waiting[key]
