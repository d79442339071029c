"""A folder as a session has it open: the verbs of ``store.Folder`` over a shared core.

Locks: short looks under ``core.ledger.mutex``; the rest in ``change``, ``transfer``, ``look``.
"""

from __future__ import annotations

import io
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import wraps
from typing import BinaryIO, Concatenate, ParamSpec, TypeVar

from mailnode.model.errors import NoSuchFolder, NoSuchMessage, PermanentError
from mailnode.model.flags import Flag
from mailnode.model.rights import ALL_RIGHTS
from mailnode.runtime import files
from mailnode.runtime.tasks import may_wait
from mailnode.store import (
    EVERYTHING,
    AccountRef,
    Allowed,
    FlagsOp,
    Folder,
    FolderStatus,
    MessageInfo,
    NewMessage,
    Picture,
    PictureDiff,
    StoreResult,
    change,
    listing,
    names,
    reading,
    transfer,
)
from mailnode.store.acl import NOBODY, Acl
from mailnode.store.core import FolderCore
from mailnode.store.faults import plain_errors
from mailnode.store.home import Home
from mailnode.store.journal import Kind, pack_recent
from mailnode.store.ledger import FolderBusy
from mailnode.store.look import first_unseen, look
from mailnode.store.state import count_without, message_info, size_of_deleted
from mailnode.store.viewed import ViewedFolder

# What a verb sees of a folder that another session renamed or deleted.
GONE = (NoSuchFolder, FileNotFoundError, NotADirectoryError)
_RENAMES = 8  # in a row, while one operation runs
P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound="MaildirFolder")


