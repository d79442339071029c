"""What each SEARCH key asks of a message, by what it costs to know.

RFC: 3501 6.4.4, 9051 6.4.4, 5032 (WITHIN), 7162 3.1.5 (MODSEQ), 8474 6 (ids), 8514 5 (SAVEDATE);
5322 3.3 and 4.3 (the Date field).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import chain, compress

from mailnode.model.flags import Flag
from mailnode.store import MessageInfo, Picture
from mailnode.wire.imap.ast import (
    AgeKey,
    AllKey,
    DateField,
    DateKey,
    DateOp,
    FlagKey,
    HeaderKey,
    KeywordKey,
    ModSeqKey,
    ObjectIdKey,
    Recency,
    RecentKey,
    SaveDateKey,
    SearchKey,
    SeqKey,
    SizeKey,
    TextKey,
    UidKey,
)
from mailnode.wire.imap.format import as_utc
from mailnode.wire.imap.sets import SequenceSet
from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.decode import DEFAULT_LIMIT, body_texts, header_text
from mailnode.wire.mime.header import collect, field_finder
from mailnode.wire.mime.sent_date import sent_day as written_day
from mailnode.wire.mime.structure import Part
from mailnode.wire.mime.words import decode_words

Rows = Sequence[int]

_SEEN = int(Flag.SEEN)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a search looks at besides messages: the picture, the session's recent messages, its
    saved result (``$``, UIDs) and the time, in seconds since 1970."""

    picture: Picture
    is_recent: Callable[[int], bool]
    saved: Sequence[int]
    now: float


# ------------------------------------------------------------------ answered by the picture


def rows_by_picture(key: SearchKey, rows: Rows, scene: Scene) -> Rows | None:
    """Those of ``rows`` that match; ``None`` if the picture does not tell."""
    picture = scene.picture
    if isinstance(key, AllKey | SaveDateKey):
        return rows
    if isinstance(key, FlagKey):
        return _rows_by_flag(key, rows, picture)
    if isinstance(key, KeywordKey):
        return _rows_by_keyword(key, rows, picture)
    if isinstance(key, SeqKey | UidKey):
        return _rows_by_set(key, rows, scene)
    if isinstance(key, ModSeqKey):
        return [row for row in rows if picture.modseqs[row] >= key.modseq]
    if isinstance(key, RecentKey):
        return _rows_by_recency(key.recency, rows, scene)
    return None


def _rows_by_flag(key: FlagKey, rows: Rows, picture: Picture) -> Rows:
    bit, wanted = int(key.flag), int(key.flag) if key.present else 0
    if isinstance(rows, range):  # neighbours: in a third of the time
        flags = bytes(picture.flags[rows.start : rows.stop])
        return list(compress(rows, flags.translate(_telling(bit, wanted))))
    return [row for row in rows if picture.flags[row] & bit == wanted]


@lru_cache(maxsize=32)
def _telling(bit: int, wanted: int) -> bytes:
    """For each octet of flags, whether it matches."""
    return bytes(flags & bit == wanted for flags in range(256))


def _rows_by_keyword(key: KeywordKey, rows: Rows, picture: Picture) -> Rows:
    # RFC 9051 2.3.2: keywords are compared without regard to case.
    wanted = key.keyword.lower()
    mask = sum(1 << n for n, word in enumerate(picture.keywords) if word.lower() == wanted)
    bits = picture.keyword_bits
    return [row for row in rows if bool(bits[row] & mask) is key.present]


def _rows_by_set(key: SeqKey | UidKey, rows: Rows, scene: Scene) -> Rows:
    by_uid = isinstance(key, UidKey)
    numbers = key.uids if isinstance(key, UidKey) else key.messages
    # RFC 5182 2.1: "$" names messages, by message numbers or UIDs alike.
    if numbers.saved:
        numbers, by_uid = SequenceSet.of(scene.saved), True
    named = set(chain.from_iterable(numbers.rows(scene.picture.uids, by_uid)))
    return [row for row in rows if row in named]


