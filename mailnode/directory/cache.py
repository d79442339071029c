"""Answers remembered for a while, and for longer while no database answers.

Promises: bounded in number; a positive answer is believed for ``cache_s``, "no" for
``cache_negative_s``; while the database is gone, what was found goes on for ``stale_s``, and "no
such mailbox" or "not our domain" turns into ``DirectoryGone``, so that nobody's mail is
refused for good on old news. Askers of the same thing at once share one question.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from mailnode.directory import DomainKind, Mailbox
from mailnode.directory.gathering import Facts, Gathering
from mailnode.directory.keys import split_key
from mailnode.directory.sql import SqlDirectory
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long an answer is believed, in seconds, and how many are kept."""

    positive_s: float
    negative_s: float
    stale_s: float
    entries: int


def _as_it_is(_key: Any, answer: Any) -> Any:
    return answer


class Remembered(Generic[K, V]):
    """One kind of question with its answers; the least recently used answer makes room."""

    def __init__(
        self, ask: Callable[[K], Awaitable[A]], *, no: V, no_goes_on: bool, clock: Clock,
        lifetimes: Lifetimes, learn: Callable[[K, A], V] = _as_it_is,
    ) -> None:  # fmt: skip
        """``ask`` gives a coroutine, or a future that is nobody else's to cancel; ``learn`` makes
        the answer of what came of it."""
        self._ask, self._learn = ask, learn
        self._no = no
        self._no_goes_on = no_goes_on
        self._clock = clock
        self._lifetimes = lifetimes
        self._answers: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._asking: dict[K, list[asyncio.Future[V]]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    async def get(self, key: K) -> V:
        """The answer; raises ``DirectoryGone`` when it is not known and cannot be."""
        kept = self._answers.get(key)
        if kept is not None and self._age(kept) <= self._believed_s(kept[0]):
            self._answers.move_to_end(key)
            return kept[0]
        try:
            return await self._shared(key)
        except DirectoryGone:
            if kept is None or not self._goes_on(kept):
                raise
            return kept[0]

    def known(self) -> int:
        """How many things that exist would go on being known without a database."""
        kept = self._answers.values()
        return sum(one[0] != self._no and self._goes_on(one) for one in kept)

    def forget(self) -> None:
        """Drop everything."""
        self._answers.clear()

    def _age(self, kept: tuple[V, float]) -> float:
        return self._clock.monotonic() - kept[1]

    def _believed_s(self, answer: V) -> float:
        limits = self._lifetimes
        return limits.negative_s if answer == self._no else limits.positive_s

    def _goes_on(self, kept: tuple[V, float]) -> bool:
        if kept[0] == self._no and not self._no_goes_on:
            return False
        return self._age(kept) <= self._lifetimes.stale_s

    async def _shared(self, key: K) -> V:
        """One question for all who ask at the same time; it goes on if one of them leaves."""
        mine: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        waiting = self._asking.get(key)
        if waiting is None:
            waiting = self._asking[key] = []
            asked = asyncio.ensure_future(self._ask(key))
            asked.add_done_callback(partial(self._answered, key))
        waiting.append(mine)
        return await mine

    def _answered(self, key: K, asked: asyncio.Future[Any]) -> None:
        waiting = [one for one in self._asking.pop(key) if not one.done()]
        try:
            answer = self._learn(key, asked.result())
        except asyncio.CancelledError:
            for one in waiting:
                one.cancel()
        except Exception as error:  # noqa: BLE001 - it is theirs who asked
            for one in waiting:
                one.set_exception(error)
        else:
            self.put(key, answer)
            for one in waiting:
                one.set_result(answer)

    def put(self, key: K, answer: V) -> None:
        """Remember an answer that came by the way."""
        self._answers[key] = (answer, self._clock.monotonic())
        self._answers.move_to_end(key)
        while len(self._answers) > self._lifetimes.entries:
            self._answers.popitem(last=False)


class CachedDirectory:
    """Domain, alias and mailbox of a ``SqlDirectory``, remembered."""

    def __init__(self, inner: SqlDirectory, *, clock: Clock, lifetimes: Lifetimes) -> None:
        self._domains = Remembered(
            inner.domain, no=DomainKind.UNKNOWN, no_goes_on=False, clock=clock, lifetimes=lifetimes
        )
        # "No alias" goes on: behind it comes the mailbox, whose "no" does not.
        self._gathering = Gathering(inner.facts)
        self._aliases: Remembered[str, tuple[str, ...] | None] = Remembered(
            self._gathering.asked, no=None, no_goes_on=True, clock=clock, lifetimes=lifetimes,
            learn=self._learn_alias,
        )  # fmt: skip
        self._mailboxes: Remembered[tuple[str, str], Mailbox | None] = Remembered(
            lambda key: inner.mailbox(Address(*key)),
            no=None,
            no_goes_on=False,
            clock=clock,
            lifetimes=lifetimes,
        )

    async def domain(self, name: str) -> DomainKind:
        """See ``Directory.domain``."""
        return await self._domains.get(name.lower())

    async def alias(self, key: str) -> tuple[str, ...] | None:
        """See ``Directory.alias``."""
        return await self._aliases.get(key.lower())

    def _learn_alias(self, key: str, facts: Facts) -> tuple[str, ...] | None:
        if facts.mailbox is not None:
            # Nearly every mailbox has an alias row to itself, so it is asked for next.
            self._mailboxes.put(split_key(key), facts.mailbox)
        return facts.targets

    async def mailbox(self, address: Address) -> Mailbox | None:
        """See ``Directory.mailbox``."""
        return await self._mailboxes.get((address.local.lower(), address.domain.lower()))

    def known(self) -> int:
        """How many mailboxes go on without a database."""
        return self._mailboxes.known()

    def forget(self) -> None:
        """Drop all answers, as after a reload."""
        for kind in (self._domains, self._aliases, self._mailboxes):
            kind.forget()