def folder_verb(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """A verb that raises only what ``store`` says, and goes after a folder that was renamed."""

    @wraps(method)
    def spoken(self: F, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with plain_errors(self._home.services.guard):
            for _ in range(_RENAMES):
                try:
                    return method(self, *args, **kwargs)
                except GONE:
                    met = [one for one in (self, *args) if isinstance(one, MaildirFolder)]
                    if not any(one.follow() for one in met):
                        raise
        raise FolderBusy(self.key)

    return spoken


class ReadOnlyFolder(PermanentError):
    """The folder was opened by EXAMINE."""

    public = "mailbox is open read-only"


class MaildirFolder(ViewedFolder):
    """See ``store.Folder``."""

    rights, private_seen = ALL_RIGHTS, False

    def __init__(
        self, name: str, core: FolderCore, home: Home, ref: AccountRef, read_only: bool
    ) -> None:
        self.name, self.key, self.read_only = name, core.key, read_only
        self._core, self._home, self._ref = core, home, ref
        self._open = True
        self._following = threading.Lock()  # looked for by one thread at a time; outermost
        try:
            with core.ledger.mutex:
                if core.loaded is None:
                    core.catch_up()  # else whoever opens it has done so just now
                header = core.state.header
        except BaseException:
            home.release_core(core)
            raise
        self.mailbox_id = header.mailbox_id.hex()

    def close(self) -> None:
        """See ``store.Folder``; more than once does no harm."""
        if self._open:
            self._open = False
            self._home.release_core(self._core)

    def follow(self) -> bool:
        """Go on under its new name after the folder was renamed, by whomever; False when it was
        not, or is no more. What a verb did before it noticed must not count: see ``_settle``."""
        may_wait()
        with self._following:
            disk = self._home.whereabouts(bytes.fromhex(self.mailbox_id)) if self._open else None
            if disk is None or self._home.folder_path(disk) == self._core.path:
                return False
            try:
                core = self._home.current_core(disk)
            except NoSuchFolder:
                return True  # and once more already: found at the next try
            old, self._core = self._core, core
            self.name, self.key = names.disk_to_folder(disk) or self.name, core.key
            self._home.release_core(old)
            return True

    # -- looking ---------------------------------------------------------------------------

    @folder_verb
    def refresh(self, rescan: bool = False) -> Picture:
        """See ``store.Folder``; ``rescan`` compares every file with the journal (IMAP CHECK)."""
        return look(self._core, read_only=self.read_only, full=rescan)

    def picture(self) -> Picture:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return self._core.state.picture()

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return self._core.state.diff(old, new)

    def peek_recent(self) -> range:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return range(self._core.state.recent, self._core.state.uidnext)

    def first_unseen(self, picture: Picture) -> int:
        """See ``store.Folder``."""
        return first_unseen(self._core, picture)

    @folder_verb
    def claim_recent(self) -> range:
        """See ``store.Folder``."""
        if not self.peek_recent():
            return self.peek_recent()
        with self._core.changing() as state:
            claimed = range(state.recent, state.uidnext)
            if claimed:
                self._core.commit(Kind.RECENT, pack_recent(state.uidnext), quiet=True)
            return claimed

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            state = self._core.state
            return [message_info(state, index) for index in state.indexes(uids)]

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return self._core.state.sizes_of(uids)

    def vanished_since(self, modseq: int, known: Iterable[int] | None = None) -> list[int] | None:
        """See ``store.Folder``."""
        with self._core.ledger.mutex:
            return self._core.state.vanished_since(modseq, known)

    @folder_verb
    def acl(self) -> Acl:
        """See ``store.Folder``."""
        acl = self._home.services.acls.read(self._core.path)
        if acl == NOBODY:
            listing.check_plain(self._core.path)  # none, or nothing there any more?
        return acl

    @folder_verb
    def status(self) -> FolderStatus:
        """See ``store.Folder``."""
        picture = self.refresh()
        flags = bytes(picture.flags)
        with self._core.ledger.mutex:
            state = self._core.state
            size, recent = sum(state.sizes), state.recent
            deleted_size = size_of_deleted(state.sizes, state.flags)
        return FolderStatus(
            messages=len(picture.uids),
            recent=len(picture.uids) - bisect_left(picture.uids, recent),
            unseen=count_without(flags, Flag.SEEN),
            deleted=len(flags) - count_without(flags, Flag.DELETED),
            uidnext=picture.uidnext,
            uidvalidity=picture.uidvalidity,
            highestmodseq=picture.highestmodseq,
            size=size,
            mailbox_id=self.mailbox_id,
            deleted_size=deleted_size,
        )

    # -- reading ---------------------------------------------------------------------------

    @folder_verb
    def open(self, uid: int) -> BinaryIO:
        """See ``store.Folder``. A message kept with LF line ends comes as a file in memory."""
        file, base = self._open_file(uid)
        if names.size_in(base) is not None and names.size_in(base) == names.vsize_in(base):
            return file
        with file:
            return io.BytesIO(listing.with_crlf(file.read()))

    @folder_verb
    def read(self, uid: int) -> bytes:
        """See ``store.Folder``. Line ends are CRLF, however the file has them."""
        return reading.read_whole(*self._found(uid))

    @folder_verb
    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        """See ``store.Folder``. Line ends are CRLF, however the files have them."""
        found = reading.read_expected(self._core, uids)
        return found or [reading.unless_gone(self.read, uids[0])]

    def _open_file(self, uid: int) -> tuple[io.FileIO, bytes]:
        may_wait()
        fd, base = self._found(uid)
        return io.FileIO(fd, "rb"), base

    def _found(self, uid: int) -> tuple[int, bytes]:
        opened = self._core.open_file(uid)
        if opened is None:
            self._note_missing(uid)
            raise NoSuchMessage(f"{self.key} uid {uid}")
        return opened

    def _note_missing(self, uid: int) -> None:
        """A file that another program removed: let the journal know, so that sessions hear it."""
        with self._core.ledger.mutex:
            still_known = self._core.state.index(uid) >= 0
        if still_known:
            self.refresh(rescan=True)

    @folder_verb
    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """See ``store.Folder``."""
        head = reading.Heads(self._core, uids := list(uids), self._found)
        whole = reading.Wholes(self._core, uids, self.read)
        return self._view().summaries(uids, kind, whole, head)

    # -- changing --------------------------------------------------------------------------

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
        """See ``store.Folder``."""
        self._must_write()
        wanted = (uids, op, flags, keywords, unchanged_since, among)
        result = change.store_flags(self._core, *wanted)
        if result.changed:
            self._home.services.lazy.later(self._core)
        return result

    @folder_verb
    def touch(self) -> None:
        """Reach the next modseq though no message is different (RFC 7162 3.2: annotations are)."""
        self._must_write()
        with self._core.changing():
            self._core.commit(Kind.MARK, b"")
        self._home.services.lazy.later(self._core)

    @folder_verb
    def expunge(self, uids: Iterable[int] | None = None) -> list[int]:
        """See ``store.Folder``."""
        return self._remove(uids, only_deleted=True)

    @folder_verb
    def remove(self, uids: Iterable[int]) -> list[int]:
        """See ``store.Folder``."""
        return self._remove(uids, only_deleted=False)

    def _remove(self, uids: Iterable[int] | None, *, only_deleted: bool) -> list[int]:
        self._must_write()
        lazy, removed = self._home.services.lazy, list[int]()
        for batch in change.expunge(self._core, uids, only_deleted=only_deleted):
            self._home.tell_use(self._ref)
            (self._forget_later if only_deleted else self._view().forget)(batch)
            (lazy.later if only_deleted else lazy.now)(self._core)
            removed += batch
        return removed

    def _forget_later(self, gone: list[int]) -> None:
        with self._core.ledger.mutex:
            uidvalidity = self._core.state.header.uidvalidity
        key = (self._ref.user, self.mailbox_id, uidvalidity)
        services = self._home.services
        services.lazy.forgetting.later(key, services.view.folder(*key), gone)

    @folder_verb
    def append(self, messages: Sequence[NewMessage], spare_bytes: int = 0) -> list[int]:
        """See ``store.Folder``. Raises ``OverQuota`` before anything is written."""
        self._must_write()
        size = sum(files.chunk_size(chunk) for message in messages for chunk in message.chunks)
        with self._home.room(self._ref, size, spare_bytes) as fits:
            staged = transfer.stage_all(self._core, messages)
            uids = transfer.append(self._core, staged, self._arrival()._replace(fits=fits))
            self._settle()
        return uids

    def _settle(self) -> None:
        """Make durable what was placed. It must not be placed once more when the folder is renamed
        meanwhile, so a failure here does not look like a folder that is gone."""
        for _ in range(_RENAMES):
            try:
                transfer.settle(self._core, self._home.services.group.sync_dir)
                return
            except GONE:
                if not self.follow():
                    break
        raise FolderBusy(self.key)

    @folder_verb
    def copy(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """See ``store.Folder``. Raises ``OverQuota``."""
        there, sizes = _ours(target), self._sizes(uids)
        with there._home.room(there._ref, sum(sizes.values())) as fits:
            pairs = transfer.copy(self._core, sizes, there._core, self._dress(there, kept, fits))
            if pairs:
                there._settle()
        return pairs

    @folder_verb
    def move(
        self, uids: Iterable[int], target: Folder, kept: Allowed = EVERYTHING
    ) -> list[tuple[int, int]]:
        """See ``store.Folder``. Within an account no room is needed."""
        self._must_write()
        there = _ours(target)
        wanted, foreign = list(uids), there._home.path != self._home.path
        size = sum(self._sizes(wanted).values()) if foreign else 0
        room = there._home.room(there._ref, size) if foreign else nullcontext(transfer.always)
        with room as fits:
            how = (self._home.services.group.sync_dir, self._dress(there, kept, fits))
            pairs = transfer.move(self._core, wanted, there._core, *how)
        if pairs:
            if foreign:
                self._home.tell_use(self._ref)
            self._view().forget([old for old, _ in pairs])
            self._home.services.lazy.later(self._core)
        return pairs

    def _dress(self, there: MaildirFolder, kept: Allowed, fits: transfer.Fits) -> transfer.Dress:
        mask, arrival = int(kept.flags), there._arrival()
        return arrival._replace(flags=lambda _, f: f & mask, keywords=kept.keywords, fits=fits)

    def _arrival(self) -> transfer.Dress:
        return transfer.AS_IT_IS

    def _sizes(self, uids: Iterable[int]) -> dict[int, int]:
        """Bytes on disk of those messages that are here now."""
        with self._core.ledger.mutex:
            self._core.catch_up()
            state = self._core.state
            spots = state.indexes(uids)
            return {state.uids[i]: change.disk_size(state, i, state.name(i)) for i in spots}

    def _must_write(self) -> None:
        if self.read_only:
            raise ReadOnlyFolder(self.key)


def _ours(folder: Folder) -> MaildirFolder:
    if not isinstance(folder, MaildirFolder):
        raise TypeError("the target is a folder of another store")
    folder._must_write()
    return folder
