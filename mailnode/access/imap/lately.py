"""What a client has heard of messages while it could not hear yet that others are gone.

Such a client goes on with an old picture, and is told newer flags of what is still there. Once one
of these messages is gone, too, no picture knows what was told of it last; this does.

Promises: costs what changed, not what the folder holds.
RFC: 7162 3.1 (a MODSEQ never falls), 3501 7.4.1.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from mailnode.model.flags import Flag
from mailnode.store import Picture

_SEEN = int(Flag.SEEN)
# Flags, modseq and bits of keywords, as a picture has them.
Told = tuple[int, int, int]


class Lately:
    """Of one session, from one step of its picture to the next."""

    __slots__ = ("_rows", "_seen")

    def __init__(self) -> None:
        self._rows: dict[int, Told] = {}
        self._seen: list[tuple[int, array[int]]] = []

    def changed(self, picture: Picture, uids: Iterable[int]) -> None:
        """These have been told as this picture has them, or may be told so."""
        for uid in uids:
            at = bisect_left(picture.uids, uid)
            self._rows[uid] = picture.flags[at], picture.modseqs[at], picture.keyword_bits[at]

    def seen(self, uids: Iterable[int], modseq: int) -> None:
        """FETCH has set ``\\Seen`` and said so."""
        self._seen.append((modseq, array("Q", uids)))

    def heard_of(self) -> set[int]:
        """All of them."""
        return self._rows.keys() | {uid for _, uids in self._seen for uid in uids}

    def of(self, gone: list[int], old: Picture) -> Iterator[tuple[int, Told]]:
        """Rows of ``old`` whose messages are gone, and what was told of each last."""
        marked = {uid: modseq for modseq, uids in self._seen for uid in uids}
        for at in gone:
            uid = old.uids[at]
            flags, modseq, bits = self._rows.get(
                uid, (old.flags[at], old.modseqs[at], old.keyword_bits[at])
            )
            mark = marked.get(uid, 0)
            yield at, ((flags | _SEEN, mark, bits) if mark > modseq else (flags, modseq, bits))
