"""How long a seat stays empty after its worker died.

Promises: the first death in a while costs nothing; a crash loop slows down to one try in
``LONGEST_S``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

LONGEST_S = 30.0
_FIRST_S = 0.25
# A worker that lived so long did not die of its start.
_SOUND_LIFE_S = 5.0


@dataclass(slots=True)
class CrashPauses:
    """Deaths in a row and the time of the next try, for each seat."""

    _deaths: dict[int, int] = field(default_factory=dict)
    _next_at: dict[int, float] = field(default_factory=dict)

    def died(self, seat: int, started_at: float, now: float) -> None:
        """A worker of ``seat`` ended unasked."""
        deaths = 1 if now - started_at >= _SOUND_LIFE_S else self._deaths.get(seat, 0) + 1
        self._deaths[seat] = deaths
        if deaths > 1:
            self._next_at[seat] = now + min(_FIRST_S * 2 ** (deaths - 2), LONGEST_S)

    def left_s(self, seat: int, now: float) -> float:
        """How long the seat stays empty yet."""
        return max(0.0, self._next_at.get(seat, now) - now)

    def may_start(self, seat: int, now: float) -> bool:
        """Whether the seat's pause is over; then it is forgotten."""
        if self._next_at.get(seat, now) > now:
            return False
        self._next_at.pop(seat, None)
        return True

    def waiting(self) -> Iterator[float]:
        """When each paused seat may be tried again."""
        yield from self._next_at.values()
