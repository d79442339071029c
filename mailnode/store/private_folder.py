"""A folder that is another's or public, as one reader has it open: ``\\Seen`` is the reader's own.

The reader's ``\\Seen`` lies in a file beside the journal (``seen_file``). Each change of it takes
the folder's next modseq, by a record of the journal that changes nothing else. So there is one
row of modseqs for all: what a reader is told ascends strictly, a hint or a look at the journal
tells that there is something new, and expunges are told from the same history. Others see the
folder's HIGHESTMODSEQ move and nothing that moved it. The message's own ``\\Seen`` is its owner's.
Promises: pictures of one reader are shared by all sessions in this process; a change costs what
changed, not what the folder holds.
Locks: as ``folder``; the file is written under the folder's lock, the record before the journal's
and its seal after it (``seen_file``). A look that meets a record without a seal waits for the lock.
RFC: 4314 4 (right ``s``), 7162 3.1.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from weakref import WeakKeyDictionary, WeakValueDictionary

from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import (
    EVERYTHING,
    AccountRef,
    Allowed,
    FlagsOp,
    MessageInfo,
    Picture,
    PictureDiff,
    StoreResult,
    change,
    transfer,
)
from mailnode.store.core import FolderCore
from mailnode.store.folder import MaildirFolder, folder_verb
from mailnode.store.home import Home
from mailnode.store.journal import Kind
from mailnode.store.seen_file import Record, SeenFile, spans_of

_SEEN = int(Flag.SEEN)
_UNSEEN = bytes(bits & ~_SEEN for bits in range(256))


class Reader:
    """One reader of one folder; every call under the core's mutex."""

    def __init__(self, core: FolderCore, user: str) -> None:
        self.core = core
        self.file = SeenFile(core.path, user)
        self._common: Picture | None = None  # what ``_own`` was made from
        self._own: Picture | None = None
        self._said = set[int]()  # UIDs that ``_own`` may show wrongly by now; with 0: all
        self._dead: tuple[int, int] | None = None  # the file's tail, if nobody is writing it

    def catch_up(self) -> None:
        """Read what this reader's sessions said, here and elsewhere."""
        self._look()
        if self.file.tail not in (None, self._dead):
            # The journal may have its modseq already: who shows that must know what it says.
            with self.core.ledger.hold():
                self._look()
                self._dead = self.file.tail

    def _look(self) -> None:
        state = self.core.state
        self._said |= self.file.catch_up(state.header.uidvalidity, state.modseq)

    def picture(self) -> Picture:
        """The folder's picture with this reader's ``\\Seen``; the same while nothing changed."""
        common = self.core.state.picture()
        if self._own is None or common is not self._common:
            # Nothing is said without a modseq of the journal, so this finds all there is.
            self.catch_up()
            self._own, self._common = self._painted(common), common
            self._said = set()
        return self._own

    def _painted(self, new: Picture) -> Picture:
        old, own, said = self._common, self._own, self._said
        count = len(old.uids) if old is not None else 0
        if old is None or own is None or 0 in said or new.uids[:count] != old.uids:
            return self._anew(new)
        flags, modseqs = array("B", own.flags), array("Q", own.modseqs)
        flags.frombytes(bytes(new.flags[count:]).translate(_UNSEEN))
        modseqs.extend(new.modseqs[count:])
        for uid in said.union(self.core.state.diff(old, new).flagged):
            self._repaint(new, uid, flags, modseqs)
        return replace(new, flags=flags, modseqs=modseqs)

    def _anew(self, new: Picture) -> Picture:
        flags = array("B", bytes(new.flags).translate(_UNSEEN))
        modseqs = array("Q", new.modseqs)
        for uid, modseq, seen in self.file.marks:
            at = bisect_left(new.uids, uid)
            if at < len(new.uids) and new.uids[at] == uid:
                flags[at] |= _SEEN * seen
                modseqs[at] = max(modseqs[at], modseq)
        return replace(new, flags=flags, modseqs=modseqs)

    def _repaint(self, new: Picture, uid: int, flags: array[int], modseqs: array[int]) -> None:
        at = bisect_left(new.uids, uid)
        if at < len(new.uids) and new.uids[at] == uid:
            modseq, seen = self.file.marks.get(uid)
            flags[at] = new.flags[at] & ~_SEEN | _SEEN * seen
            modseqs[at] = max(new.modseqs[at], modseq)

    def shown(self, uid: int, flags: int) -> int:
        """A message's flags with this reader's ``\\Seen``."""
        return flags & ~_SEEN | _SEEN * self.file.marks.get(uid)[1]

    def differing(self, uids: Iterable[int], seen: bool) -> list[int]:
        """Those that are not yet so."""
        return [uid for uid in uids if self.file.marks.get(uid)[1] != seen]

    @contextmanager
    def noting(self, uids: list[int], seen: bool = True) -> Iterator[None]:
        """These became seen with the journal's next modseq, which the block takes. Inside
        ``changing``; what fails in the block says nothing, now or later."""
        if not uids:
            yield
            return
        self.catch_up()
        state = self.core.state
        record = Record(state.modseq + 1, seen, tuple(spans_of(uids)))
        with self.file.writing(record, state.header.uidvalidity, state.uids, state.modseq):
            yield
        self.core.beside.add(self.file.path)


