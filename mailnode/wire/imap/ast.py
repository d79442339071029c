"""Every IMAP command as a value; what the parser gives and the server runs.

Promises: immutable; mailbox names are Unicode with ``/`` between levels, as the client sent
them (INBOX in any case reads ``INBOX``); flags are ``model.flags.Flag`` and a set of keywords.
RFC: 3501 6, 9051 6, 4315, 4731, 5032, 5161, 5182, 5256, 5258, 5819, 6154, 6851, 6855, 7162,
7888, 8438, 8474, 8514, 8970, 9394.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.wire.imap.account_args import AccountArgs as AccountArgs
from mailnode.wire.imap.fetch_items import Binary as Binary
from mailnode.wire.imap.fetch_items import Fact as Fact
from mailnode.wire.imap.fetch_items import Fetch as Fetch
from mailnode.wire.imap.fetch_items import FetchItem as FetchItem
from mailnode.wire.imap.fetch_items import Preview as Preview
from mailnode.wire.imap.fetch_items import Section as Section
from mailnode.wire.imap.fetch_items import SectionKind as SectionKind
from mailnode.wire.imap.multi_search import MultiSearch as MultiSearch
from mailnode.wire.imap.multi_search import Source as Source
from mailnode.wire.imap.search_keys import AgeKey as AgeKey
from mailnode.wire.imap.search_keys import AllKey as AllKey
from mailnode.wire.imap.search_keys import AndKey as AndKey
from mailnode.wire.imap.search_keys import DateField as DateField
from mailnode.wire.imap.search_keys import DateKey as DateKey
from mailnode.wire.imap.search_keys import DateOp as DateOp
from mailnode.wire.imap.search_keys import FlagKey as FlagKey
from mailnode.wire.imap.search_keys import HeaderKey as HeaderKey
from mailnode.wire.imap.search_keys import KeywordKey as KeywordKey
from mailnode.wire.imap.search_keys import ModSeqKey as ModSeqKey
from mailnode.wire.imap.search_keys import NotKey as NotKey
from mailnode.wire.imap.search_keys import ObjectIdKey as ObjectIdKey
from mailnode.wire.imap.search_keys import OrKey as OrKey
from mailnode.wire.imap.search_keys import Recency as Recency
from mailnode.wire.imap.search_keys import RecentKey as RecentKey
from mailnode.wire.imap.search_keys import SaveDateKey as SaveDateKey
from mailnode.wire.imap.search_keys import Search as Search
from mailnode.wire.imap.search_keys import SearchKey as SearchKey
from mailnode.wire.imap.search_keys import SearchReturn as SearchReturn
from mailnode.wire.imap.search_keys import SeqKey as SeqKey
from mailnode.wire.imap.search_keys import SizeKey as SizeKey
from mailnode.wire.imap.search_keys import TextKey as TextKey
from mailnode.wire.imap.search_keys import UidKey as UidKey
from mailnode.wire.imap.sets import SequenceSet
from mailnode.wire.imap.sort_keys import CancelUpdate as CancelUpdate
from mailnode.wire.imap.sort_keys import Criterion as Criterion
from mailnode.wire.imap.sort_keys import Sort as Sort
from mailnode.wire.imap.sort_keys import SortKey as SortKey
from mailnode.wire.imap.sort_keys import Thread as Thread
from mailnode.wire.imap.sort_keys import Threading as Threading
from mailnode.wire.imap.uid_batches import UidBatches as UidBatches

# ------------------------------------------------------------------ literals


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal of a command. ``data`` is ``None`` when the receiver handed it out as a stream;
    ``number`` counts the command's literals from 0 and tells streamed ones apart."""

    size: int
    data: bytes | None = None
    number: int = 0
    binary: bool = False  # literal8, RFC 3516


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
    ``utf8``: sent as ``UTF8 (~{n})`` (RFC 6855). ``parts``: sent as ``CATENATE`` (RFC 4469), to be
    put together from literals and URLs; then ``literal`` is empty."""

    literal: Literal
    flags: Flag = NO_FLAGS
    keywords: frozenset[str] = frozenset()
    internal_date: float | None = None
    utf8: bool = False
    parts: tuple[Literal | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND; several messages are MULTIAPPEND (RFC 3502)."""

    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE and UID REPLACE (RFC 8508): the one message ``old`` gives way to ``new``."""

    old: SequenceSet
    mailbox: str
    new: AppendMessage


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
    """SELECT and EXAMINE (the command's name tells). ``asked``: the name as the client spelt it,
    where that is another (RFC 9051 6.3.2)."""

    mailbox: str
    condstore: bool = False
    qresync: QResync | None = None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE; ``special_use`` e.g. ``("\\Sent",)`` (RFC 6154 3). A trailing ``/`` is cut off;
    ``asked``: the name as the client spelt it, where that is another; ``misspelt``: in no way that
    a new name may be spelt in (RFC 3501 5.1, 5.1.3)."""

    mailbox: str
    special_use: tuple[str, ...] = ()
    asked: str = ""
    misspelt: bool = False


@dataclass(frozen=True, slots=True)
class OneMailbox:
    """DELETE, SUBSCRIBE, UNSUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME; ``misspelt``: the new name, see ``Create``."""

    old: str
    new: str
    misspelt: bool = False


@dataclass(frozen=True, slots=True)
class List:
    """LIST and LSUB. ``patterns`` hold ``*`` and ``%``; ``select`` out of SUBSCRIBED REMOTE
    RECURSIVEMATCH SPECIAL-USE; ``returns`` out of SUBSCRIBED CHILDREN SPECIAL-USE;
    ``status``: items of RETURN (STATUS (...)) (RFC 5819), empty if not asked; ``metadata``
    likewise the entries of RETURN (METADATA (...)) (RFC 9590).

    ``extended`` is True when the client used any RFC 5258 form.
    """

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False
    metadata: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS; ``items`` upper case out of ``STATUS_ITEMS``, in the client's order."""

    mailbox: str
    items: tuple[str, ...]


STATUS_ITEMS = frozenset(
    ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "HIGHESTMODSEQ")
) | {"MAILBOXID", "DELETED-STORAGE", "APPENDLIMIT"}


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
class Compress:
    """COMPRESS (RFC 4978); the mechanism in upper case."""

    mechanism: str


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
    | Compress
    | Enable
    | Id
    | Select
    | Create
    | OneMailbox
    | Rename
    | List
    | Status
    | Append
    | Replace
    | Search
    | Sort
    | Thread
    | CancelUpdate
    | MultiSearch
    | Fetch
    | StoreFlags
    | CopyTo
    | UidExpunge
    | AccountArgs
    | UidBatches
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
    BAD_CHARSET_SAVING = "BADCHARSET, SAVE"  # the same; RFC 5182 2.1: "$" is empty from now on
    UNKNOWN_CTE = "UNKNOWN-CTE"  # tagged NO, RFC 3516
    TOO_LONG = "too long"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A command that is none. ``tag`` is ``""`` where not even that could be read: ``* BAD``.

    ``offset`` counts octets from the start of the chunk at fault (chunks are cut at literals);
    ``text`` may be shown to the client.
    """

    tag: str
    fault: Fault
    text: str
    offset: int = 0
    name: str = ""
