"""Work that may wait a little: gathered by key, done in a thread of its own.

Promises: ``add`` costs a look into a dict; what was added is done within the interval, once
however often it was added meanwhile, and at ``close``. With a ``pace`` no more than so many keys
are done in an interval, in the order in which they came; the rest waits its turn, and ``close``
spends no more than ``CLOSE_S`` on it. What the work raises is told to ``failed`` and does not end
the thread.
Locks: one condition, never held while work is done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# The end of a worker waits so long for what a pace held back.
CLOSE_S = 1.0


class Later(Generic[K, V]):
    """``do`` gets each key with the value that was added last; ``pace`` 0: all there are."""

    def __init__(
        self,
        name: str,
        interval_s: float,
        do: Callable[[K, V], None],
        failed: Callable[[K, Exception], None],
        pace: int = 0,
    ) -> None:
        self._name, self._interval_s, self._do, self._failed = name, interval_s, do, failed
        self._pace = pace
        self._changed = threading.Condition()
        self._waiting: dict[K, V] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, key: K, value: V) -> None:
        """Do it soon; after ``close``, at once."""
        with self._changed:
            closed = self._closed
            if not closed:
                self._put(key, value)
        if closed:
            self._attempt(key, value)

    def _put(self, key: K, value: V) -> None:
        """Caller holds the lock."""
        first = not self._waiting
        self._waiting[key] = value
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        elif first:
            self._changed.notify_all()

    def waiting(self) -> int:
        """How many keys wait for their turn."""
        with self._changed:
            return len(self._waiting)

    def close(self) -> int:
        """Do what waits, then stop; how many keys there was no time for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        left, self._waiting = len(self._waiting), {}
        return left

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._changed.wait_for(lambda: self._closed, timeout=self._interval_s)
                closed = self._closed
                batch = self._turn(self._pace)
            for key, value in batch.items():
                self._attempt(key, value)
            if closed:
                self._finish()
                return

    def _turn(self, pace: int) -> dict[K, V]:
        """Take what is to be done now, the oldest first."""
        if not pace or len(self._waiting) <= pace:
            batch, self._waiting = self._waiting, {}
            return batch
        return {key: self._waiting.pop(key) for key in list(islice(self._waiting, pace))}

    def _finish(self) -> None:
        until = time.monotonic() + CLOSE_S
        while self._waiting and time.monotonic() < until:
            for key, value in self._turn(1).items():
                self._attempt(key, value)

    def _attempt(self, key: K, value: V) -> None:
        try:
            self._do(key, value)
        except Exception as error:  # noqa: BLE001 - barrier: the thread is there for the next one
            self._failed(key, error)
