"""Coroutines that are begun at once, and get a task only where they wait.

Most of what a client asks is answered without waiting for anything; a task for it would cost more
than many an answer, and a turn of the loop beside. Python 3.12's eager tasks do the same.
Promises: what a coroutine does before it first waits is done when ``begun`` returns, in the order
of the calls; the rest is a task like any other.
Until it first waits there is no current task: what needs one (a time-out) awaits ``in_task``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run ``work`` up to where it first waits; the task of the rest, ``None``: it is done.

    Whatever it raises until then comes out here, but for being cancelled, which ends it.
    """
    try:
        first = work.send(None)
    except (StopIteration, asyncio.CancelledError):
        return None
    return asyncio.get_running_loop().create_task(_Rest(work, first))


async def in_task() -> None:
    """Go on in a task."""
    if asyncio.current_task() is None:
        await asyncio.sleep(0)


class _Rest(Coroutine[Any, Any, None]):
    """A coroutine that waits already, as one that is yet to be begun: the first thing it is sent
    brings out what it waits for."""

    __slots__ = ("_begun", "_first", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], first: Any) -> None:
        self._work, self._first, self._begun = work, first, False

    def send(self, value: Any) -> Any:
        """See ``Coroutine``."""
        if self._begun:
            return self._work.send(value)
        self._begun = True
        # What it waits for may have a large answer, and we live as long as the task.
        first, self._first = self._first, None
        return first

    def throw(self, kind: Any, value: Any = None, trace: Any = None) -> Any:
        """See ``Coroutine``; cancelled before its first turn, the work still hears of it."""
        self._begun = True
        return self._work.throw(kind if value is None else value)

    def close(self) -> None:
        """See ``Coroutine``."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, None]:
        """See ``Coroutine``."""
        return self._work.__await__()
