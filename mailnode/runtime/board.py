"""Notes that all workers of a node see: a weight and a time by key, such as failed logins.

Memory made before the fork, in which each worker has a row of its own and reads the others'; so
nothing is locked. A row is a bounded table: where a key's few places are taken, the note that was
touched longest ago makes room.
Promises: keys are told apart by 64 salted bits; a note read while it is written may be half the
old one, which the next reading mends.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator
from hashlib import blake2b

_NOTE = struct.Struct("<Qdd")
_WAYS = 4
_BUCKETS = 2048
_BUCKET_BYTES = _WAYS * _NOTE.size
ROW_BYTES = _BUCKETS * _BUCKET_BYTES


class Board:
    """One worker's row, and its view of the others'. ``rows`` says how many rows are in use."""

    def __init__(self, memory: mmap.mmap, salt: bytes, row: int, rows: Callable[[], int]) -> None:
        self._memory, self._salt, self._row, self._rows = memory, salt, row, rows

    def note(self, key: str, weight: float, at: float) -> None:
        """Write what is known of ``key``; ``at`` in seconds of the machine's monotonic clock."""
        mark, start = self._find(key)
        start += self._row * ROW_BYTES
        notes = _NOTE.iter_unpack(self._memory[start : start + _BUCKET_BYTES])
        # The key's own place, else the one touched longest ago (at 0.0: never).
        ages = [(found != mark, then, way) for way, (found, _, then) in enumerate(notes)]
        _NOTE.pack_into(self._memory, start + min(ages)[2] * _NOTE.size, mark, weight, at)

    def others(self, key: str) -> Iterator[tuple[float, float]]:
        """Weight and time of what each of the other workers noted."""
        mark, start = self._find(key)
        for row in range(self._rows()):
            if row == self._row:
                continue
            at = start + row * ROW_BYTES
            for found, weight, then in _NOTE.iter_unpack(self._memory[at : at + _BUCKET_BYTES]):
                if found == mark:
                    yield weight, then

    def _find(self, key: str) -> tuple[int, int]:
        digest = blake2b(key.encode(), digest_size=10, key=self._salt).digest()
        bucket = int.from_bytes(digest[8:], "little") % _BUCKETS
        return int.from_bytes(digest[:8], "little") or 1, bucket * _BUCKET_BYTES
