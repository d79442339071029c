"""How the responses of a FETCH begin: what the picture knows of each message.

Promises: thousands of responses are put together by a handful of calls, none of which is made
once per message in Python.
RFC: 3501 7.4.2; 7162 3.1, 3.2.4 (MODSEQ, UID); 9586 3.3 (UIDFETCH).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from mailnode.store import MessageInfo, Picture
from mailnode.wire.imap.fetch_items import Fact
from mailnode.wire.imap.format import flags as format_flags

FROM_PICTURE = frozenset((Fact.UID, Fact.FLAGS, Fact.MODSEQ))
_KEYWORD_SHIFT = 5  # system flags take the bits below
T = TypeVar("T")


def picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    """The values of these rows."""
    if isinstance(rows, range):
        return column[rows.start : rows.stop]
    return [column[row] for row in rows]


class Heads:
    """For one FETCH of rows in ascending order. ``facts``: those of ``FROM_PICTURE`` that are
    wanted; ``content``: something else is, too; ``recent``: the UIDs that are recent to this
    session. See ``Fetcher``."""

    def __init__(
        self,
        facts: Collection[Fact],
        *,
        content: bool,
        condstore: bool,
        uid_only: bool,
        recent: Sequence[range],
    ) -> None:
        self._uid_only = uid_only
        self._recent = recent
        self._facts = self._needed(facts, content)
        # RFC 7162 3.2.4: a FETCH that tells of a change has the UID once QRESYNC is on.
        # RFC 9051 6.4.5: flags that FETCH itself changed are told with it.
        told = {*facts, Fact.FLAGS, *((Fact.UID, Fact.MODSEQ) if condstore else ())}
        self._told = self._needed(told, content)
        self._open = self._template(self._facts, content)
        self._open_changed = self._template(self._told, content)
        self._line = self._open + (b"%b)\r\n" if content else b")\r\n")
        self._texts: dict[tuple[tuple[str, ...], bool], _FlagTexts] = {}

    def _needed(self, facts: Collection[Fact], content: bool) -> frozenset[Fact]:
        found = FROM_PICTURE.intersection(facts)
        # RFC 9586 3.3: the UID stands in front, and again only where there is nothing else.
        if self._uid_only and (content or len(found) > 1):
            return found - {Fact.UID}
        return found

    def _template(self, facts: frozenset[Fact], content: bool) -> bytes:
        words = [b"UID %d"] if Fact.UID in facts else []
        words += [b"FLAGS %b"] if Fact.FLAGS in facts else []
        words += [b"MODSEQ (%d)"] if Fact.MODSEQ in facts else []
        name = b"UIDFETCH" if self._uid_only else b"FETCH"
        gap = b" " if words and content else b""
        return b"* %%d %b (%b%b" % (name, b" ".join(words), gap)

    def lines(self, rows: Sequence[int], picture: Picture, texts: Sequence[bytes] = ()) -> bytes:
        """Whole responses for these rows, ``texts`` being the rest of each."""
        columns = self._columns(rows, picture)
        if texts:
            columns.append(texts)
        return self._line * len(rows) % tuple(chain.from_iterable(zip(*columns, strict=True)))

    def head(self, row: int, picture: Picture) -> bytes:
        """The first part of one response."""
        columns = self._columns(range(row, row + 1), picture)
        return self._open % tuple(chain.from_iterable(columns))

    def changed(self, row: int, info: MessageInfo) -> bytes:
        """The same for a message that FETCH has just marked as seen."""
        values: list[int | bytes] = [info.uid if self._uid_only else row + 1]
        if Fact.UID in self._told:
            values.append(info.uid)
        recent = any(info.uid in span for span in self._recent)
        values.append(format_flags(info.flags, info.keywords, recent))
        if Fact.MODSEQ in self._told:
            values.append(info.modseq)
        return self._open_changed % tuple(values)

    def _columns(self, rows: Sequence[int], picture: Picture) -> list[Sequence[int | bytes]]:
        uids = picked(picture.uids, rows)
        numbers = (
            range(rows.start + 1, rows.stop + 1)
            if isinstance(rows, range)
            else [row + 1 for row in rows]
        )
        columns: list[Sequence[int | bytes]] = [uids if self._uid_only else numbers]
        if Fact.UID in self._facts:
            columns.append(uids)
        if Fact.FLAGS in self._facts:
            columns.append(self._flags(rows, uids, picture))
        if Fact.MODSEQ in self._facts:
            columns.append(picked(picture.modseqs, rows))
        return columns

    def _flags(self, rows: Sequence[int], uids: Sequence[int], picture: Picture) -> list[bytes]:
        keys = picked(picture.flags, rows)
        words = picked(picture.keyword_bits, rows)
        if any(words):
            both = zip(keys, words, strict=True)
            keys = [bits | more << _KEYWORD_SHIFT for bits, more in both]
        found = list(map(self._texts_of(picture, False).__getitem__, keys))
        for span in self._recent:
            low, high = bisect_left(uids, span.start), bisect_left(uids, span.stop)
            if low < high:
                texts = self._texts_of(picture, True)
                found[low:high] = map(texts.__getitem__, keys[low:high])
        return found

    def _texts_of(self, picture: Picture, recent: bool) -> Mapping[int, bytes]:
        key = (picture.keywords, recent)
        if key not in self._texts:
            self._texts[key] = _FlagTexts(*key)
        return self._texts[key]


class _FlagTexts(dict[int, bytes]):
    """FLAGS lists by their bits, made when they are first wanted."""

    def __init__(self, keywords: Iterable[str], recent: bool) -> None:
        super().__init__()
        self._keywords, self._recent = tuple(keywords), recent

    def __missing__(self, key: int) -> bytes:
        words = key >> _KEYWORD_SHIFT
        names = [name for spot, name in enumerate(self._keywords) if words >> spot & 1]
        text = format_flags(key & ((1 << _KEYWORD_SHIFT) - 1), names, self._recent)
        self[key] = text
        return text
