"""Delivery: many copies, each safe or refused on its own.

Steps, each over the whole batch so that copies share the waits for the disk: open the folders,
see that there is room, write ``tmp/``, sync the files, place in ``new/`` and record (one lock per
folder), sync the folders. A copy that fails in a step gets its outcome and drops out.
Promises: ``DONE`` only when file and name are durable. The record need not be: a file without one
is adopted. Cost does not depend on what the folder holds.
Fails: never raises for a copy; ``StorageGone`` for the whole batch is every copy's outcome.
Locks: one folder at a time (``ledger.hold``).
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from mailnode.model.errors import (
    MailnodeError,
    NoSuchFolder,
    OverQuota,
    StorageFull,
    TemporaryError,
)
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime import files
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.storage_alarm import StorageAlarm
from mailnode.store import Delivery, names, transfer
from mailnode.store.core import FolderCore
from mailnode.store.home import Home
from mailnode.store.journal import Added, Kind, pack_added
from mailnode.store.quota import RoomTaken
from mailnode.store.syncing import GroupSync
from mailnode.store.transfer import Staged

DONE = Outcome(Verdict.DONE, "2.0.0", "delivered")


@dataclass(slots=True)
class _Copy:
    delivery: Delivery
    outcome: Outcome | None = None
    home: Home | None = None
    core: FolderCore | None = None
    staged: Staged | None = None
    fd: int = -1  # of the staged file, until it is synced
    kept: int = 0  # bytes of room that are ours until the message is recorded
    placed: bytes = b""


def outcome_of(error: BaseException) -> Outcome:
    """What a failed copy means; what is not known is temporary."""
    cause = f"{type(error).__name__}: {error}"
    if isinstance(error, OverQuota):
        return Outcome(Verdict.NEVER, "5.2.2", error.public, cause)
    if isinstance(error, StorageFull):
        return Outcome(Verdict.LATER, "4.3.1", error.public, cause)
    if isinstance(error, RoomTaken):
        return Outcome(Verdict.LATER, "4.2.2", error.public, cause)
    public = error.public if isinstance(error, TemporaryError) else TemporaryError.public
    return Outcome(Verdict.LATER, "4.3.0", public, cause)


class Acceptance:
    """Accepts batches for a store; ``home_of`` finds accounts. Any number of threads at once."""

    def __init__(
        self, home_of: Callable[[str], Home], sync: GroupSync, log: MailLog, alarm: StorageAlarm
    ) -> None:
        self._home_of, self._sync, self._log, self._alarm = home_of, sync, log, alarm

    def accept(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per delivery, in order."""
        copies = [_Copy(delivery) for delivery in batch]
        try:
            self._each(copies, self._open)
            self._each(copies, _reserve)
            self._each(copies, self._stage)
            self._each(copies, _sync_staged)
            self._place_all(copies)
            self._settle_all(copies)
        finally:
            self._release(copies)
        return [copy.outcome or outcome_of(RuntimeError("no outcome")) for copy in copies]

    def _each(self, copies: Iterable[_Copy], step: Callable[[_Copy], None]) -> None:
        for copy in copies:
            if copy.outcome is None:
                self._attempt([copy], partial(step, copy))

    def _attempt(self, copies: list[_Copy], step: Callable[[], None]) -> None:
        try:
            step()
        except (MailnodeError, OSError) as error:
            self._fail(copies, error)
        except Exception as error:  # noqa: BLE001 - barrier: a fault of ours is temporary
            self._log.event(Event.ERROR, what="delivery", cause=traceback.format_exc())
            self._fail(copies, error)

    def _fail(self, copies: list[_Copy], error: Exception) -> None:
        self._alarm.tell(error)
        for copy in copies:
            copy.outcome = outcome_of(error)
            try:
                self._undo(copy)
            except (MailnodeError, OSError) as second:
                self._log.event(Event.ERROR, what="undoing a delivery", cause=str(second))

    def _undo(self, copy: _Copy) -> None:
        """Take back what a failed copy left. A copy already recorded stays: better twice."""
        if copy.staged is not None and not copy.placed:
            transfer.unstage([copy.staged])
        _let_room_go(copy)

    # -- the steps -------------------------------------------------------------------------

    def _open(self, copy: _Copy) -> None:
        account = copy.delivery.account
        copy.home = self._home_of(account.maildir)
        copy.core = copy.home.known_core(copy.delivery.folder)
        if copy.core is None:
            self._look_for(copy, copy.home)

    def _look_for(self, copy: _Copy, home: Home) -> None:
        home.ensure()
        try:
            copy.core = home.open_core(copy.delivery.folder)
        except NoSuchFolder:
            # The folder was deleted or never made: the message is still its owner's.
            copy.core = home.open_core(names.INBOX)

    def _stage(self, copy: _Copy) -> None:
        try:
            copy.staged, copy.fd = transfer.stage(_core(copy), copy.delivery.message)
        except NoSuchFolder:
            # It went since we had it at hand.
            home, core = _home(copy), _core(copy)
            copy.core = None
            home.release_core(core)
            self._look_for(copy, home)
            copy.staged, copy.fd = transfer.stage(_core(copy), copy.delivery.message)

    def _place_all(self, copies: list[_Copy]) -> None:
        by_folder: dict[bytes, list[_Copy]] = {}
        for copy in copies:
            if copy.outcome is None:
                by_folder.setdefault(_core(copy).path, []).append(copy)
        for path in sorted(by_folder):
            together = by_folder[path]
            self._attempt(together, partial(_place, together))
            for copy in together:
                _let_room_go(copy)

    def _settle_all(self, copies: list[_Copy]) -> None:
        by_directory: dict[bytes, list[_Copy]] = {}
        for copy in copies:
            if copy.outcome is None:
                place = b"/cur" if copy.placed.startswith(b"cur/") else b"/new"
                by_directory.setdefault(_core(copy).path + place, []).append(copy)
        for path, together in by_directory.items():
            self._attempt(together, partial(self._settle, path, together))

    def _settle(self, path: bytes, together: list[_Copy]) -> None:
        self._sync.sync_dir(path)
        # From here on the messages are ours: their bytes and their names are on the disk.
        for copy in together:
            copy.outcome = DONE

    def _release(self, copies: list[_Copy]) -> None:
        for copy in copies:
            if copy.fd >= 0:
                os.close(copy.fd)
            _let_room_go(copy)
            if copy.core is not None and copy.home is not None:
                copy.home.release_core(copy.core)
                if copy.placed:
                    copy.home.tell_use(copy.delivery.account)


