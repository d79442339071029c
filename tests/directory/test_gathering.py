"""Questions asked together: gathered while one is under way, each answered or failed by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailnode.directory.gathering import Facts, Gathering
from mailnode.model.errors import DirectoryGone


class Tables:
    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gone = False

    async def ask(self, keys: Sequence[str]) -> dict[str, Facts]:
        self.batches.append(list(keys))
        await self.gate.wait()
        if self.gone:
            raise DirectoryGone("gone")
        return {key: Facts((key,), None) for key in keys}


async def test_those_who_come_meanwhile_go_together() -> None:
    tables = Tables()
    gathering = Gathering(tables.ask)
    asking = [asyncio.create_task(gathering.ask(f"u{number}")) for number in range(300)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tables.gate.set()
    answers = await asyncio.gather(*asking)
    assert [facts.targets for facts in answers] == [(f"u{number}",) for number in range(300)]
    assert sum(map(len, tables.batches)) == 300
    assert max(map(len, tables.batches)) == 100
    assert len(tables.batches) <= 5


async def test_the_next_batch_waits_for_an_answer_that_comes_soon() -> None:
    """Many then share a question, where each would go by itself."""
    batches: list[list[str]] = []

    async def ask(keys: Sequence[str]) -> dict[str, Facts]:
        batches.append(list(keys))
        for _ in range(4):
            await asyncio.sleep(0)
        return {key: Facts((key,), None) for key in keys}

    gathering = Gathering(ask)
    asking = []
    for number in range(5):
        asking.append(asyncio.create_task(gathering.ask(f"u{number}")))
        await asyncio.sleep(0)
    await asyncio.gather(*asking)
    assert len(batches) == 2


async def test_an_answer_that_does_not_come_holds_up_its_own_batch_only() -> None:
    gate = asyncio.Event()

    async def ask(keys: Sequence[str]) -> dict[str, Facts]:
        if "slow" in keys:
            await gate.wait()
        return {key: Facts((key,), None) for key in keys}

    gathering = Gathering(ask)
    slow = asyncio.create_task(gathering.ask("slow"))
    await asyncio.sleep(0)
    for number in range(3):
        assert await asyncio.wait_for(gathering.ask(f"u{number}"), 60)
    assert not slow.done()
    gate.set()
    assert await asyncio.wait_for(slow, 60)


async def test_a_lost_database_is_told_to_all_and_forgotten() -> None:
    tables = Tables()
    tables.gate.set()
    tables.gone = True
    gathering = Gathering(tables.ask)
    asked = await asyncio.gather(
        gathering.ask("a"), gathering.ask("a"), gathering.ask("b"), return_exceptions=True
    )
    assert [type(one) for one in asked] == [DirectoryGone] * 3
    tables.gone = False
    assert (await gathering.ask("a")).targets == ("a",)


async def test_an_answer_that_is_missing_leaves_nobody_waiting() -> None:
    async def ask(keys: Sequence[str]) -> dict[str, Facts]:
        return {key: Facts((key,), None) for key in keys if key != "b"}

    gathering = Gathering(ask)
    asking = asyncio.gather(*(gathering.ask(key) for key in "abc"), return_exceptions=True)
    a, b, c = await asyncio.wait_for(asking, 60)
    assert a == Facts(("a",), None)
    assert isinstance(b, KeyError)
    assert isinstance(c, KeyError)  # asked again by whoever needs it
    assert await asyncio.wait_for(gathering.ask("c"), 60) == Facts(("c",), None)


@pytest.mark.parametrize("fault", [ImportError, MemoryError, asyncio.CancelledError])
async def test_whatever_falls_out_of_a_question_is_told(fault: type[BaseException]) -> None:
    async def ask(keys: Sequence[str]) -> dict[str, Facts]:
        await asyncio.sleep(0)
        raise fault

    gathering = Gathering(ask)
    asking = [asyncio.create_task(gathering.ask(key)) for key in "aab"]
    done, waiting = await asyncio.wait(asking, timeout=60)
    assert not waiting
    for task in done:
        with pytest.raises(fault):
            task.result()


async def test_an_asker_who_leaves_takes_no_answer_from_the_others() -> None:
    tables = Tables()
    gathering = Gathering(tables.ask)
    leaver, stayer = (asyncio.create_task(gathering.ask("a")) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    tables.gate.set()
    assert (await stayer).targets == ("a",)
    with pytest.raises(asyncio.CancelledError):
        await leaver
