"""Sequence sets: what ``1:3,7,*`` names, without ever counting it out.

Promises: a set costs what its text costs, whatever numbers it spans; answers are ascending
and free of overlaps.
RFC: 3501/9051 "sequence-set", 5182 (``$``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# "*" inside a range; 0 is no valid message number or UID, so it is free for this.
STAR = 0


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as the client wrote them, ``STAR`` for ``*``. ``saved``: the set is ``$``.

    Whoever runs the command replaces a ``saved`` set by ``SequenceSet.of`` the saved UIDs.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def of(cls, numbers: Iterable[int]) -> SequenceSet:
        """The set of these numbers (any order); neighbours become one range."""
        return cls(tuple(runs(sorted(set(numbers)))))

    def spans(self, star: int) -> list[tuple[int, int]]:
        """Ascending, disjoint ``(low, high)`` pairs with ``*`` read as ``star``.

        RFC 9051 "seq-range": 4:2 is 2:4, and 9:* holds ``*`` even when that is below 9. With
        ``star`` 0 (nothing there) the ranges that need ``*`` vanish.
        """
        pairs = sorted(filter(None, (_ordered(a, b, star) for a, b in self.ranges)))
        merged: list[tuple[int, int]] = []
        for low, high in pairs:
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        return merged

    def number_rows(self, count: int) -> list[range]:
        """As message numbers in a folder of ``count``: 0-based positions. Numbers beyond the
        folder are left out; ask ``exceeds`` where they are an error."""
        cut = ((low, min(high, count)) for low, high in self.spans(count))
        return [range(low - 1, high) for low, high in cut if low <= high]

    def uid_rows(self, uids: Sequence[int]) -> list[range]:
        """As UIDs: 0-based positions in the ascending ``uids``. Unknown UIDs are left out
        (RFC 9051 6.4.9). Costs ``len(ranges) * log(len(uids))``."""
        star = uids[-1] if uids else 0
        rows = ((bisect_left(uids, a), bisect_right(uids, b)) for a, b in self.spans(star))
        return [range(first, end) for first, end in rows if first < end]

    def rows(self, uids: Sequence[int], by_uid: bool) -> list[range]:
        """``uid_rows`` or ``number_rows``, by the command's ``uid``."""
        if len(self.ranges) == 1 and STAR not in self.ranges[0]:  # as nearly always
            low, high = sorted(self.ranges[0])
            first = bisect_left(uids, low) if by_uid else low - 1
            end = bisect_right(uids, high) if by_uid else min(high, len(uids))
            return [range(first, end)] if first < end else []
        return self.uid_rows(uids) if by_uid else self.number_rows(len(uids))

    def exceeds(self, count: int) -> bool:
        """True when a message number above ``count`` is named (a fault of the client in any
        command that takes message numbers, RFC 9051 9 "seq-number"). ``*`` in an empty folder too.
        """
        return any(max(a, b) > count or (STAR in (a, b) and not count) for a, b in self.ranges)


def _ordered(a: int, b: int, star: int) -> tuple[int, int] | None:
    if STAR in (a, b):
        if not star:
            return None
        a, b = a or star, b or star
    return (a, b) if a <= b else (b, a)


def runs(ascending: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending distinct numbers as ``(first, last)`` runs."""
    found: list[tuple[int, int]] = []
    first = last = -1
    for number in ascending:
        if number != last + 1 or first < 0:
            if first >= 0:
                found.append((first, last))
            first = number
        last = number
    if first >= 0:
        found.append((first, last))
    return found
