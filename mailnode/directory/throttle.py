"""Bounded tables of recent failures and of who came from where.

Promises: at most ``entries`` rows; the least recently touched makes room.
"""

from __future__ import annotations

from collections import OrderedDict

from mailnode.runtime.clock import Clock

_FRIEND_S = 30 * 86_400.0


class Failures:
    """Failures per key; each halves in weight with every ``window_s`` that passes."""

    def __init__(self, *, clock: Clock, window_s: float, entries: int) -> None:
        self._clock = clock
        self._window_s = window_s
        self._entries = entries
        self._rows: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def count(self, key: str) -> int:
        """One more failure; how many there are now."""
        weight = self._weight(key) + 1
        self._rows[key] = (weight, self._clock.monotonic())
        self._rows.move_to_end(key)
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)
        return round(weight)

    def number(self, key: str) -> int:
        """How many failures there are now."""
        return round(self._weight(key))

    def _weight(self, key: str) -> float:
        weight, at = self._rows.get(key, (0.0, 0.0))
        return float(weight * 0.5 ** ((self._clock.monotonic() - at) / self._window_s))


class Friends:
    """Users and the networks they logged in from."""

    def __init__(self, *, clock: Clock, entries: int) -> None:
        self._clock = clock
        self._entries = entries
        self._rows: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __contains__(self, pair: tuple[str, str]) -> bool:
        at = self._rows.get(pair)
        return at is not None and self._clock.monotonic() - at <= _FRIEND_S

    def add(self, user: str, network: str) -> None:
        """``user`` was let in from ``network``."""
        self._rows[user, network] = self._clock.monotonic()
        self._rows.move_to_end((user, network))
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)
