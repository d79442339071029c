"""Where does mail rest? Maildir++ on shared storage, a journal per folder, a view per node.

Promises: see ``docs/store.md`` for the written invariants. Every verb here is blocking and
thread-safe: callers on the event loop go through ``runtime.tasks.Pool``.
Fails: ``StorageGone``, ``StorageFull``, ``OverQuota``, ``NoSuchFolder``, ``FolderExists``,
``BadFolderName``, ``NoSuchMessage`` (``model.errors``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO, Protocol

from mailnode.model.flags import ALL_FLAGS, NO_FLAGS, Flag
from mailnode.model.status import Outcome
from mailnode.store.acl import Acl, Person
from mailnode.store.lines import Block


@dataclass(frozen=True, slots=True)
class AccountRef:
    """Names one user's mail: login address, path below the mail root, limit (0 = none)."""

    user: str
    maildir: str
    quota_bytes: int = 0


def account_key(ref: AccountRef) -> str:
    """What hints are keyed by that tell of changes to the set of folders, to subscriptions and to
    annotations; no folder has such a key."""
    return f"{ref.maildir.strip('/')}\0/"


def share_key(identifier: str) -> str:
    """What hints are keyed by that tell whom an identifier stands for that more or less is shared
    with them; no folder has such a key."""
    return f"\0/{identifier}"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be stored. The bytes are exactly what is kept (CRLF line ends).

    ``chunks`` are written one after the other (trace header, then body), so that one spooled
    body can serve many recipients without being copied in memory. A ``BinaryIO`` is read from
    its start with ``pread`` and left open. ``internal_date`` is seconds since 1970, UTC.
    """

    chunks: tuple[bytes | memoryview | BinaryIO, ...]
    internal_date: float
    flags: Flag = NO_FLAGS
    keywords: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy for one recipient, into ``folder`` of ``account``."""

    account: AccountRef
    message: NewMessage
    folder: str = "INBOX"


@dataclass(slots=True)  # not frozen: that would triple the cost of making one
class MessageInfo:
    """What the view knows of a message. ``email_id``/``thread_id`` as RFC 8474; sizes in bytes."""

    uid: int
    modseq: int
    flags: Flag
    keywords: frozenset[str]
    size: int
    internal_date: float
    save_date: float
    email_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class FolderInfo:
    """A line of LIST. ``special_use`` is e.g. ``\\Sent``; ``selectable`` False: only a parent;
    ``shared``: another's or public."""

    name: str
    selectable: bool
    has_children: bool
    subscribed: bool
    special_use: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """A folder's figures, as STATUS wants them (RFC 9051 6.3.11, 7162 3.1.2, 8438, 8474, 9208)."""

    messages: int
    recent: int
    unseen: int
    deleted: int
    uidnext: int
    uidvalidity: int
    highestmodseq: int
    size: int
    mailbox_id: str
    deleted_size: int = 0


class Change(Enum):
    """What happened to a message in a folder's history."""

    FLAGS = "flags"
    EXPUNGED = "expunged"


class FlagsOp(Enum):
    """How STORE combines flags."""

    ADD = "+"
    REMOVE = "-"
    REPLACE = "="


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which flags somebody may set and remove, and whether keywords (RFC 4314 4: s, t, w)."""

    flags: Flag = ALL_FLAGS
    keywords: bool = True


EVERYTHING = Allowed()


@dataclass(frozen=True, slots=True)
class StoreResult:
    """``changed`` UIDs got a new modseq (``modseq``); ``modified`` failed UNCHANGEDSINCE; ``gone``
    no longer exist."""

    changed: tuple[int, ...]
    modified: tuple[int, ...]
    gone: tuple[int, ...]
    modseq: int


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """Bytes and messages in use, and the limit in bytes (0 = none)."""

    used_bytes: int
    messages: int
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An immutable snapshot of a folder, shared by all sessions of a worker that look at it.

    ``uids`` ascending; ``flags[i]``, ``modseqs[i]`` belong to ``uids[i]``; ``keyword_bits[i]`` is a
    bit set over ``keywords``. Sequences are compact arrays (a few bytes per message); sessions
    keep a reference, never a copy. Two pictures of the same folder are compared by ``diff``.
    """

    uidvalidity: int
    uidnext: int
    highestmodseq: int
    uids: Sequence[int]
    flags: Sequence[int]
    modseqs: Sequence[int]
    keyword_bits: Sequence[int]
    keywords: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PictureDiff:
    """What a session must hear to get from one picture to the next (UIDs, ascending)."""

    expunged: tuple[int, ...]
    added: tuple[int, ...]
    flagged: tuple[int, ...]