def _rows_by_recency(recency: Recency, rows: Rows, scene: Scene) -> Rows:
    picture, is_recent = scene.picture, scene.is_recent
    if recency is Recency.NEW:
        # RFC 3501 6.4.4: NEW is RECENT UNSEEN.
        rows = [row for row in rows if not picture.flags[row] & _SEEN]
    wanted = recency is not Recency.OLD
    return [row for row in rows if is_recent(picture.uids[row]) is wanted]


# ------------------------------------------------------------------ answered by the view's facts


def wants_facts(key: SearchKey) -> bool:
    """Whether a ``MessageInfo`` answers this key."""
    if isinstance(key, DateKey):
        return key.field is not DateField.SENT
    return isinstance(key, SizeKey | AgeKey | ObjectIdKey)


def matches_facts(key: SearchKey, info: MessageInfo, now: float) -> bool:
    """Whether these facts match a key that ``wants_facts``."""
    if isinstance(key, SizeKey):
        return info.size > key.octets if key.larger else info.size < key.octets
    if isinstance(key, AgeKey):
        border = now - key.interval_s
        return info.internal_date <= border if key.older else info.internal_date >= border
    if isinstance(key, ObjectIdKey):
        return key.object_id == (info.thread_id if key.thread else info.email_id)
    assert isinstance(key, DateKey)
    seconds = info.save_date if key.field is DateField.SAVED else info.internal_date
    return _compare(key, as_utc(seconds).date())


def _compare(key: DateKey, day: date) -> bool:
    if key.op is DateOp.BEFORE:
        return day < key.day
    return day == key.day if key.op is DateOp.ON else day >= key.day


# ------------------------------------------------------------------ answered by the header


def wants_headers(key: SearchKey) -> bool:
    """Whether the message's header block answers this key."""
    return isinstance(key, HeaderKey) or (isinstance(key, DateKey) and key.field is DateField.SENT)


def header_judge(key: SearchKey) -> Callable[[bytes], int]:
    """A test of header blocks for a key that ``wants_headers``; of a fuzzy one, its score."""
    if isinstance(key, HeaderKey) and key.fuzzy:
        find, words = field_finder(key.name.lower().encode()), casemap(key.value)
        return lambda block: fuzzy_score(words, [casemap(decode_words(v)) for v in find(block)])
    if isinstance(key, HeaderKey):
        return _containing(field_finder(key.name.lower().encode()), casemap(key.value))
    assert isinstance(key, DateKey)
    return lambda block: (day := sent_day(block)) is not None and _compare(key, day)


def _containing(find: Callable[[bytes], list[bytes]], needle: str) -> Callable[[bytes], int]:
    def judge(block: bytes) -> int:
        # RFC 9051 6.4.4: an empty string asks for the field's presence, and is in any text.
        for value in find(block):  # for each message: as little as can be
            if needle in casemap(decode_words(value)):
                return 1
        return 0

    return judge


def sent_day(block: bytes) -> date | None:
    """The day in the Date field as written there, time and zone aside; ``None`` without one."""
    values = collect(block, (b"date",)).get(b"date")
    return written_day(values[0]) if values else None


def fuzzy_score(wanted: str, texts: Sequence[str]) -> int:
    """RFC 6203 3, 4: a message matches when all the words are there, in any order; 100 where they
    stand as they were written, 50 otherwise, 0 for no match. All is case-mapped."""
    words = wanted.split()
    if any(" ".join(words) in text for text in texts):
        return 100
    return 50 if all(any(word in text for text in texts) for word in words) and texts else 0


# ------------------------------------------------------------------ answered by the whole message


def searchable_texts(message: bytes, root: Part, limit: int = DEFAULT_LIMIT) -> list[str]:
    """What TEXT looks through, in at most ``limit`` bytes of the message and in the form in which
    it is compared; all but the first are what BODY looks through."""
    head = header_text(message[: min(root.body_start, limit)])
    return [casemap(text) for text in (head, *body_texts(message, root, limit))]


def matches_text(key: TextKey, texts: Sequence[str]) -> int:
    """Whether TEXT or BODY finds its string in a message's ``searchable_texts``; of a fuzzy key,
    its score."""
    needle, texts = casemap(key.value), texts[1 if key.body_only else 0 :]
    if key.fuzzy and needle.split():
        return fuzzy_score(needle, texts)
    return not needle or any(needle in text for text in texts)
