"""One account's place on the disk: its folder, lock, counter, quota, and what it needs at first.

Promises: everything lies below the mail root, whatever the directory's ``maildir`` column or a
planted symlink says. Nothing is made on a root without its guard file. The first to come makes
the account with its special-use folders; who comes meanwhile waits.
Fails: ``BadFolderName`` (a ``maildir`` that leads out), ``NoSuchFolder``, ``StorageGone``,
``StorageFull``, ``FolderBusy``.
Locks: ``lock`` (``flock`` on ``mailnode.account``, threads and processes alike) guards the set of
folders, subscriptions and special uses; taken *before* any folder's lock. The UIDVALIDITY
counter's own flock is a leaf.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from mailnode.model.errors import BadFolderName, NoSuchFolder
from mailnode.runtime import files
from mailnode.runtime.tasks import may_wait
from mailnode.store import AccountRef, FolderInfo, QuotaUse, listing, names, subscriptions
from mailnode.store.acl import AclCache
from mailnode.store.core import CoreContext, FolderCore
from mailnode.store.journal import JOURNAL_NAME, identity_in
from mailnode.store.ledger import FolderBusy
from mailnode.store.quota import Quota
from mailnode.store.shares import Shares
from mailnode.store.shelf import Shelf
from mailnode.store.syncing import GroupSync, LazySync
from mailnode.store.transfer import Fits
from mailnode.store.use_mirror import UseMirror
from mailnode.store.view import View

ACCOUNT_NAME = b"mailnode.account"
UIDVALIDITY_NAME = b"mailnode.uidvalidity"
# Below it an account for each domain, whose folders are public.
PUBLIC_FOLDER = ".mailnode/public"
_READY = b"mailnode account 1\n"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_OPEN = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
# The lists of accounts with more folders are made anew each time.
MAX_KEPT = 200
# A directory whose names changed so lately may change once more without its time telling.
_SETTLED_NS = 2_000_000_000
# A folder that was found whole is not looked at anew for each delivery, for so long.
_WHOLE_S = 30.0
_BAD_PART = re.compile("[\x00-\x1f\x7f]")


class Listed(NamedTuple):
    """A list of folders, and what it was made from."""

    disks: dict[str, bytes]
    subscribed: list[str]
    uses: dict[bytes, str]
    infos: list[FolderInfo]


@dataclass(frozen=True, slots=True)
class Services:
    """What all accounts of a store share."""

    root: bytes
    core: CoreContext
    shelf: Shelf
    group: GroupSync
    lazy: LazySync
    view: View
    guard: Callable[[], None]
    mirror: UseMirror
    shares: Shares
    acls: AclCache = field(default_factory=AclCache)


def account_path(root: bytes, maildir: str) -> bytes:
    """Where an account lies. Raises ``BadFolderName`` for a path that would lead elsewhere."""
    parts = maildir.strip("/").split("/")
    for part in parts:
        if part in ("", ".", "..") or _BAD_PART.search(part):
            raise BadFolderName(f"maildir {maildir!r}")
    path = root + b"/" + os.fsencode("/".join(parts))
    if _has_link(root, path) and not os.path.realpath(path).startswith(
        os.path.realpath(root) + b"/"
    ):
        raise BadFolderName(f"maildir {maildir!r} leads out of the mail root")
    return path


def _has_link(root: bytes, path: bytes) -> bool:
    """True where something below ``root`` on the way to ``path`` is a symlink. Asked for each
    account that a worker meets, and ``realpath`` looks at each part of both."""
    part = root
    for name in path[len(root) + 1 :].split(b"/"):
        part += b"/" + name
        try:
            if stat.S_ISLNK(os.lstat(part).st_mode):
                return True
        except OSError:
            return False  # nothing is there, or nothing can be reached: nothing leads out
    return False


class Home:
    """See the module. Shared by all users of the account in this process."""

    def __init__(self, maildir: str, services: Services) -> None:
        self.maildir = maildir.strip("/")
        self.path = account_path(services.root, maildir)
        self.services = services
        self._quota = Quota(self.path)
        # What nobody owns has no folders but those that somebody makes.
        self.bare = self.maildir.startswith(PUBLIC_FOLDER + "/")
        self._ready = False
        self._listed: tuple[int, dict[str, bytes]] | None = None
        self.infos: Listed | None = None
        self._whole_until: dict[bytes, float] = {}  # by name on disk

    # -- the account lock and what it guards -----------------------------------------------

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Be the only one who changes the account's set of folders."""
        with self._flocked(ACCOUNT_NAME) as fd:
            yield fd

    @contextmanager
    def _flocked(self, name: bytes) -> Iterator[int]:
        may_wait()
        path = self.path + b"/" + name
        deadline = time.monotonic() + self.services.core.settings.lock_timeout_s
        with files.storage_errors(path):
            fd = os.open(path, _OPEN, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise FolderBusy(os.fsdecode(path)) from None
                    time.sleep(0.002)
            yield fd
        finally:
            os.close(fd)

    def ensure(self) -> None:
        """Make the account if this is its first day."""
        if os.path.isdir(self.path) if self._ready else self._was_made():
            return
        may_wait()
        self.services.guard()
        self._make_path()
        with self.lock() as fd:
            if os.pread(fd, 64, 0) != _READY:
                self._furnish()
                files.truncate(fd, 0, self.path)
                with files.storage_errors(self.path):
                    os.pwrite(fd, _READY, 0)
                files.fdatasync(fd, self.path)
                files.fsync_dir(self.path)
        self._ready = True

    def _was_made(self) -> bool:
        """True where some process has made the account, now or long ago; asked without the lock,
        as the word of it is written when all the rest is durable."""
        try:
            fd = os.open(self.path + b"/" + ACCOUNT_NAME, _READ)
        except OSError:
            return False  # whoever makes it meets the reason
        try:
            self._ready = os.pread(fd, 64, 0) == _READY
        except OSError:
            return False
        finally:
            os.close(fd)
        return self._ready

    def _make_path(self) -> None:
        """Each missing directory from the root down, its name durable in its parent."""
        path = self.services.root
        for part in self.path[len(path) + 1 :].split(b"/"):
            parent, path = path, path + b"/" + part
            if not os.path.isdir(path) and files.mkdir(path, exist_ok=True):
                files.fsync_dir(parent)

    def _furnish(self) -> None:
        """INBOX and the special-use folders, subscribed; what is there already stays."""
        make_parts(self.path)
        special = () if self.bare else self.services.core.settings.special_folders.values()
        for name in special:
            self.make_folder(names.folder_to_disk(names.check_new(name)))
        if not subscriptions.exist(self.path):
            subscriptions.write(self.path, [names.INBOX, *special])

    def make_folder(self, disk: bytes) -> bool:
        """The directory of a folder; False where it was there. Under the account lock."""
        path = self.folder_path(disk)
        fresh = files.mkdir(path, exist_ok=True)
        make_parts(path)
        if fresh:
            # Courier and Dovecot tell by this empty file that the directory is a sub-folder.
            with files.storage_errors(path):
                os.close(os.open(path + b"/maildirfolder", _OPEN, 0o600))
            files.fsync_dir(self.path)
        return fresh

    def next_uidvalidity(self, above: int = 0) -> int:
        """A UIDVALIDITY that no folder of this account had before, and more than ``above``."""
        with self._flocked(UIDVALIDITY_NAME) as fd:
            text = os.pread(fd, 32, 0).strip()
            last = int(text) if text.isdigit() else 0
            value = max(last + 1, above + 1, int(self.services.core.clock.now()))
            with files.storage_errors(self.path):
                os.pwrite(fd, b"%-15d\n" % value, 0)
            files.fdatasync(fd, self.path)
        return value

    # -- folders ---------------------------------------------------------------------------

    def folder_path(self, disk: bytes) -> bytes:
        """Path of a folder's directory by its name on disk."""
        return self.path + b"/" + disk if disk else self.path

    def disk_names(self) -> dict[str, bytes]:
        """Every folder on the disk but INBOX: name to name on disk; not to be changed.

        Folders come and go by names in the account's own directory, so while its time stands
        still the last answer holds. (The same object, then.)
        """
        changed, listed = listing.mtime_ns(self.path), self._listed
        if listed is not None and listed[0] == changed:
            return listed[1]
        now = time.time_ns()
        directories = listing.list_dot_directories(self.path)
        folders = listing.only_folders(self.path, directories)
        found = {names.disk_to_folder(disk): disk for disk in folders}
        answer = {name: disk for name, disk in found.items() if name}
        # One that is just being made gets its parts without the account's time telling.
        whole = len(folders) == len(directories)
        settled = whole and now - changed > _SETTLED_NS
        self._listed = (changed, answer) if settled and len(answer) <= MAX_KEPT else None
        return answer

    def disk_name(self, name: str) -> bytes:
        """A folder's name on disk. Raises ``NoSuchFolder``."""
        try:
            disk = names.folder_to_disk(name)
        except BadFolderName:
            disk = None
        if disk is not None and self._is_folder(self.folder_path(disk)):
            return disk
        # Another program may have written the same name in another form.
        other = self.disk_names().get(names.canonical(name))
        if other is None:
            raise NoSuchFolder(name)
        return other

    def _is_folder(self, path: bytes) -> bool:
        try:
            with files.storage_errors(path):
                return stat.S_ISDIR(os.lstat(path + b"/cur").st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False

    def whereabouts(self, mailbox_id: bytes) -> bytes | None:
        """What the folder with this id is called on disk now; None where there is none."""
        # Without the lock a folder that is being renamed could be passed over.
        with self.lock():
            for disk in listing.list_folders(self.path):
                path = self.folder_path(disk) + b"/" + JOURNAL_NAME
                if identity_in(path) == mailbox_id:
                    return disk
        return None

    def key(self, disk: bytes) -> str:
        """What change hints are keyed by."""
        return f"{self.maildir}\0{disk.decode('ascii', 'backslashreplace')}"

    def open_core(self, name: str) -> FolderCore:
        """The folder, shared; give it back by ``release_core``. Raises ``NoSuchFolder``."""
        return self.core_at(self.disk_name(name))

    def known_core(self, name: str) -> FolderCore | None:
        """The same with no look at the disk where the folder is at hand (it may be gone by now),
        and few where it is not. None: it has to be looked for."""
        if not self._ready and not self._was_made():
            return None
        try:
            return self.core_at(names.folder_to_disk(name), lately=True)
        except (BadFolderName, NoSuchFolder):
            return None

    def core_at(self, disk: bytes, lately: bool = False) -> FolderCore:
        """The same by the name on disk. ``lately``: that it was a whole folder some seconds ago
        will do."""
        path = self.folder_path(disk)
        return self.services.shelf.take(path, lambda: self._make_core(path, disk, lately))

    def current_core(self, disk: bytes) -> FolderCore:
        """The same in step with the disk, also where another node gave the name of a folder that
        we have at hand to another folder. Raises ``NoSuchFolder``."""
        core = self.core_at(disk)
        try:
            return self._in_step(core)
        except NoSuchFolder:
            if not core.stale:
                raise
        # The one at hand was another folder's; this one is made anew.
        return self._in_step(self.core_at(disk))

    def _in_step(self, core: FolderCore) -> FolderCore:
        try:
            with core.ledger.mutex:
                core.catch_up()
        except BaseException:
            self.release_core(core)
            raise
        return core

    def _make_core(self, path: bytes, disk: bytes, lately: bool) -> FolderCore:
        now = time.monotonic()
        if not lately or now > self._whole_until.get(disk, 0.0):
            listing.check_whole(path)
            if len(self._whole_until) >= MAX_KEPT:
                self._whole_until.clear()
            self._whole_until[disk] = now + _WHOLE_S
        return FolderCore(path, self.key(disk), self.services.core, self.next_uidvalidity)

    def release_core(self, core: FolderCore) -> None:
        """Give a folder back."""
        self.services.shelf.give_back(core)

    # -- quota -----------------------------------------------------------------------------

    def reserve(self, ref: AccountRef, size: int, spare: int = 0) -> int:
        """Keep room for ``size`` bytes; ``spare`` bytes beyond the limit are forgiven. What to
        ``release`` once they are recorded or given up. Raises ``OverQuota``, ``RoomTaken``."""
        if not ref.quota_bytes:
            return 0
        self._quota.reserve(size, ref.quota_bytes + spare)
        return size

    def release(self, size: int) -> None:
        """Let room go that ``reserve`` kept."""
        self._quota.release(size)

    def confirm(self, ref: AccountRef, size: int, core: FolderCore, spare: int = 0) -> None:
        """Raise ``RoomTaken`` if others took what ``reserve`` kept; call inside ``core``'s lock."""
        if ref.quota_bytes and size:
            self._quota.confirm(core.path, core.tail().totals, size, ref.quota_bytes + spare)

    @contextmanager
    def room(self, ref: AccountRef, size: int, spare: int = 0) -> Iterator[Fits]:
        """Store ``size`` bytes inside: see ``reserve``; the use is told of afterwards. Gives what
        is to be asked in the folder's lock: ``confirm``."""
        kept = self.reserve(ref, size, spare)
        try:
            yield lambda core: self.confirm(ref, kept, core, spare)
        finally:
            self.release(kept)
            self.tell_use(ref)

    def tell_use(self, ref: AccountRef) -> None:
        """Have those told who mirror it that another use is to be expected."""
        if not self.bare:
            self.services.mirror.changed(ref.user, self._quota)

    def use(self, ref: AccountRef) -> QuotaUse:
        """Use and limit now."""
        return self._quota.use(ref.quota_bytes)

    def drop_foreign_count(self) -> None:
        """See ``Quota``."""
        self._quota.drop_foreign_count()


def make_parts(path: bytes) -> None:
    """``cur``, ``new`` and ``tmp`` of a folder, durable; ``cur`` last, for it makes the folder."""
    made = [files.mkdir(path + b"/" + part, exist_ok=True) for part in reversed(listing.PARTS)]
    if any(made):
        files.fsync_dir(path)