_lock = threading.Lock()
_readers: WeakKeyDictionary[FolderCore, WeakValueDictionary[str, Reader]] = WeakKeyDictionary()


def reader_of(core: FolderCore, user: str) -> Reader:
    """The one that all sessions of a user in this process share."""
    with _lock:
        known = _readers.setdefault(core, WeakValueDictionary())
        found = known.get(user)
        if found is None:
            found = known[user] = Reader(core, user)
        return found


class PrivateFolder(MaildirFolder):
    """See ``store.Folder``, opened with a ``reader``."""

    private_seen = True

    def __init__(
        self, name: str, core: FolderCore, home: Home, ref: AccountRef, read_only: bool, user: str
    ) -> None:
        super().__init__(name, core, home, ref, read_only)
        self._user = user
        self._kept = reader_of(core, user)

    @property
    def _reader(self) -> Reader:
        """Of the folder's place now: it may have been renamed."""
        if self._kept.core is not self._core:
            self._kept = reader_of(self._core, self._user)
        return self._kept

    @folder_verb
    def refresh(self, rescan: bool = False) -> Picture:
        """See ``store.Folder``."""
        super().refresh(rescan)
        return self.picture()

    @folder_verb
    def picture(self) -> Picture:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return self._reader.picture()

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            found = self._core.state.diff(old, new)
            said = self._reader.file.marks.since(old.highestmodseq)
        known = set(found.added).union(found.expunged)
        mine = {uid for uid in said if uid < old.uidnext and uid not in known}
        mine &= _members(new, mine)
        return replace(found, flagged=tuple(sorted(mine.union(found.flagged))))

    @folder_verb
    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """See ``store.Folder``."""
        infos = super().infos(uids)
        with self._core.ledger.mutex:
            self._reader.picture()
            return [self._as_read(info) for info in infos]

    def _as_read(self, info: MessageInfo) -> MessageInfo:
        modseq, _ = self._reader.file.marks.get(info.uid)
        flags = Flag(self._reader.shown(info.uid, int(info.flags)))
        return replace(info, flags=flags, modseq=max(info.modseq, modseq))

    @folder_verb
    def store_flags(
        self,
        uids: Iterable[int],
        op: FlagsOp,
        flags: Flag,
        keywords: frozenset[str],
        unchanged_since: int | None = None,
        among: Allowed = EVERYTHING,
    ) -> StoreResult:
        """See ``store.Folder``: one modseq for the reader's own flag and the common ones."""
        self._must_write()
        core, common = self._core, replace(among, flags=among.flags & ~Flag.SEEN)
        touched = Flag.SEEN in among.flags and (op is FlagsOp.REPLACE or Flag.SEEN in flags)
        on = op is not FlagsOp.REMOVE and Flag.SEEN in flags
        with core.changing() as state:
            self._reader.catch_up()
            if among.keywords:
                change.bits_of(core, op, keywords)  # it may be refused: before anything is noted
            todo, modified, gone = self._sorted(set(uids), unchanged_since)
            mine = self._reader.differing(todo, on) if touched else []
            with self._reader.noting(mine, on):
                done = change.store_flags(core, todo, op, flags, keywords, None, common)
                if mine and not done.changed:
                    core.commit(Kind.MARK, b"")
            changed = tuple(sorted({*mine, *done.changed}))
            result = StoreResult(changed, modified, gone, state.modseq)
        if changed:
            self._home.services.lazy.later(core)
        return result

    def _sorted(
        self, uids: set[int], unchanged_since: int | None
    ) -> tuple[list[int], tuple[int, ...], tuple[int, ...]]:
        """Those to be changed, those changed meanwhile (RFC 7162 3.1.3), and those gone."""
        todo, modified, gone = list[int](), list[int](), list[int]()
        state, marks = self._core.state, self._reader.file.marks
        for uid in sorted(uids):
            at = state.index(uid)
            if at < 0:
                gone.append(uid)
            elif unchanged_since is not None and (
                max(state.modseqs[at], marks.get(uid)[0]) > unchanged_since
            ):
                modified.append(uid)
            else:
                todo.append(uid)
        return todo, tuple(modified), tuple(gone)

    # -- messages that come and go -----------------------------------------------------------

    def _dress(self, there: MaildirFolder, kept: Allowed, fits: transfer.Fits) -> transfer.Dress:
        with self._core.ledger.mutex:
            self._reader.picture()
        mask, shown = int(kept.flags), self._reader.shown
        return there._arrival()._replace(
            flags=lambda uid, flags: shown(uid, flags) & mask, keywords=kept.keywords, fits=fits
        )

    def _arrival(self) -> transfer.Dress:
        return transfer.Dress(seen=self._note_durably)

    def _note_durably(self, uids: list[int]) -> None:
        """The messages come first, durably: what is noted must never name a UID that the journal
        loses again and gives to another message."""
        core, path = self._core, self._reader.file.path
        core.sync_uids()
        with self._reader.noting(uids):
            core.commit(Kind.MARK, b"")
        files.fsync(path)
        core.beside.discard(path)
        core.unsynced_uids = True  # the MARK, too, before OK is said


def _members(picture: Picture, uids: set[int]) -> set[int]:
    found = set()
    for uid in uids:
        at = bisect_left(picture.uids, uid)
        if at < len(picture.uids) and picture.uids[at] == uid:
            found.add(uid)
    return found
