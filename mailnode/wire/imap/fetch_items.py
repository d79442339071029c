"""What FETCH asks for, as values.

RFC: 3501/9051 6.4.5, 3516 (BINARY), 7162 (MODSEQ), 8474 (ids), 8514 (SAVEDATE), 8970 (PREVIEW),
9394 (PARTIAL).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailnode.wire.imap.sets import SequenceSet


class Fact(Enum):
    """FETCH items without arguments."""

    FLAGS = "FLAGS"
    UID = "UID"
    INTERNALDATE = "INTERNALDATE"
    SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"  # BODYSTRUCTURE without extension data
    BODYSTRUCTURE = "BODYSTRUCTURE"
    MODSEQ = "MODSEQ"
    SAVEDATE = "SAVEDATE"
    EMAILID = "EMAILID"
    THREADID = "THREADID"

    # There is one of each; the inherited one is made in Python at each look into a set.
    __hash__ = object.__hash__


class SectionKind(Enum):
    """The text after the part number in ``BODY[...]``."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"

    __hash__ = object.__hash__  # see ``Fact``


@dataclass(frozen=True, slots=True)
class Section:
    """``BODY[section]<offset.count>``. ``fields`` as the client wrote them, to be echoed.

    ``legacy`` is ``RFC822``, ``RFC822.HEADER`` or ``RFC822.TEXT`` when the client used that name
    (then the answer bears it), else empty. ``partial`` is (offset, count), count above 0.
    """

    part: tuple[int, ...] = ()
    kind: SectionKind = SectionKind.ALL
    fields: tuple[bytes, ...] = ()
    peek: bool = False
    partial: tuple[int, int] | None = None
    legacy: str = ""


@dataclass(frozen=True, slots=True)
class Binary:
    """``BINARY[part]``, ``BINARY.PEEK[part]`` or (``size_only``) ``BINARY.SIZE[part]``."""

    part: tuple[int, ...] = ()
    peek: bool = False
    partial: tuple[int, int] | None = None
    size_only: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """``PREVIEW`` or ``PREVIEW (LAZY)``."""

    lazy: bool = False


FetchItem = Fact | Section | Binary | Preview


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH and UID FETCH; macros are expanded, duplicates dropped. UID FETCH implies
    ``Fact.UID``, which is then added if absent; CHANGEDSINCE likewise adds ``Fact.MODSEQ``."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    vanished: bool = False
    partial: tuple[int, int] | None = None  # RFC 9394