class Folder(Protocol):
    """An open folder, shared by the sessions of a worker. Close it once per ``open``."""

    name: str
    key: str  # what change hints are keyed by: "<maildir>\0<folder on disk>"
    mailbox_id: str
    read_only: bool
    rights: str  # what the one who opened it may do; of one's own folders, everything
    private_seen: bool  # ``\\Seen`` is this reader's own

    def refresh(self, rescan: bool = False) -> Picture:
        """Catch up on the journal and adopt new files; the same object while nothing changed.

        ``rescan`` also looks at every file name, for changes other programs made (IMAP CHECK).
        UIDs in the answer are durable (journal synced) before it returns.
        """

    def picture(self) -> Picture:
        """The last picture, without looking at the disk."""

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        """What changed from ``old`` to ``new``; cost is what changed, not what the folder holds."""

    def first_unseen(self, picture: Picture) -> int:
        """Where in the picture the first message without ``\\Seen`` stands; -1: nowhere. Of the
        last picture it costs what changed since it was asked for, not what the folder holds."""

    def acl(self) -> Acl:
        """Who else may do what with it now."""

    def claim_recent(self) -> range:
        """UIDs not yet claimed by any session anywhere; claims them (RFC 3501 2.3.2)."""

    def peek_recent(self) -> range:
        """The same without claiming (EXAMINE, STATUS)."""

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """Facts of these messages, ascending by UID; expunged ones are left out."""

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """Size and internal date of these messages (UIDs ascending), as ``infos`` has them, for
        many at once; expunged ones are left out."""

    def read(self, uid: int) -> bytes:
        """The whole message. Raises ``NoSuchMessage``."""

    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        """The first of these messages, at least one, in their order; ``None``: it is gone. It ends
        early where a brisk call would have to wait for the next one's bytes."""

    def open(self, uid: int) -> BinaryIO:
        """The message as an unbuffered file open for reading. Raises ``NoSuchMessage``."""

    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """Ready-to-send bytes kept in the view: kind ``envelope``, ``bodystructure``, ``body``,
        ``headers`` (the raw header block) or ``sortkeys`` (``wire.mime.sortkeys``). Parsed on
        first need and kept."""

    def may_contain(self, uids: Iterable[int], needle: str) -> dict[int, bool]:
        """Those whose text may contain ``needle`` (case-mapped), and whether it is indexed; the
        rest certainly does not. Only a filter: look at them."""

    def keep_texts(self, texts: Mapping[int, str]) -> None:
        """Index the searchable text (case-mapped) of these messages."""

    def lines(self, kind: str, numbers: Iterable[int]) -> dict[int, Block]:
        """Blocks of ``lines.SPAN`` UIDs, by number (UID // SPAN), of a kind of ``lines.KINDS``:
        what is kept of their messages, a line for each."""

    def keep_lines(self, kind: str, lines: Mapping[int, bytes]) -> None:
        """Add lines, by UID, to the blocks of a kind."""

    def append(self, messages: Sequence[NewMessage], spare_bytes: int = 0) -> list[int]:
        """Store all or none, durably; the new UIDs in order.

        ``spare_bytes``: room that counts as free, for the caller is about to make it.
        """

    def store_flags(
        self,
        uids: Iterable[int],
        op: FlagsOp,
        flags: Flag,
        keywords: frozenset[str],
        unchanged_since: int | None = None,
        among: Allowed = EVERYTHING,
    ) -> StoreResult:
        """Change flags, only those ``among``; one new modseq for the whole call."""

    def expunge(self, uids: Iterable[int] | None = None) -> list[int]:
        """Remove messages marked ``\\Deleted`` (all, or those among ``uids``); UIDs removed."""

    def remove(self, uids: Iterable[int]) -> list[int]:
        """Remove these messages whatever their flags, durably (POP3 QUIT, REPLACE); UIDs
        removed."""

    def copy(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """Copy all or none, durably, with dates and the flags ``kept``; pairs of old and new
        UID."""

    def move(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """Move durably; a message is never in neither folder."""

    def vanished_since(self, modseq: int, known: Iterable[int] | None = None) -> list[int] | None:
        """UIDs expunged after ``modseq``; ``None`` when history does not reach back so far."""

    def status(self) -> FolderStatus:
        """The figures of STATUS, after a refresh."""

    def close(self) -> None:
        """Give the folder back; the last close frees its memory after a while."""


class Account(Protocol):
    """One user's folders. Names are Unicode with ``/`` between levels; INBOX in any case."""

    ref: AccountRef

    def folders(self) -> list[FolderInfo]:
        """Every folder and every missing parent, sorted by name, INBOX first."""

    def create(self, name: str, use: str = "") -> str:
        """Make a folder (and its parents appear), with a special use; the mailbox id (RFC 8474)."""

    def use_for(self, name: str, use: str) -> None:
        """Give a folder a special use, or (empty) none; what other folder had that use has none
        then (RFC 6154 4)."""

    def delete(self, name: str) -> None:
        """Delete a folder and its mail; children stay (RFC 9051 6.3.5)."""

    def rename(self, old: str, new: str) -> None:
        """Rename with all children; INBOX moves its messages to ``new`` (RFC 9051 6.3.6)."""

    def subscribe(self, name: str, on: bool) -> None:
        """Add to or take from the subscriptions; the folder need not exist."""

    def subscriptions(self) -> list[str]:
        """Subscribed names, also of folders that do not exist."""

    def open(self, name: str, read_only: bool = False, reader: str = "") -> Folder:
        """Open a folder; ``reader``: the user whose own ``\\Seen`` it is to show. Raises
        ``NoSuchFolder``."""

    def status(self, name: str) -> FolderStatus:
        """Figures of a folder without opening it for a session. Raises ``NoSuchFolder``."""

    def quota(self) -> QuotaUse:
        """Use and limit."""

    def annotations(self, name: str, user: str) -> dict[str, bytes]:
        """Annotations of a folder, or of a name that is only a parent (``""``: of none), that
        ``user`` may see, by lower-case name."""

    def annotate(
        self, name: str, user: str, changes: Mapping[str, bytes | None], limit: int
    ) -> None:
        """Set or (``None``) remove annotations, all or none, durably; names begin with
        ``/private/`` or ``/shared/``. Raises ``TooManyAnnotations`` for more than ``limit``."""

    def hint_keys(self) -> list[str]:
        """What hints are keyed by that tell of changes to what ``folders`` shows."""

    def acl(self, name: str) -> Acl:
        """Who else may do what with a folder. Raises ``NoSuchFolder``."""

    def change_acl(self, name: str, change: Callable[[Acl], Acl]) -> Acl:
        """Replace the list by what ``change`` makes of it, durably; those whom it gives anything
        find this account by ``Store.sharers`` from then on."""


class Store(Protocol):
    """All mail below one root."""

    def guard(self) -> None:
        """Raise ``StorageGone`` unless the mail root is there, ours and writable."""

    def account(self, ref: AccountRef) -> Account:
        """The user's folders; made with the usual special-use folders on first need."""

    def find(self, ref: AccountRef) -> Account | None:
        """The folders of an account that is there already."""

    def sharers(self, person: Person, everywhere: bool, only: str = "") -> dict[str, str]:
        """Users (or ``only`` this one) who share something with this person, and the ``maildir``
        of each; those of other domains only when ``everywhere``."""

    def accept(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Deliver each copy; ``DONE`` only once it is durable. Never raises for one bad copy."""


@dataclass(slots=True)
class Finding:
    """One breach of an invariant found by the checker; ``repaired`` says what was done."""

    account: str
    folder: str
    invariant: str
    detail: str
    repaired: str = ""
    uids: tuple[int, ...] = field(default=())
