"""A clock that moves only when told."""

from __future__ import annotations


class HandClock:
    """Both clocks start at fixed values; ``advance`` moves them together."""

    def __init__(self) -> None:
        self._elapsed = 0.0

    def now(self) -> float:
        return 1_700_000_000.0 + self._elapsed

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    def advance(self, seconds: float) -> None:
        self._elapsed += seconds
