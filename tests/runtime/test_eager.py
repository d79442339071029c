"""Coroutines begun at once: what is done here, what in a task, and how they end."""

from __future__ import annotations

import asyncio

import pytest

from mailnode.runtime.eager import begun, in_task


async def test_what_never_waits_is_done_at_once_and_has_no_task() -> None:
    done: list[object] = []

    async def work() -> None:
        done.append(asyncio.current_task())

    outer = asyncio.current_task()
    assert begun(work()) is None
    assert done == [outer]


async def test_what_waits_goes_on_in_a_task() -> None:
    future = asyncio.get_running_loop().create_future()
    seen: list[object] = []

    async def work() -> None:
        seen.append(await future)
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    task = begun(work())
    assert task is not None
    future.set_result("there")
    await asyncio.wait_for(task, 30)
    assert seen == ["there", task]


async def test_an_error_comes_out_where_it_was_begun_and_later_of_the_task() -> None:
    async def soon() -> None:
        raise ValueError("soon")

    async def late() -> None:
        await asyncio.sleep(0)
        raise ValueError("late")

    with pytest.raises(ValueError, match="soon"):
        begun(soon())
    task = begun(late())
    assert task is not None
    with pytest.raises(ValueError, match="late"):
        await task


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_cancelled_it_hears_of_it_even_before_the_first_turn(turns: int) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    task = begun(work())
    assert task is not None
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["cancelled"]


async def test_cancelled_from_within_before_it_waits_it_is_over() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    assert begun(work()) is None


async def test_a_timeout_works_after_in_task() -> None:
    outcome: list[str] = []

    async def work() -> None:
        await in_task()
        try:
            async with asyncio.timeout(0.01):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            outcome.append("late")

    # As the loop calls it, with no task around.
    started = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: started.set_result(begun(work())))
    task = await started
    await asyncio.wait_for(task, 30)
    assert outcome == ["late"]
