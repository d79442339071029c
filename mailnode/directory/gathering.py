"""Questions about addresses that come up at the same time, asked of the database as one.

Promises: while one question is under way, the next ones gather and go together; nobody waits for
more of them to come, and where an answer takes longer than ``_SLOW_S`` the next batch goes without
it. What a batch cannot answer for sure is asked for by itself.
Fails: ``DirectoryGone``, for all of a batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from mailnode.directory import Mailbox

# What one statement asks for at most; also the bound of what one answer holds.
_BATCH_KEYS = 100
# Batches under way at once; the second only once the first has taken longer than this.
_BATCHES = 2
_SLOW_S = 0.05


class Facts(NamedTuple):
    """What the tables say about an address. ``mailbox`` is ``None`` also where it was not
    looked for far enough to say that there is none."""

    targets: tuple[str, ...] | None
    mailbox: Mailbox | None


AskMany = Callable[[Sequence[str]], Awaitable[Mapping[str, Facts]]]


class Gathering:
    """Gathers questions. Use it on one event loop."""

    def __init__(self, ask_many: AskMany) -> None:
        self._ask_many = ask_many
        self._waiting: dict[str, asyncio.Future[Facts]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._slow = False
        self._clock: asyncio.TimerHandle | None = None

    async def ask(self, key: str) -> Facts:
        """What is known about the address with this key."""
        return await asyncio.shield(self.asked(key))

    def asked(self, key: str) -> asyncio.Future[Facts]:
        """The same, to come: one answer for all who ask, so none of them may cancel it."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._start()
        return answer

    def _start(self) -> None:
        if not self._waiting or len(self._running) >= (_BATCHES if self._slow else 1):
            return
        loop = asyncio.get_running_loop()
        if not self._running:
            self._clock = loop.call_later(_SLOW_S, self._hurry)
        task = loop.create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not self._running:
            self._slow = False
            if self._clock is not None:
                self._clock.cancel()
        self._start()

    def _hurry(self) -> None:
        self._slow = True
        self._start()

    async def _run(self) -> None:
        batch = {key: self._waiting.pop(key) for key in _first(self._waiting)}
        try:
            found = await self._ask_many(list(batch))
            for key, answer in batch.items():
                if not answer.done():
                    answer.set_result(found[key])
        except BaseException as error:
            for answer in batch.values():
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # heard by every asker, or by none that is left
            if not isinstance(error, Exception):
                raise


def _first(keys: Iterable[str]) -> list[str]:
    return list(islice(keys, _BATCH_KEYS))
