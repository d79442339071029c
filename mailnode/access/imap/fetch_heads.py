"""How the responses of a FETCH begin: what the picture knows of each message.

Promises: thousands of responses are put together by a handful of calls, none of which is made
once per message in Python.
RFC: 3501 7.4.2; 7162 3.1, 3.2.4 (MODSEQ, UID); 9586 3.3 (UIDFETCH).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeVar

from mailnode.store import MessageInfo, Picture
from mailnode.wire.imap.fetch_items import Fact
from mailnode.wire.imap.format import flags as format_flags

FROM_PICTURE = frozenset((Fact.UID, Fact.FLAGS, Fact.MODSEQ))
# FLAGS lists at hand, by the keywords of their folder, if these are no longer than this.
_MOST_TEXTS, _MOST_KEYWORDS, _MOST_LETTERS = 300, 16, 500
_KEYWORD_SHIFT = 5  # system flags take the bits below
T = TypeVar("T")


def picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    """The values of these rows."""
    if isinstance(rows, range):
        return column[rows.start : rows.stop]
    return [column[row] for row in rows]


class _Templates(NamedTuple):
    """What the responses of a FETCH look like: ``line`` whole, ``head`` up to the content;
    ``changed``, with the facts ``told``, for a message whose flags FETCH itself changed."""

    facts: frozenset[Fact]
    told: frozenset[Fact]
    line: bytes
    head: bytes
    changed: bytes


@lru_cache(256)
def _templates(
    facts: frozenset[Fact], content: bool, condstore: bool, uid_only: bool
) -> _Templates:
    # RFC 7162 3.2.4: a FETCH that tells of a change has the UID once QRESYNC is on.
    # RFC 9051 6.4.5: flags that FETCH itself changed are told with it.
    more = {Fact.FLAGS, *((Fact.UID, Fact.MODSEQ) if condstore else ())}
    told = _needed(facts | more, content, uid_only)
    facts = _needed(facts, content, uid_only)
    head = _template(facts, content, uid_only)
    line = head + (b"%b)\r\n" if content else b")\r\n")
    return _Templates(facts, told, line, head, _template(told, content, uid_only))


def _needed(facts: frozenset[Fact], content: bool, uid_only: bool) -> frozenset[Fact]:
    found = FROM_PICTURE & facts
    # RFC 9586 3.3: the UID stands in front, and again only where there is nothing else.
    return found - {Fact.UID} if uid_only and (content or len(found) > 1) else found


def _template(facts: frozenset[Fact], content: bool, uid_only: bool) -> bytes:
    words = [b"UID %d"] if Fact.UID in facts else []
    words += [b"FLAGS %b"] if Fact.FLAGS in facts else []
    words += [b"MODSEQ (%d)"] if Fact.MODSEQ in facts else []
    name = b"UIDFETCH" if uid_only else b"FETCH"
    gap = b" " if words and content else b""
    return b"* %%d %b (%b%b" % (name, b" ".join(words), gap)


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
        self._of = _templates(frozenset(facts), content, condstore, uid_only)
        self._facts = self._of.facts

    def lines(self, rows: Sequence[int], picture: Picture, texts: Sequence[bytes] = ()) -> bytes:
        """Whole responses for these rows, ``texts`` being the rest of each."""
        columns = self._columns(rows, picture)
        if texts:
            columns.append(texts)
        return self._of.line * len(rows) % tuple(chain.from_iterable(zip(*columns, strict=True)))

    def head(self, row: int, picture: Picture) -> bytes:
        """The first part of one response."""
        columns = self._columns(range(row, row + 1), picture)
        return self._of.head % tuple(chain.from_iterable(columns))

    def changed(self, row: int, info: MessageInfo) -> bytes:
        """The same for a message that FETCH has just marked as seen."""
        values: list[int | bytes] = [info.uid if self._uid_only else row + 1]
        if Fact.UID in self._of.told:
            values.append(info.uid)
        recent = any(info.uid in span for span in self._recent)
        values.append(format_flags(info.flags, info.keywords, recent))
        if Fact.MODSEQ in self._of.told:
            values.append(info.modseq)
        return self._of.changed % tuple(values)

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
        found = list(map(_flag_texts(picture.keywords, False).__getitem__, keys))
        for span in self._recent:
            low, high = bisect_left(uids, span.start), bisect_left(uids, span.stop)
            if low < high:
                texts = _flag_texts(picture.keywords, True)
                found[low:high] = map(texts.__getitem__, keys[low:high])
        return found


class _FlagTexts(dict[int, bytes]):
    """FLAGS lists by their bits, made when they are first wanted."""

    def __init__(self, keywords: Iterable[str], recent: bool) -> None:
        super().__init__()
        self._keywords, self._recent = tuple(keywords), recent

    def __missing__(self, key: int) -> bytes:
        words = key >> _KEYWORD_SHIFT
        names = [name for spot, name in enumerate(self._keywords) if words >> spot & 1]
        text = format_flags(key & ((1 << _KEYWORD_SHIFT) - 1), names, self._recent)
        if len(self) >= _MOST_TEXTS:
            self.clear()
        self[key] = text
        return text


_kept_texts = lru_cache(_MOST_KEYWORDS)(_FlagTexts)


def _flag_texts(keywords: tuple[str, ...], recent: bool) -> _FlagTexts:
    short = not keywords or sum(map(len, keywords)) <= _MOST_LETTERS
    return _kept_texts(keywords, recent) if short else _FlagTexts(keywords, recent)