def _reserve(copy: _Copy) -> None:
    size = sum(map(files.chunk_size, copy.delivery.message.chunks))
    copy.kept = _home(copy).reserve(copy.delivery.account, size)


def _let_room_go(copy: _Copy) -> None:
    kept, copy.kept = copy.kept, 0
    if kept:
        _home(copy).release(kept)


def _sync_staged(copy: _Copy) -> None:
    fd, copy.fd = copy.fd, -1
    files.sync_and_close(fd, _staged(copy).path)


def _place(together: list[_Copy]) -> None:
    """Rename into the folder and record, as its only writer."""
    core = _core(together[0])
    if any(c.delivery.message.flags or c.delivery.message.keywords for c in together):
        # Straight into cur/, which only a writer that knows the folder's state may do.
        with core.changing(), core.ledger.under_way(core.offset):
            _move_and_record(core, together)
        return
    with core.ledger.hold():
        if core.loaded is not None:
            core.catch_up()
        modseq = _move_and_record(core, together)
    core.context.on_change(core.key, modseq)


def _move_and_record(core: FolderCore, together: list[_Copy]) -> int:
    tail = core.tail()
    account, kept = together[0].delivery.account, sum(copy.kept for copy in together)
    _home(together[0]).confirm(account, kept, core)
    entries: list[Added] = []
    moved: list[tuple[_Copy, bytes]] = []
    try:
        for copy in together:
            entry = _entry(core, _staged(copy), tail.uidnext + len(entries))
            relative = _placement(core, entry)
            files.rename(_staged(copy).path, core.path + b"/" + relative)
            moved.append((copy, relative))
            entries.append(entry)
        modseq = core.commit_blind(Kind.ADD, pack_added(entries), entries[-1].uid + 1)
    except BaseException:
        for _, relative in moved:
            files.unlink(core.path + b"/" + relative, missing_ok=True)
        raise
    for copy, relative in moved:
        copy.placed = relative
    return modseq


def _entry(core: FolderCore, staged: Staged, uid: int) -> Added:
    keywords = staged.message.keywords
    return transfer.added(core, uid, staged, core.keyword_bits(keywords) if keywords else 0)


def _placement(core: FolderCore, entry: Added) -> bytes:
    if not entry.flags and not entry.keyword_bits:
        return b"new/" + entry.name
    keywords = core.state.keywords if entry.keyword_bits else ()
    letters = names.letters_for(entry.flags, entry.keyword_bits, keywords)
    return b"cur/" + entry.name + names.INFO + letters


def _home(copy: _Copy) -> Home:
    assert copy.home is not None
    return copy.home


def _core(copy: _Copy) -> FolderCore:
    assert copy.core is not None
    return copy.core


def _staged(copy: _Copy) -> Staged:
    assert copy.staged is not None
    return copy.staged
