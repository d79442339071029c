"""Threads for blocking work, so that the event loop never waits for a disk.

Promises: at most ``size`` blocking calls at once; exceptions come back to the awaiting caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """A bounded set of threads for store, spool and password work."""

    def __init__(self, size: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)`` in a thread and await its result."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, *args)

    def close(self) -> None:
        """Wait for running calls, take no more."""
        self._executor.shutdown(wait=True)
