"""What went away while a client was not looking: the messages of VANISHED (EARLIER).

Promises: names every UID in the client's set that was expunged after its modseq, whatever the
modseq is; where the folder's history does not reach back so far (``storage.expunge_history``),
every UID in the set that no message has. Never names a message that is there.
RFC: 7162 3.2.5.1, 3.2.5.2, 3.2.6.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from mailnode.store import Folder, Picture
from mailnode.wire.imap.ast import QResync
from mailnode.wire.imap.sets import SequenceSet, runs

Spans = list[tuple[int, int]]


def resynced(folder: Folder, picture: Picture, want: QResync) -> tuple[Spans, list[int]]:
    """Blocking: the UIDs that vanished, as spans, and the UIDs of messages changed since."""
    spans = known_spans(picture, want.known_uids)
    floor = last_agreed(picture, want.match_numbers, want.match_uids)
    gone = vanished(folder, picture, want.modseq, spans, floor)
    uids = picture.uids
    rows = chain.from_iterable(_rows(uids, low, high) for low, high in spans)
    return gone, [uids[row] for row in rows if picture.modseqs[row] > want.modseq]


def known_spans(picture: Picture, known: SequenceSet | None) -> Spans:
    """RFC 7162 3.2.5: without a set, all UIDs there ever were; ``*`` is the last of them."""
    last = picture.uidnext - 1
    if known is None:
        return [(1, last)] if last else []
    return [(low, min(high, last)) for low, high in known.spans(last) if low <= last]


def last_agreed(picture: Picture, numbers: SequenceSet | None, uids: SequenceSet | None) -> int:
    """The highest UID that client and server give the same number: below it nothing is missing.

    RFC 7162 3.2.5.2; 0 without such a pair.
    """
    if numbers is None or uids is None:
        return 0
    count, agreed = len(picture.uids), 0
    for number, uid in zip(_numbers(numbers), _numbers(uids), strict=False):
        if number > count:
            break
        if picture.uids[number - 1] == uid:
            agreed = uid
    return agreed


def vanished(folder: Folder, picture: Picture, modseq: int, spans: Spans, floor: int = 0) -> Spans:
    """Blocking: what of ``spans`` was expunged after ``modseq``."""
    gone = folder.vanished_since(modseq)
    if gone is None:
        return _gaps(picture.uids, [(max(a, floor + 1), b) for a, b in spans])
    # The history is newer than the picture: leave to the next look what is still shown.
    there = _Members(picture.uids)
    return runs(uid for uid in _within(gone, spans) if uid not in there)


class _Members:
    """``in`` for an ascending sequence."""

    def __init__(self, ascending: Sequence[int]) -> None:
        self._ascending = ascending

    def __contains__(self, uid: int) -> bool:
        at = bisect_left(self._ascending, uid)
        return at < len(self._ascending) and self._ascending[at] == uid


def _within(ascending: list[int], spans: Spans) -> Iterator[int]:
    for low, high in spans:
        yield from ascending[bisect_left(ascending, low) : bisect_left(ascending, high + 1)]


def _gaps(uids: Sequence[int], spans: Iterable[tuple[int, int]]) -> Spans:
    """What no message has of ``spans``."""
    found: Spans = []
    for low, high in spans:
        for row in _rows(uids, low, high):
            if low < uids[row]:
                found.append((low, uids[row] - 1))
            low = uids[row] + 1
        if low <= high:
            found.append((low, high))
    return found


def _rows(uids: Sequence[int], low: int, high: int) -> range:
    return range(bisect_left(uids, low), bisect_left(uids, high + 1))


def _numbers(of: SequenceSet) -> Iterator[int]:
    return chain.from_iterable(range(low, high + 1) for low, high in of.spans(0))
