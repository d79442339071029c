"""Work that may wait a little: gathered by key, done in a thread of its own.

Promises: ``add`` costs a look into a dict; what was added is done within the interval, once
however often it was added meanwhile, and at ``close``. What the work raises is told to ``failed``
and does not end the thread.
Locks: one condition, never held while work is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Later(Generic[K, V]):
    """``do`` gets each key with the value that was added last."""

    def __init__(
        self,
        name: str,
        interval_s: float,
        do: Callable[[K, V], None],
        failed: Callable[[K, Exception], None],
    ) -> None:
        self._name, self._interval_s, self._do, self._failed = name, interval_s, do, failed
        self._changed = threading.Condition()
        self._waiting: dict[K, V] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, key: K, value: V) -> None:
        """Do it soon."""
        with self._changed:
            first = not self._waiting
            self._waiting[key] = value
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif first:
                self._changed.notify_all()

    def close(self) -> None:
        """Do what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._changed.wait_for(lambda: self._closed, timeout=self._interval_s)
                batch, self._waiting = self._waiting, {}
                closed = self._closed
            for key, value in batch.items():
                self._attempt(key, value)
            if closed:
                return

    def _attempt(self, key: K, value: V) -> None:
        try:
            self._do(key, value)
        except Exception as error:  # noqa: BLE001 - barrier: the thread is there for the next one
            self._failed(key, error)
