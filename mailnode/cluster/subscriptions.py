"""Who wants to hear of which folder, in this process.

Promises: one timer for all, which reminds each subscriber once in ``poll_s`` however many there
are, spread over that time; a subscriber that raises does not keep others from hearing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

# Reminders of one period are spread over so many steps, so that they do not all fall due at once.
_STEPS = 16

Heard = Callable[[int], None]


class Subscriptions:
    """Subscribers by key. Event loop thread only."""

    def __init__(self, poll_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._step_s = poll_s / _STEPS
        self._shelves: list[dict[str, dict[int, Heard]]] = [{} for _ in range(_STEPS)]
        self._next_id = 0
        self._step = 0
        self._timer: asyncio.TimerHandle | None = None
        self.count = 0

    def add(self, key: str, heard: Heard) -> Callable[[], None]:
        """Begin; the answer ends it, any number of times."""
        shelf = self._shelves[zlib.crc32(key.encode("utf-8", "surrogateescape")) % _STEPS]
        self._next_id += 1
        number = self._next_id
        shelf.setdefault(key, {})[number] = heard
        self.count += 1
        if self._timer is None:
            self._timer = self._loop.call_later(self._step_s, self._remind)

        def end() -> None:
            if shelf.get(key, {}).pop(number, None) is not None:
                self.count -= 1
                if not shelf[key]:
                    del shelf[key]

        return end

    def tell(self, key: str, modseq: int) -> None:
        """Call each subscriber of ``key``."""
        shelf = self._shelves[zlib.crc32(key.encode("utf-8", "surrogateescape")) % _STEPS]
        for heard in list(shelf.get(key, {}).values()):
            self._call(heard, modseq)

    def tell_all(self) -> None:
        """Remind everybody: hints were lost."""
        for shelf in self._shelves:
            self._remind_shelf(shelf)

    def close(self) -> None:
        """No more reminders."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._shelves = [{} for _ in range(_STEPS)]
        self.count = 0

    def _remind(self) -> None:
        self._step = (self._step + 1) % _STEPS
        self._remind_shelf(self._shelves[self._step])
        again = self._loop.call_later(self._step_s, self._remind) if self.count else None
        self._timer = again

    def _remind_shelf(self, shelf: dict[str, dict[int, Heard]]) -> None:
        for heard in [one for group in shelf.values() for one in group.values()]:
            self._call(heard, 0)

    def _call(self, heard: Heard, modseq: int) -> None:
        try:
            heard(modseq)
        except Exception as error:  # noqa: BLE001  barrier: one session's fault stays its own
            self._loop.call_exception_handler(
                {"message": "a change hint's subscriber failed", "exception": error}
            )
