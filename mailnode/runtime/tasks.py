"""Blocking work beside the event loop: in threads, or on the loop itself where nothing waits.

Promises: at most ``size`` blocking calls at once; whatever a call raises comes back to the awaiting
caller as an ``Exception``, so that a barrier there catches it and nobody waits for ever. A
``brisk`` call never waits for a lock or a sync on the loop, nor for a message's bytes or for much
of any file: whatever would have to calls ``may_wait`` first, and the call is made again in a
thread. It does look at names and short files (``stat``, the end of a journal), which a cold cache
takes from the disk. Once one was slow for that (storage that stalls), they all go to threads for
a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

from mailnode.runtime.crew import Crew, guarded

T = TypeVar("T")

# A brisk call that took so long keeps the loop free of such calls for so long.
SLOW_S = 0.25
SHY_S = 5.0


class MustWait(Exception):
    """A brisk call met something it would have to wait for; never seen outside ``Pool.brisk``."""


class _Here(threading.local):
    brisk = False


_here = _Here()


def is_brisk() -> bool:
    """True where this thread must not wait."""
    return _here.brisk


def may_wait() -> None:
    """To be called before anything that may wait, and before anything is changed. Raises
    ``MustWait`` within a brisk call."""
    if _here.brisk:
        raise MustWait


class Mutex:
    """A lock among threads that one of them may take again; brisk calls do not wait for it."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def acquire(self, timeout_s: float) -> bool:
        """Take it within the time; False if that fails."""
        return self._lock.acquire(timeout=timeout_s)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=not _here.brisk):
            raise MustWait

    def __exit__(self, *exc: object) -> None:
        self._lock.release()


class Pool:
    """A bounded set of threads for store, spool and password work."""

    def __init__(self, size: int, name: str) -> None:
        self._executor = Crew(size, name)
        self._shy_until = 0.0

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)`` in a thread and await its result."""
        return cast(T, await self._executor.submit(call, *args))

    async def brisk(self, call: Callable[..., T], *args: object) -> T:
        """Run ``call(*args)``, which mostly needs no disk, right here if that goes without
        waiting, else in a thread. The call must be of a kind that may be begun twice."""
        began = time.monotonic()
        if began >= self._shy_until:
            _here.brisk = True
            try:
                return guarded(call, *args)
            except MustWait:
                pass
            finally:
                _here.brisk = False
                now = time.monotonic()
                if now - began > SLOW_S:
                    self._shy_until = now + SHY_S
        return await self.run(call, *args)

    def close(self) -> None:
        """Wait for running calls, take no more."""
        self._executor.shutdown(wait=True)

    def leave(self) -> None:
        """Take no more calls, and wait for none."""
        self._executor.shutdown(wait=False)
