"""Bounded tables of recent failures and of who came from where.

Promises: at most ``entries`` rows; the least recently touched makes room. What the other workers of
this node know (``board``) counts as well.
"""

from __future__ import annotations

from collections import OrderedDict

from mailnode.runtime.board import Board
from mailnode.runtime.clock import Clock

_FRIEND_S = 30 * 86_400.0


class Failures:
    """Failures per key; each halves in weight with every ``window_s`` that passes."""

    def __init__(
        self,
        *,
        clock: Clock,
        window_s: float,
        entries: int,
        kind: str = "",
        board: Board | None = None,
    ) -> None:
        self._kind, self._board = kind, board
        self._clock = clock
        self._window_s = window_s
        self._entries = entries
        self._rows: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def count(self, key: str) -> int:
        """One more failure; how many there are now."""
        weight, now = self._own(key) + 1, self._clock.monotonic()
        self._rows[key] = (weight, now)
        self._rows.move_to_end(key)
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)
        if self._board is not None:
            self._board.note(f"{self._kind} {key}", weight, now)
        return self.number(key)

    def number(self, key: str) -> int:
        """How many failures there are now, in all workers of this node."""
        others = self._board.others(f"{self._kind} {key}") if self._board is not None else ()
        return round(self._own(key) + sum(self._left(*one) for one in others))

    def _own(self, key: str) -> float:
        return self._left(*self._rows.get(key, (0.0, 0.0)))

    def _left(self, weight: float, at: float) -> float:
        return float(weight * 0.5 ** ((self._clock.monotonic() - at) / self._window_s))


class Friends:
    """Users and the networks they logged in from."""

    def __init__(self, *, clock: Clock, entries: int, board: Board | None = None) -> None:
        self._clock, self._board = clock, board
        self._entries = entries
        self._rows: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __contains__(self, pair: tuple[str, str]) -> bool:
        at = self._rows.get(pair)
        if at is not None and self._is_fresh(at):
            return True
        others = self._board.others(_friendship(*pair)) if self._board is not None else ()
        return any(self._is_fresh(at) for _, at in others)

    def _is_fresh(self, at: float) -> bool:
        return self._clock.monotonic() - at <= _FRIEND_S

    def add(self, user: str, network: str) -> None:
        """``user`` was let in from ``network``."""
        now = self._rows[user, network] = self._clock.monotonic()
        if self._board is not None:
            self._board.note(_friendship(user, network), 1.0, now)
        self._rows.move_to_end((user, network))
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)


def _friendship(user: str, network: str) -> str:
    return f"friend {network} {user}"
