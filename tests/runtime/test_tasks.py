"""Blocking work beside the loop: what runs on it, what goes to a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from mailnode.runtime import tasks
from mailnode.runtime.tasks import MustWait, Mutex, Pool, is_brisk, may_wait


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2, "test")
    yield pool
    pool.close()


def here() -> threading.Thread:
    return threading.current_thread()


async def test_what_need_not_wait_runs_on_the_loop(pool: Pool) -> None:
    assert await pool.brisk(here) is here()
    assert await pool.run(here) is not here()
    assert not is_brisk()


async def test_what_must_wait_is_made_again_in_a_thread(pool: Pool) -> None:
    begun: list[bool] = []

    def work(value: int) -> int:
        begun.append(is_brisk())
        may_wait()
        return value

    assert await pool.brisk(work, 7) == 7
    assert begun == [True, False]
    assert not is_brisk()


async def test_errors_come_back(pool: Pool) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await pool.brisk(fail)
    assert not is_brisk()


@pytest.mark.parametrize(
    "fault",
    [
        ImportError, SyntaxError, MemoryError, RecursionError, StopIteration,
        asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit,
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", [Pool.run, Pool.brisk])
async def test_whatever_a_call_raises_comes_back_as_an_exception(
    pool: Pool, fault: type[BaseException], how: Callable[..., Coroutine[Any, Any, None]]
) -> None:
    def fail() -> None:
        raise fault("half-written")

    task = asyncio.create_task(how(pool, fail))
    await asyncio.wait([task], timeout=30)
    assert task.done(), "nobody was told"
    assert not task.cancelled()
    error = task.exception()
    assert isinstance(error, Exception)
    assert fault.__name__ in repr(error)
    assert await pool.run(here) is not here()


async def test_a_lock_that_a_thread_holds_is_waited_for_in_a_thread(pool: Pool) -> None:
    mutex, held, done = Mutex(), threading.Event(), threading.Event()

    def hold() -> None:
        with mutex:
            held.set()
            done.wait(30)

    def take() -> threading.Thread:
        if not is_brisk():
            done.set()
        with mutex, mutex:
            return here()

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    held.wait(30)
    assert await pool.brisk(take) is not here()
    holder.join()
    assert await pool.brisk(take) is here()


async def test_once_one_was_slow_the_loop_is_kept_free(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "SLOW_S", -1.0)
    assert await pool.brisk(here) is here()
    assert await pool.brisk(here) is not here()


def test_elsewhere_everything_may_wait() -> None:
    may_wait()
    with pytest.raises(MustWait):
        raise MustWait
