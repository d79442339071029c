"""One folder in this process: its ledger, its state, and how the two keep in step.

Promises: ``catch_up`` costs what changed since the last look, also across a compaction; inside
``changing`` the state is exact and this thread is the folder's only writer anywhere. A journal
that is missing or damaged is rebuilt from the files, under the lock, without losing a message.
Fails: ``NoSuchFolder``, ``FolderBusy``, ``StorageGone``, ``StorageFull``.
Locks: everything here runs under ``ledger.mutex``; what writes also under ``ledger.hold``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from mailnode.model.errors import NoSuchFolder, StorageFull, StorageGone
from mailnode.runtime import files
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.runtime.tasks import may_wait
from mailnode.store import journal, listing, load, names, recover, rescan, snapshot
from mailnode.store.journal import HEADER_SIZE, Header, JournalDamaged, Kind, Record
from mailnode.store.ledger import Ledger, Tail
from mailnode.store.load import Loaded
from mailnode.store.state import MAX_KEYWORDS, FolderState
from mailnode.store.writing import Turn

# A new snapshot is due when the records behind the last one outgrow this and a quarter of it.
_COMPACT_BYTES = 256 * 1024
_BRIEF_BYTES = 64 * 1024  # so much news is taken in on the event loop
# Files under names that the journal does not expect (made by other programs), kept at hand.
_MAX_ODD_NAMES = 10_000


_KEYWORD = re.compile(r"[^\s\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class CoreContext:
    """What every folder of a store shares."""

    settings: StorageSettings
    node: str
    clock: Clock
    log: MailLog
    on_change: Callable[[str, int], None]
    # Raises when this node may write no more; asked before each change and before it is told.
    fence: Callable[[], None] = lambda: None


class FolderCore:
    """See the module. ``key`` is what change hints are keyed by; who makes one has looked whether
    the folder is whole."""

    def __init__(
        self, path: bytes, key: str, context: CoreContext, next_uidvalidity: Callable[[int], int]
    ) -> None:
        self.path, self.key, self.context = path, key, context
        self.next_uidvalidity = next_uidvalidity
        self.ledger = Ledger(path, context.settings.lock_timeout_s)
        self.loaded: FolderState | None = None
        self.offset = 0  # the journal is applied up to here
        self._base = 0  # where the snapshot ends
        self._in_step = False  # state, offset and open journal belong together
        self.unsynced_uids = False
        self.beside: set[bytes] = set()  # files that are made durable when the journal is
        self.where: dict[bytes, bytes] = {}  # base name -> path, for files in unusual places
        self.new_seen = self.cur_seen = (0, 0.0)
        self._building = False
        self._identity: bytes | None = None
        self.stale = False
        # The last change that is to be made durable later; the last one that is.
        self.changed: object = None
        self.settled: object = None

    @property
    def state(self) -> FolderState:
        """The state; ``catch_up`` must have been called once."""
        assert self.loaded is not None
        return self.loaded

    def close(self) -> None:
        """Close descriptors and forget the state."""
        with self.ledger.mutex:
            self.loaded = None
            self.ledger.close()

    # -- keeping in step -------------------------------------------------------------------

    def catch_up(self) -> None:
        """Apply what others wrote since the last look."""
        if self.stale:
            raise NoSuchFolder(f"{self.key} was deleted or renamed")
        try:
            there = self.ledger.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._load()
            return
        if self.loaded is None or self.ledger.fd < 0 or not self._in_step:
            self._load()
        elif not self.ledger.is_current(there):
            self._follow()
        elif there.st_size > self.offset:
            self._apply_to(there.st_size)
        elif there.st_size < self.offset:
            self._load()

    def _apply_to(self, size: int) -> None:
        if size - self.offset > _BRIEF_BYTES:
            may_wait()
        for span in journal.scan(self.ledger.read(self.offset, size), self.offset):
            if span.record is None:
                if span.end < size:
                    self._load()
                return
            self._take(span.record)
            self.offset = span.end

    def _take(self, record: Record) -> None:
        self.state.apply(record)
        self.unsynced_uids = self.unsynced_uids or record.kind == Kind.ADD

    def _follow(self) -> None:
        """The journal was compacted: finish the old one, then step over the new snapshot."""
        may_wait()  # before the open journal is another one than the state's
        old = self.ledger.header
        try:
            self._apply_to(os.fstat(self.ledger.fd).st_size)
            fresh = self.ledger.reopen()
        except (FileNotFoundError, JournalDamaged, StorageGone):  # ESTALE on the old one included
            self._load()
            return
        kind, length, *counters = journal.peek(self.ledger.read(HEADER_SIZE, HEADER_SIZE + 64))
        mine = [self.state.uidnext, self.state.modseq, self.state.totals]
        same = old is not None and fresh == old._replace(epoch=old.epoch + 1)
        if not same or kind != Kind.SNAPSHOT or counters != mine:
            self._load()
            return
        self.state.header = fresh
        self.offset = self._base = HEADER_SIZE + length
        self._apply_to(os.fstat(self.ledger.fd).st_size)

    def _load(self) -> None:
        """Read the whole journal, or make it anew. On failure the old state stays."""
        may_wait()
        self._in_step = False
        found = self._read_journal()
        if found is None or not found.whole:
            with self.ledger.hold():
                found = self._read_journal()  # perhaps someone rebuilt it while we waited
                if found is None or not found.whole:
                    self._rebuild(found.state if found else None)
                    return
        self.loaded, _, self._base, self.offset = found
        self.unsynced_uids = self._in_step = True

    def _read_journal(self) -> Loaded | None:
        """All that the journal at the path says; None where it says nothing."""
        try:
            header = self.ledger.reopen()
        except FileNotFoundError:
            return None
        except JournalDamaged:
            self.context.log.event(Event.ERROR, what="journal damaged", cause=self.key)
            return None
        self._recognise(header)
        raw = self.ledger.read(HEADER_SIZE, os.fstat(self.ledger.fd).st_size)
        return load.replay(header, raw, self.context.settings.expunge_history)

    def _recognise(self, header: Header) -> None:
        """A folder deleted and made anew is another folder; this core stays with the old one."""
        if self._identity not in (None, header.mailbox_id):
            self.stale, self._in_step = True, False
            raise NoSuchFolder(f"{self.key} was deleted and made anew")
        self._identity = header.mailbox_id

    # -- a journal from nothing, or from what is left of one --------------------------------

    def _rebuild(self, known: FolderState | None) -> None:
        """Make the journal anew from the files and all that is still known of them."""
        listing.check_plain(self.path)
        noted = self.ledger.noted_identity()
        if noted is not None:
            self.ledger.set_aside()
            self._warn_rebuilt()
        self._in_step = False
        foreign, before, identity = None, self.loaded, self._identity
        if known is None:
            foreign = rescan.foreign_state(self.path) if noted is None else None
            header = self._fresh_header(noted, foreign)
            self._recognise(header)
            known = FolderState(header, self.context.settings.expunge_history)
        self.loaded, self._building = known, True
        try:
            rescan.reconcile(self, foreign)
            self._write_snapshot(known.header)
            self.ledger.note_identity(known.header)
            self._in_step = True
        except BaseException:
            self.loaded, self._identity = before, identity
            raise
        finally:
            self._building = False

    def _fresh_header(
        self, noted: tuple[bytes, int] | None, foreign: rescan.Foreign | None
    ) -> Header:
        if foreign is not None and foreign.uidvalidity:
            return Header(foreign.uidvalidity, 1, foreign.mailbox_guid or os.urandom(16))
        # The UIDs that were given out are lost, so their names must never be used again.
        above = noted[1] if noted else 0
        return Header(self.next_uidvalidity(above), 1, noted[0] if noted else os.urandom(16))

    def _warn_rebuilt(self) -> None:
        self.context.log.event(
            Event.STORAGE,
            path=os.fsdecode(self.path),
            reason="journal missing or damaged, rebuilt from the files",
            remedy="run mailnode store check; look for disk errors",
        )

    def _write_snapshot(self, header: Header) -> None:
        state = self.state
        records = journal.pack_record(
            Kind.SNAPSHOT, state.uidnext, state.modseq, snapshot.pack(state), totals=state.totals
        )
        self.ledger.replace(header, records)
        state.header = header
        self.offset = self._base = self.ledger.tail().end
        self.unsynced_uids = False

    def rewrite(self, *, mailbox_id: bytes | None = None) -> None:
        """Put a new journal of the state in place, for a repair; inside ``changing``.

        A reader that sees the epoch one higher takes it for a compaction and keeps its names;
        it is two higher here, so that every reader loads everything anew.
        """
        header = self.state.header
        self._identity = mailbox_id or header.mailbox_id
        self._write_snapshot(header._replace(epoch=header.epoch + 2, mailbox_id=self._identity))
        self.ledger.note_identity(self.state.header)

    # -- writing ---------------------------------------------------------------------------

    def changing(self) -> Turn:
        """Be the only writer, with an exact state; tells of the change after letting go."""
        return Turn(self)

    def tell(self, before: int) -> None:
        """Send the change hint if the folder moved on from modseq ``before``."""
        if self.loaded is not None and before and self.loaded.modseq > before:
            self.context.on_change(self.key, self.loaded.modseq)

    def make_sound(self) -> None:
        """Before writing: no torn tail, no damage, nothing half done by someone who died."""
        try:
            self.ledger.tail()
        except JournalDamaged:
            self._rebuild(self.state)
        if self.ledger.damaged:
            self._rebuild(self.state)
        unfinished = self.ledger.unfinished()
        if unfinished is not None:
            recover.complete(self, *unfinished)

    def commit(self, kind: Kind, payload: bytes, *, uidnext: int = 0, quiet: bool = False) -> int:
        """Write one record and apply it; the folder's modseq after it.

        ``quiet`` records (keywords, recent) change nothing that a modseq counts.
        """
        state = self.state
        modseq = state.modseq + (not quiet)
        uidnext = max(uidnext, state.uidnext)
        if not self._building:
            totals = state.totals_after(kind, payload)
            self.offset = self.ledger.append(kind, payload, uidnext, modseq, totals).end
        self._take(Record(kind, uidnext, modseq, payload))
        return modseq

    def tail(self) -> Tail:
        """Where a delivery's record goes; makes the journal where there is none or no good one.

        Inside ``hold``; the state need not be loaded.
        """
        try:
            return self.ledger.tail()
        except (FileNotFoundError, JournalDamaged):
            self._load()
            return self.ledger.tail()

    def commit_blind(self, kind: Kind, payload: bytes, uidnext: int) -> int:
        """Write an ADD without needing the state; the folder's modseq after it."""
        if self.loaded is not None:
            return self.commit(kind, payload, uidnext=uidnext)
        tail = self.tail()
        totals = tail.totals.plus(journal.added_totals(payload))
        return self.ledger.append(kind, payload, uidnext, tail.modseq + 1, totals).modseq

    def keyword_bits(self, keywords: frozenset[str], *, room: int = MAX_KEYWORDS) -> int:
        """Bits for these keywords, giving new ones a bit while fewer than ``room`` have one."""
        index = {name.lower(): i for i, name in enumerate(self.state.keywords)}
        unknown = {word.lower(): word for word in sorted(keywords) if word.lower() not in index}
        fresh = [word for word in unknown.values() if _KEYWORD.fullmatch(word)]
        first = len(self.state.keywords)
        if fresh := fresh[: max(0, room - first)]:
            self.commit(Kind.KEYWORDS, journal.pack_keywords(first, fresh), quiet=True)
            self.write_keywords_file()
            index |= {word.lower(): first + i for i, word in enumerate(fresh)}
        return sum(1 << index[word] for word in {k.lower() for k in keywords} if word in index)

    def write_keywords_file(self) -> None:
        """What the letters a to z mean, as Dovecot keeps it beside the mail."""
        lines = (
            b"%d %s\n" % (i, word.encode())
            for i, word in enumerate(self.state.keywords[:26])
            if word
        )
        files.replace(self.path + b"/dovecot-keywords", b"".join(lines), sync=False)

    def sync_uids(self) -> None:
        """Before a client is shown a UID: make its record durable, once."""
        if self.unsynced_uids:
            self.ledger.sync(self.offset)
            self.unsynced_uids = False

    def compact_if_due(self) -> None:
        """Write a new snapshot when the records behind the last one have grown long."""
        if self.compaction_due():
            header = self.state.header
            try:
                self._write_snapshot(header._replace(epoch=header.epoch + 1))
            except (StorageFull, StorageGone) as error:
                # What the caller did is done and recorded; the next writer tries again.
                self.context.log.event(Event.ERROR, what="compaction", cause=str(error))

    def compaction_due(self) -> bool:
        """True when the next writer should compact."""
        return self.offset - self._base > max(_COMPACT_BYTES, self._base // 4)

    # -- files -----------------------------------------------------------------------------

    def expected(self, index: int) -> bytes:
        """Path below the folder where the message's file should be."""
        return self._place(index, self.state.name(index))

    def _place(self, index: int, base: bytes) -> bytes:
        return self.where.get(base) or b"cur/" + base + names.INFO + self.state.letters(index)

    def open_file(self, uid: int) -> tuple[int, bytes] | None:
        """A descriptor of the message's file and its base name; None when there is none.

        A file that was renamed meanwhile is looked for: by the journal's news, in ``new/``, then
        by listing the folder.
        """
        for attempt in range(4):
            with self.ledger.mutex:
                if attempt:
                    self.catch_up()
                index = self.state.index(uid)
                if index < 0:
                    return None
                base = self.state.name(index)
                if attempt >= 2:
                    self._look_everywhere(base)
                guess = self._place(index, base)
            for relative in (guess, b"new/" + base):
                fd = self._try_open(relative)
                if fd >= 0:
                    return fd, base
        return None

    def _look_everywhere(self, base: bytes) -> None:
        may_wait()
        self.where.pop(base, None)
        if len(self.where) > _MAX_ODD_NAMES:
            self.where.clear()
        for found in listing.list_files(self.path):
            if found.base == base:
                self.where[base] = found.relative

    def _try_open(self, relative: bytes) -> int:
        path = self.path + b"/" + relative
        try:
            with files.storage_errors(path):
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return -1
        except NotADirectoryError as error:
            raise NoSuchFolder(self.key) from error
