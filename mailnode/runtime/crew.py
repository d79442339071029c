"""Threads that do blocking work for an event loop.

``concurrent.futures`` gives every call two futures, two locks and four hand-overs, and wakes the
loop for each answer. Here a call has one future, and answers that come together wake it once.
Promises: at most ``size`` threads, none before it is needed; calls are begun in order; whoever is
cancelled before a thread has begun has not had it done. Threads end with the process, as if it were
killed, unless they are waited for (``shutdown``).
Locks: one, held for some lines only.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Call(NamedTuple):
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    work: Callable[..., Any]
    args: tuple[object, ...]


class _Answer(NamedTuple):
    future: asyncio.Future[Any]
    result: Any
    error: Exception | None


class Crew:
    """See the module."""

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._free = 0  # threads that wait, less the calls that wait for one
        self._closed = False
        self._answers: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}

    def submit(self, work: Callable[..., Any], *args: object) -> asyncio.Future[Any]:
        """Have ``work(*args)`` done, ``guarded``; its answer, in the running loop. Raises
        ``RuntimeError`` after ``shutdown``."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        with self._lock:
            if self._closed:
                raise RuntimeError("no calls are taken any more")
            self._free -= 1
            if self._free < 0 and len(self._threads) < self._size:
                try:
                    self._hire()
                except RuntimeError:  # the system gives no more threads
                    if not self._threads:
                        self._free += 1
                        raise
            self._calls.put(_Call(loop, answer, work, args))
        return answer

    def _hire(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)
        self._free += 1

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            result, error = None, None
            if not call.answer.cancelled():
                try:
                    result = guarded(call.work, *call.args)
                except Exception as caught:  # noqa: BLE001 - whoever waits for it gets it
                    error = caught
            self._tell(call.loop, _Answer(call.answer, result, error))
            del call, result, error  # or they would live as long as nobody calls again

    def _tell(self, loop: asyncio.AbstractEventLoop, answer: _Answer) -> None:
        with self._lock:
            self._free += 1
            waiting = self._answers.setdefault(loop, [])
            first = not waiting
            waiting.append(answer)
        if not first:
            return  # the loop has been woken and will find this one, too
        try:
            loop.call_soon_threadsafe(self._settle, loop)
        except RuntimeError:
            with self._lock:  # closed: nobody waits any more
                self._answers.pop(loop, None)

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            answers = self._answers.pop(loop, [])
        for future, result, error in answers:
            if future.done():
                continue  # cancelled meanwhile
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def shutdown(self, wait: bool = True) -> None:
        """Take no more calls; ``wait`` until those under way and those that wait are done."""
        with self._lock:
            already, self._closed = self._closed, True
            threads = list(self._threads)
        if not already:
            for _ in threads:
                self._calls.put(None)
        if wait:
            for thread in threads:
                thread.join()


def guarded(call: Callable[..., T], *args: object) -> T:
    """Raises ``RuntimeError`` for what no future or coroutine takes, or what would end more than
    its caller: a ``StopIteration`` is refused by asyncio's future, which then stays without an
    answer, and a ``SystemExit`` or ``CancelledError`` would end the loop or pass for our own
    cancelling."""
    try:
        return call(*args)
    except StopIteration as error:
        raise RuntimeError("StopIteration in a call") from error
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__} in a call") from error
