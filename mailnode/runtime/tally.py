"""Counts that all workers of a node share: how many connections there are from where. What they
tell one another of failed logins stands on a ``board`` beside it.

Memory made before the fork, in which each worker has a row of its own and reads the others'. So
nothing is locked, and what a worker counted is gone with it, however it ended.
Promises: never less than the truth; more by a little where tens of thousands of keys are counted
at once, since others' keys are told apart by their hashes only (three of them, salted).
"""

from __future__ import annotations

import mmap
import os
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from mailnode.runtime.board import ROW_BYTES, Board

# For two generations of 64 workers. A row that nobody ever had takes no memory.
ROWS = 128
_HASHES = 3
_CELLS = 1 << 16
_ROW_CELLS = _HASHES * _CELLS
_CELL_BYTES = 2
_FULL = 2 ** (8 * _CELL_BYTES) - 1
_HEAD_BYTES = mmap.PAGESIZE
_KNOWN = 512  # keys whose places are at hand


class Tallies:
    """The memory. Made once, by the supervisor, who gives each worker a row."""

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._memory = mmap.mmap(-1, _HEAD_BYTES + rows * _ROW_CELLS * _CELL_BYTES)
        self._notes = mmap.mmap(-1, rows * ROW_BYTES)
        self._salt = os.urandom(16)

    def take(self, taken: Iterable[int]) -> Tally:
        """An empty row beside those ``taken``; one that counts for itself where there is none."""
        free = set(range(self._rows)).difference(taken)
        if not free:
            return alone()
        row = min(free)
        self.clear(row)
        self._memory[0] = max(self._memory[0], row + 1)
        self._notes[row * ROW_BYTES : (row + 1) * ROW_BYTES] = bytes(ROW_BYTES)
        board = Board(self._notes, self._salt, row, lambda: self._memory[0])
        return Tally(self._memory, self._salt, row, board)

    def clear(self, row: int) -> None:
        """The worker that had this row is gone."""
        size = _ROW_CELLS * _CELL_BYTES
        start = _HEAD_BYTES + row * size
        if 0 <= row < self._memory[0]:
            self._memory[start : start + size] = bytes(size)


class Tally:
    """One worker's row, and its view of the others'. Used by its event loop's thread only."""

    def __init__(self, memory: mmap.mmap, salt: bytes, row: int, board: Board) -> None:
        self._memory, self._salt, self._row, self.board = memory, salt, row, board
        self.number_of_row = row
        self._cells = memoryview(memory)[_HEAD_BYTES:].cast("H")
        self._own: Counter[str] = Counter()
        self._known: dict[str, tuple[int, ...]] = {}

    def enter(self, key: str) -> int:
        """Count one more; how many there are on this node now."""
        self._own[key] += 1
        self._add(key, 1)
        return self.number(key)

    def leave(self, key: str) -> None:
        """Count one less of those that came in here."""
        if key not in self._own:
            return
        self._own[key] -= 1
        if not self._own[key]:
            del self._own[key]
        self._add(key, -1)

    def number(self, key: str) -> int:
        """How many there are on this node."""
        starts = [row * _ROW_CELLS for row in range(self._memory[0]) if row != self._row]
        if not starts:
            return self._own[key]
        others = (sum(self._cells[start + at] for start in starts) for at in self._places(key))
        return self._own[key] + min(others)

    def _add(self, key: str, more: int) -> None:
        start = self._row * _ROW_CELLS
        for at in self._places(key):
            self._cells[start + at] = min(max(self._cells[start + at] + more, 0), _FULL)

    def _places(self, key: str) -> tuple[int, ...]:
        """Who comes leaves again, and mostly comes from where somebody came just now."""
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            known = self._known[key] = tuple(self._hashed(key))
        return known

    def _hashed(self, key: str) -> list[int]:
        digest = blake2b(key.encode(), digest_size=2 * _HASHES, key=self._salt).digest()
        return [
            number * _CELLS + int.from_bytes(digest[2 * number : 2 * number + 2], "little")
            for number in range(_HASHES)
        ]

    def __len__(self) -> int:
        """Keys counted here."""
        return len(self._own)


def alone() -> Tally:
    """A tally that is shared with nobody; its row has no number among anybody's."""
    tally = Tallies(1).take(())
    tally.number_of_row = -1
    return tally
