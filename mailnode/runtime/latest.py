"""The latest value of each key, handed on a little later.

Promises: ``put`` may be called from any thread and costs microseconds; of several values for a
key within the pause only the last is handed on; a value whose handing on failed is dropped, for a
newer one will come.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Latest(Generic[K, V]):
    """Collects values in threads, hands them to ``sink`` on the event loop it was made on."""

    def __init__(
        self,
        sink: Callable[[K, V], Awaitable[None]],
        *,
        pause_s: float,
        failed: Callable[[Exception], None],
    ) -> None:
        self._sink = sink
        self._pause_s = pause_s
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._values: dict[K, V] = {}
        self._task: asyncio.Task[None] | None = None

    def put(self, key: K, value: V) -> None:
        """Remember the value; thread-safe."""
        with self._lock:
            first = not self._values
            self._values[key] = value
        if first:
            self._loop.call_soon_threadsafe(self._begin)

    async def close(self) -> None:
        """Hand on what is left."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._hand_on()

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._run())

    async def _run(self) -> None:
        while self._values:
            await asyncio.sleep(self._pause_s)
            await self._hand_on()

    async def _hand_on(self) -> None:
        with self._lock:
            values, self._values = self._values, {}
        for key, value in values.items():
            try:
                await self._sink(key, value)
            except Exception as error:  # noqa: BLE001  barrier: a mirror must not stop mail
                self._failed(error)
