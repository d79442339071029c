"""Remembered answers: how long, how many, and what goes on without a database."""

from __future__ import annotations

import asyncio

import pytest

from mailnode.directory.cache import Lifetimes, Remembered
from mailnode.directory.verified import Verified
from mailnode.model.errors import DirectoryGone
from tests.support.hand_clock import HandClock


class Source:
    def __init__(self) -> None:
        self.answers: dict[str, str] = {"a": "A"}
        self.gone = False
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def ask(self, key: str) -> str | None:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.gone:
            raise DirectoryGone("gone")
        return self.answers.get(key)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def memory(
    source: Source, clock: HandClock, no_goes_on: bool = False
) -> Remembered[str, str | None]:
    limits = Lifetimes(positive_s=30, negative_s=5, stale_s=3600, entries=3)
    return Remembered(source.ask, no=None, no_goes_on=no_goes_on, clock=clock, lifetimes=limits)


async def test_yes_and_no_live_differently(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock)
    assert (await kept.get("a"), await kept.get("b")) == ("A", None)
    source.answers = {"a": "A2", "b": "B"}
    clock.advance(4)
    assert (await kept.get("a"), await kept.get("b")) == ("A", None)
    clock.advance(2)
    assert (await kept.get("a"), await kept.get("b")) == ("A", "B")
    clock.advance(30)
    assert await kept.get("a") == "A2"


async def test_known_answers_go_on_and_unknown_ones_raise(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock)
    await kept.get("a")
    await kept.get("b")
    source.gone = True
    assert await kept.get("b") is None  # five seconds of belief are not over
    clock.advance(3000)
    assert await kept.get("a") == "A"
    for key in ("b", "c"):
        with pytest.raises(DirectoryGone):
            await kept.get(key)
    clock.advance(1000)
    with pytest.raises(DirectoryGone):
        await kept.get("a")


async def test_no_goes_on_where_it_does_no_harm(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock, no_goes_on=True)
    assert await kept.get("b") is None
    source.gone = True
    clock.advance(3000)
    assert await kept.get("b") is None


async def test_bounded(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock)
    for key in "abcdef":
        await kept.get(key)
    assert len(kept) == 3
    source.asked = 0
    await kept.get("f")
    assert source.asked == 0
    await kept.get("a")
    assert source.asked == 1


async def test_one_question_for_many_who_ask(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock)
    source.gate = asyncio.Event()
    askers = [asyncio.create_task(kept.get("a")) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    askers[0].cancel()
    source.gate.set()
    results = await asyncio.gather(*askers, return_exceptions=True)
    assert results[1:] == ["A"] * 9
    assert source.asked == 1


async def test_a_shared_failure_reaches_all(source: Source, clock: HandClock) -> None:
    kept = memory(source, clock)
    source.gone = True
    results = await asyncio.gather(*(kept.get("a") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, DirectoryGone) for result in results)
    source.gone = False
    assert await kept.get("a") == "A"


def test_verified_passwords(clock: HandClock) -> None:
    verified = Verified(clock=clock, lifetime_s=300, entries=2)
    verified.add("hash", "pw")
    assert ("hash", "pw") in verified
    assert ("hash2", "pw") not in verified  # the stored hash changed
    assert ("has", "hpw") not in verified
    assert ("hash", "pw2") not in verified
    assert "pw" not in repr(vars(verified))
    clock.advance(301)
    assert ("hash", "pw") not in verified
    for i in range(5):
        verified.add("h", str(i))
    assert ("h", "4") in verified
    assert ("h", "1") not in verified
