"""Questions about addresses that come up at the same time, asked of the database as one.

Promises: while one question is under way, the next ones gather and go together; nobody waits for
more of them to come. What a batch cannot answer for sure is asked for by itself.
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
# Batches under way at once.
_BATCHES = 2


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
        if not self._waiting or len(self._running) >= _BATCHES:
            return
        task = asyncio.get_running_loop().create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
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
