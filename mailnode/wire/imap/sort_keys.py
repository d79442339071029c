"""What SORT and THREAD ask for, as values.

RFC: 5256 (SORT, THREAD), 5957 (DISPLAYFROM, DISPLAYTO), 5267 (ESORT).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailnode.wire.imap.search_keys import SearchKey, SearchReturn


class SortKey(Enum):
    """What to sort by."""

    ARRIVAL = "ARRIVAL"
    CC = "CC"
    DATE = "DATE"
    DISPLAYFROM = "DISPLAYFROM"
    DISPLAYTO = "DISPLAYTO"
    FROM = "FROM"
    RELEVANCY = "RELEVANCY"
    SIZE = "SIZE"
    SUBJECT = "SUBJECT"
    TO = "TO"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One sort key, perhaps behind REVERSE."""

    key: SortKey
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """SORT and UID SORT; the first criterion counts most. ``returns`` ``None``: answer with
    untagged SORT."""

    criteria: tuple[Criterion, ...]
    key: SearchKey
    charset: str
    returns: SearchReturn | None = None


@dataclass(frozen=True, slots=True)
class CancelUpdate:
    """CANCELUPDATE (RFC 5267 4.3.5): the tags of searches that need not be kept up any more."""

    tags: tuple[str, ...]


class Threading(Enum):
    """The algorithms of THREAD."""

    ORDEREDSUBJECT = "ORDEREDSUBJECT"
    REFERENCES = "REFERENCES"
    REFS = "REFS"


@dataclass(frozen=True, slots=True)
class Thread:
    """THREAD and UID THREAD."""

    algorithm: Threading
    key: SearchKey
    charset: str
