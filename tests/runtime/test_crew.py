"""A crew of threads: how many, in what order, and what becomes of calls nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mailnode.runtime.crew import Crew

WAIT_S = 30


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(2, "test")
    yield crew
    crew.shutdown()


async def test_threads_come_as_they_are_needed_and_no_more_than_allowed(crew: Crew) -> None:
    go = threading.Event()
    first = crew.submit(threading.current_thread)
    one = await first
    assert await crew.submit(threading.current_thread) is one, "the first is free"
    calls = [crew.submit(go.wait, WAIT_S) for _ in range(5)]
    go.set()
    assert await asyncio.gather(*calls) == [True] * 5
    assert len(crew._threads) == 2
    assert {thread.name for thread in crew._threads} == {"test_0", "test_1"}


async def test_many_answers_all_arrive_and_errors_too(crew: Crew) -> None:
    calls = [crew.submit(divmod, 60, number) for number in range(4)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(found[0], ZeroDivisionError)
    assert found[1:] == [(60, 0), (30, 0), (20, 0)]


async def test_what_is_cancelled_before_it_begins_is_not_done(crew: Crew) -> None:
    go, done = threading.Event(), list[int]()
    busy = [crew.submit(go.wait, WAIT_S) for _ in range(2)]
    given_up, wanted = crew.submit(done.append, 1), crew.submit(done.append, 2)
    given_up.cancel()
    busy[0].cancel()
    go.set()
    await asyncio.wait_for(wanted, WAIT_S)
    assert await busy[1]
    assert done == [2]


def test_a_loop_that_is_gone_keeps_nobody_from_the_next(crew: Crew) -> None:
    go = threading.Event()

    async def leave() -> None:
        crew.submit(go.wait, WAIT_S)

    async def ask() -> int:
        return int(await asyncio.wait_for(crew.submit(int, "7"), WAIT_S))

    asyncio.run(leave())
    go.set()
    assert asyncio.run(ask()) == 7
    assert asyncio.run(ask()) == 7


async def test_shutdown_waits_for_what_was_asked_for_and_takes_no_more(crew: Crew) -> None:
    done: list[int] = []
    calls = [crew.submit(done.append, number) for number in range(10)]
    await asyncio.to_thread(crew.shutdown)
    assert sorted(done) == list(range(10))
    with pytest.raises(RuntimeError):
        crew.submit(done.append, 11)
    await asyncio.gather(*calls)


async def test_shutdown_without_waiting_leaves_the_thread_to_end(crew: Crew) -> None:
    go = threading.Event()
    call = crew.submit(go.wait, WAIT_S)
    crew.shutdown(wait=False)
    go.set()
    assert await asyncio.wait_for(call, WAIT_S)


async def test_where_the_system_gives_no_more_threads_those_there_do_the_work(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            crew.submit(divmod, 60, 1)
    go = threading.Event()
    first = crew.submit(go.wait, WAIT_S)
    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        second = crew.submit(divmod, 60, 2)
    assert len(crew._threads) == 1
    go.set()
    assert await asyncio.gather(first, second) == [True, (30, 0)]
    calls = [crew.submit(divmod, 60, number) for number in range(1, 5)]
    assert await asyncio.gather(*calls) == [(60, 0), (30, 0), (20, 0), (15, 0)]


@pytest.mark.parametrize("thrown", [StopIteration, SystemExit, asyncio.CancelledError])
async def test_whatever_a_call_raises_is_an_answer_and_ends_no_thread(
    crew: Crew, thrown: type[BaseException]
) -> None:
    def fail() -> None:
        raise thrown

    async with asyncio.timeout(WAIT_S):
        for _ in range(3):
            with pytest.raises(RuntimeError, match=thrown.__name__):
                await crew.submit(fail)
        assert await crew.submit(int, "7") == 7
