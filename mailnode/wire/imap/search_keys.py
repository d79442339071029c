"""What SEARCH asks for, as a tree of values.

RFC: 3501/9051 6.4.4, 4731 (ESEARCH), 5032 (WITHIN), 5182 (SAVE), 7162 (MODSEQ), 8474 (ids),
8514 (SAVEDATE), 9394 (PARTIAL).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from mailnode.model.flags import Flag
from mailnode.wire.imap.fetch_items import FetchItem
from mailnode.wire.imap.sets import SequenceSet


class DateField(Enum):
    """Which date a key looks at."""

    INTERNAL = "internal"
    SENT = "sent"
    SAVED = "saved"


class DateOp(Enum):
    """How a date key compares; days only, as written, without time zone."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


class Recency(Enum):
    """Keys on session state. NEW is RECENT UNSEEN."""

    RECENT = "recent"
    NEW = "new"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class AllKey:
    """Every message."""


@dataclass(frozen=True, slots=True)
class AndKey:
    """All of these."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class OrKey:
    """Either."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class NotKey:
    """Not this."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class FlagKey:
    """SEEN (``present``) or UNSEEN and so on."""

    flag: Flag
    present: bool = True


@dataclass(frozen=True, slots=True)
class KeywordKey:
    """KEYWORD (``present``) or UNKEYWORD."""

    keyword: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """HEADER, and BCC CC FROM SUBJECT TO. ``name`` in lower case; an empty ``value`` asks whether
    the field is there at all (RFC 9051 6.4.4). ``fuzzy``: RFC 6203."""

    name: str
    value: str
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class TextKey:
    """TEXT, or with ``body_only`` BODY; ``value`` decoded from the search's charset;
    ``fuzzy``: RFC 6203."""

    value: str
    body_only: bool = False
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class DateKey:
    """BEFORE ON SINCE, SENTBEFORE …, SAVEDBEFORE …"""

    field: DateField
    op: DateOp
    day: date


@dataclass(frozen=True, slots=True)
class SizeKey:
    """LARGER or SMALLER than ``octets``."""

    larger: bool
    octets: int


@dataclass(frozen=True, slots=True)
class UidKey:
    """UID set."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class SeqKey:
    """A set of message numbers (or ``$``)."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class ModSeqKey:
    """MODSEQ; the optional entry name is accepted and means the message's one modseq."""

    modseq: int
    entry: str = ""


@dataclass(frozen=True, slots=True)
class RecentKey:
    """RECENT, NEW, OLD."""

    recency: Recency


@dataclass(frozen=True, slots=True)
class AgeKey:
    """OLDER or YOUNGER than ``interval_s`` seconds (RFC 5032)."""

    older: bool
    interval_s: int


@dataclass(frozen=True, slots=True)
class ObjectIdKey:
    """EMAILID, or with ``thread`` THREADID (RFC 8474)."""

    object_id: str
    thread: bool = False


@dataclass(frozen=True, slots=True)
class SaveDateKey:
    """SAVEDATESUPPORTED (RFC 8514)."""


SearchKey = (
    AllKey
    | AndKey
    | OrKey
    | NotKey
    | FlagKey
    | KeywordKey
    | HeaderKey
    | TextKey
    | DateKey
    | SizeKey
    | UidKey
    | SeqKey
    | ModSeqKey
    | RecentKey
    | AgeKey
    | ObjectIdKey
    | SaveDateKey
)


@dataclass(frozen=True, slots=True)
class SearchReturn:
    """RETURN options of an extended SEARCH (RFC 4731); ``options`` out of MIN MAX ALL COUNT SAVE
    CONTEXT UPDATE (RFC 5267) RELEVANCY (RFC 6203).

    ``RETURN ()`` reads as ALL. ``partial`` is a pair like (1, 500) or (-1, -100) (RFC 9394);
    ``items``: what FETCH shall tell of messages that join the result (RFC 5465 7).
    """

    options: frozenset[str]
    partial: tuple[int, int] | None = None
    items: tuple[FetchItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH and UID SEARCH. ``returns`` ``None``: answer with untagged SEARCH (RFC 3501);
    ``charset_given``: the client named the charset."""

    key: SearchKey
    charset: str = "US-ASCII"
    returns: SearchReturn | None = None
    charset_given: bool = False
