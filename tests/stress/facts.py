"""What many clients were told of the same things: equal everywhere, and never going back."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from tests.stress.talk import Wrong

Key = tuple[Hashable, ...]


class Facts:
    """``note``: what can have one value only; ``floor``: what never falls. One object for all
    clients of a process; those of several processes are laid together at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.values: dict[Key, Hashable] = {}
        self._floors: dict[Key, int] = {}

    def note(self, key: Key, value: Hashable) -> None:
        """Raises ``Wrong`` where somebody was told another value."""
        known = self.values.setdefault(key, value)
        if known != value:
            raise Wrong(f"{key} was {known!r} and is {value!r}")

    def floor(self, key: Key) -> int:
        """To be asked for before a command is sent: what its answer may not fall short of."""
        with self._lock:
            return self._floors.get(key, 0)

    def reached(self, key: Key, value: int) -> None:
        """Somebody was told of it."""
        with self._lock:
            self._floors[key] = max(self._floors.get(key, 0), value)


def conflicts(found: list[dict[Key, Hashable]]) -> list[str]:
    """What one process was told otherwise than another."""
    every: dict[Key, Hashable] = {}
    wrong = []
    for values in found:
        for key, value in values.items():
            known = every.setdefault(key, value)
            if known != value:
                wrong.append(f"{key} was {known!r} to one client and {value!r} to another")
    return wrong
