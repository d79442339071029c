"""Every IMAP command as a value; what the parser gives and the server runs.

Promises: immutable; mailbox names are Unicode with ``/`` between levels, as the client sent
them (INBOX in any case reads ``INBOX``); flags are ``model.flags.Flag`` and a set of keywords.
RFC: 3501 6, 9051 6, 4315, 4731, 5032, 5161, 5182, 5256, 5258, 5819, 6154, 6851, 6855, 7162,
7888, 8438, 8474, 8514, 8970, 9394.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.wire.imap.sets import SequenceSet

# ------------------------------------------------------------------ literals


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal of a command. ``data`` is ``None`` when the receiver handed it out as a stream;
    ``number`` counts the command's literals from 0 and tells streamed ones apart."""

    size: int
    data: bytes | None = None
    number: int = 0
    binary: bool = False  # literal8, RFC 3516


# ------------------------------------------------------------------ FETCH


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


class SectionKind(Enum):
    """The text after the part number in ``BODY[...]``."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


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


# ------------------------------------------------------------------ SEARCH


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
    the field is there at all (RFC 9051 6.4.4)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TextKey:
    """TEXT, or with ``body_only`` BODY; ``value`` decoded from the search's charset."""

    value: str
    body_only: bool = False


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
    """RETURN options of an extended SEARCH (RFC 4731); ``options`` out of MIN MAX ALL COUNT SAVE.

    ``RETURN ()`` reads as ALL. ``partial`` is a pair like (1, 500) or (-1, -100) (RFC 9394).
    """

    options: frozenset[str]
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH and UID SEARCH. ``returns`` ``None``: answer with untagged SEARCH (RFC 3501)."""

    key: SearchKey
    charset: str = "US-ASCII"
    returns: SearchReturn | None = None


# ------------------------------------------------------------------ messages


class StoreOp(Enum):
    """How STORE combines flags; same values as ``store.FlagsOp``."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


@dataclass(frozen=True, slots=True)
class StoreFlags:
    """STORE and UID STORE. ``\\Recent`` in the list is dropped (it cannot be set)."""

    messages: SequenceSet
    op: StoreOp
    silent: bool
    flags: Flag
    keywords: frozenset[str]
    unchanged_since: int | None = None


@dataclass(frozen=True, slots=True)
class CopyTo:
    """COPY and UID COPY; MOVE and UID MOVE (the command's name tells)."""

    messages: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class UidExpunge:
    """UID EXPUNGE (RFC 4315); plain EXPUNGE has ``NoArgs``."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of APPEND. ``internal_date``: seconds since 1970 UTC, ``None``: now.
    ``utf8``: sent as ``UTF8 (~{n})`` (RFC 6855)."""

    literal: Literal
    flags: Flag = NO_FLAGS
    keywords: frozenset[str] = frozenset()
    internal_date: float | None = None
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND; several messages are MULTIAPPEND (RFC 3502)."""

    mailbox: str
    messages: tuple[AppendMessage, ...]


# ------------------------------------------------------------------ mailboxes


@dataclass(frozen=True, slots=True)
class QResync:
    """``SELECT x (QRESYNC (...))`` (RFC 7162 3.2.5)."""

    uidvalidity: int
    modseq: int
    known_uids: SequenceSet | None = None
    match_numbers: SequenceSet | None = None
    match_uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT and EXAMINE (the command's name tells)."""

    mailbox: str
    condstore: bool = False
    qresync: QResync | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE; ``special_use`` e.g. ``("\\Sent",)`` (RFC 6154 3). A trailing ``/`` is cut off."""

    mailbox: str
    special_use: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OneMailbox:
    """DELETE, SUBSCRIBE, UNSUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST and LSUB. ``patterns`` hold ``*`` and ``%``; ``select`` out of SUBSCRIBED REMOTE
    RECURSIVEMATCH SPECIAL-USE; ``returns`` out of SUBSCRIBED CHILDREN SPECIAL-USE;
    ``status``: items of RETURN (STATUS (...)) (RFC 5819), empty if not asked.

    ``extended`` is True when the client used any RFC 5258 form.
    """

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; ``items`` upper case out of ``STATUS_ITEMS``, in the client's order."""

    mailbox: str
    items: tuple[str, ...]


STATUS_ITEMS = frozenset(
    ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "HIGHESTMODSEQ")
) | {"MAILBOXID"}


# ------------------------------------------------------------------ session


@dataclass(frozen=True, slots=True)
class NoArgs:
    """Commands without arguments: CAPABILITY NOOP LOGOUT STARTTLS CHECK CLOSE UNSELECT EXPUNGE
    IDLE NAMESPACE."""


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN; the password stays out of ``repr``."""

    user: str
    password: bytes

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE. ``initial``: the initial response still in base64, ``b"="`` for an empty one,
    ``None`` without SASL-IR (RFC 4959). It stays out of ``repr``: it holds passwords."""

    mechanism: str
    initial: bytes | None = None

    def __repr__(self) -> str:
        return f"Authenticate(mechanism={self.mechanism!r})"


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE; capability names in upper case."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Id:
    """ID; ``None`` for NIL. Keys in lower case; a NIL value reads as ``None``."""

    fields: tuple[tuple[str, str | None], ...] | None


Args = (
    NoArgs
    | Login
    | Authenticate
    | Enable
    | Id
    | Select
    | Create
    | OneMailbox
    | Rename
    | List
    | Status
    | Append
    | Search
    | Fetch
    | StoreFlags
    | CopyTo
    | UidExpunge
)


@dataclass(frozen=True, slots=True)
class Command:
    """A well-formed command. ``name`` in upper case without ``UID``, which is ``uid``."""

    tag: str
    name: str
    args: Args = NoArgs()
    uid: bool = False


class Fault(Enum):
    """Why a command could not be understood; decides the response code."""

    SYNTAX = "BAD"
    UNKNOWN_COMMAND = "unknown command"
    BAD_CHARSET = "BADCHARSET"  # tagged NO, RFC 3501 6.4.4
    UNKNOWN_CTE = "UNKNOWN-CTE"  # tagged NO, RFC 3516
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A command that is none. ``tag`` is ``""`` where not even that could be read (answer ``* BAD``);
    ``offset`` counts octets from the start of the chunk of the command at fault; ``text`` may be
    shown to the client."""

    tag: str
    fault: Fault
    text: str
    offset: int = 0
    name: str = ""
