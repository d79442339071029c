"""One user's folders: listing, making, deleting, renaming, subscribing.

Promises: children stay when a parent is deleted and move when it is renamed; a folder made anew
has a greater UIDVALIDITY than before.
Fails: ``NoSuchFolder``, ``FolderExists``, ``BadFolderName``, ``StorageGone``, ``StorageFull``.
Locks: ``home.lock``, then the folder's own while it is renamed or deleted.
RFC: 9051 6.3.4 to 6.3.9, 6154 (special use), 8474 (MAILBOXID).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from mailnode.model.errors import BadFolderName, FolderExists, NoSuchFolder
from mailnode.runtime import files
from mailnode.store import (
    AccountRef,
    FolderInfo,
    FolderStatus,
    QuotaUse,
    account_key,
    acl,
    annotating,
    names,
    share_key,
    special_use,
    subscriptions,
)
from mailnode.store.acl import Acl, Person
from mailnode.store.faults import plain_errors
from mailnode.store.folder import MaildirFolder
from mailnode.store.home import MAX_KEPT, Home, Listed
from mailnode.store.journal import Header
from mailnode.store.names import INBOX
from mailnode.store.private_folder import PrivateFolder
from mailnode.store.syncing import sync_folder

_TRASH_PREFIX = b"mailnode.deleted-"
P = ParamSpec("P")
T = TypeVar("T")


def _verb(
    method: Callable[Concatenate[MaildirAccount, P], T],
) -> Callable[Concatenate[MaildirAccount, P], T]:
    """A verb that raises only what ``store`` says."""

    @wraps(method)
    def spoken(self: MaildirAccount, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with plain_errors(self._home.services.guard):
            return method(self, *args, **kwargs)

    return spoken


class MaildirAccount:
    """See ``store.Account``. Cheap to make; what it shares with others lies in ``home``."""

    def __init__(self, ref: AccountRef, home: Home) -> None:
        self.ref = ref
        self._home = home

    # -- listing ---------------------------------------------------------------------------

    @_verb
    def folders(self) -> list[FolderInfo]:
        """See ``store.Account``."""
        home, known = self._home, self._home.infos
        disks, subscribed = home.disk_names(), subscriptions.read(home.path)
        told = subscriptions.read_uses(home.path)
        if known is None or known[:3] != (disks, subscribed, told):
            infos = self._infos(disks, subscribed, told)
            known = Listed(disks, subscribed, told, infos)
            home.infos = known if len(infos) <= MAX_KEPT else None
        return list(known.infos)

    def _infos(
        self, found: dict[str, bytes], listed: list[str], told: dict[bytes, str]
    ) -> list[FolderInfo]:
        disks = {INBOX: b"", **found}
        parents = {parent for name in disks for parent in _parents(name)}
        subscribed = set(listed)
        uses = special_use.in_effect(disks, told, self._usual)
        infos = [
            FolderInfo(name, name in disks, name in parents, name in subscribed, uses.get(name, ""))
            for name in disks.keys() | parents
        ]
        return sorted(infos, key=lambda info: (info.name != INBOX, info.name))

    @property
    def _usual(self) -> dict[str, str]:
        return self._home.services.core.settings.special_folders

    @_verb
    def use_for(self, name: str, use: str) -> None:
        """See ``store.Account``. Raises ``NoSuchFolder``, ``BadFolderName``."""
        if names.canonical(name) == INBOX:
            raise BadFolderName(name, "INBOX has a use of its own")
        self._home.services.guard()
        with self._home.lock():
            disk, told = self._home.disk_name(name), subscriptions.read_uses(self._home.path)
            disks = {**self._home.disk_names(), names.canonical(name): disk}
            after = special_use.given(disks, told, self._usual, names.canonical(name), use)
            subscriptions.write_uses(self._home.path, after)
        self._tell()

    @_verb
    def subscribe(self, name: str, on: bool) -> None:
        """See ``store.Account``. Raises ``BadFolderName``."""
        names.folder_to_disk(name)
        with self._home.lock():
            subscribed = set(subscriptions.read(self._home.path))
            changed = subscribed | {names.canonical(name)} if on else subscribed - {
                names.canonical(name)
            }  # fmt: skip
            if changed != subscribed:
                subscriptions.write(self._home.path, changed)
        self._tell()

    @_verb
    def subscriptions(self) -> list[str]:
        """See ``store.Account``."""
        return subscriptions.read(self._home.path)

    # -- one folder ------------------------------------------------------------------------

    @_verb
    def open(self, name: str, read_only: bool = False, reader: str = "") -> MaildirFolder:
        """See ``store.Account``."""
        core = self._home.current_core(self._home.disk_name(name))
        known = names.canonical(name)
        if reader:
            return PrivateFolder(known, core, self._home, self.ref, read_only, reader)
        return MaildirFolder(known, core, self._home, self.ref, read_only)

    @_verb
    def status(self, name: str) -> FolderStatus:
        """See ``store.Account``."""
        folder = self.open(name, read_only=True)
        try:
            return folder.status()
        finally:
            folder.close()

    @_verb
    def quota(self) -> QuotaUse:
        """See ``store.Account``."""
        return self._home.use(self.ref)

    def hint_keys(self) -> list[str]:
        """See ``store.Account``."""
        return [account_key(self.ref)]

    def _tell(self) -> None:
        self._home.services.core.on_change(account_key(self.ref), 0)

    # -- sharing ---------------------------------------------------------------------------

    @_verb
    def acl(self, name: str) -> Acl:
        """See ``store.Account``."""
        return self._home.services.acls.read(self._home.folder_path(self._home.disk_name(name)))

    @_verb
    def change_acl(self, name: str, change: Callable[[Acl], Acl]) -> Acl:
        """See ``store.Account``."""
        self._home.services.guard()
        with self._home.lock():
            disk = self._home.disk_name(name)
            path = self._home.folder_path(disk)
            before = acl.read(path)
            after = change(before)
            if after != before:
                acl.write(path, after)
            self._note_shares()
        self._tell()
        self._home.services.core.on_change(self._home.key(disk), 0)
        return after

    def _note_shares(self) -> None:
        """Have those found us whom any of our folders gives something."""
        if self._home.bare:
            return  # public folders are looked for by all
        services, read = self._home.services, self._home.services.acls.read
        paths = map(self._home.folder_path, (b"", *self._home.disk_names().values()))
        grantees = {name for path in paths for name in read(path).grantees()}
        owner = Person(self.ref.user)
        for name in services.shares.note(owner, self._home.maildir, grantees):
            services.core.on_change(share_key(name), 0)

    @_verb
    def index_shares(self) -> None:
        """Have the index say again what the folders' lists do."""
        with self._home.lock():
            self._note_shares()

    def _inherit(self, name: str, disk: bytes) -> None:
        """RFC 4314 leaves it to us: a new folder begins with its parent's list."""
        known = self._home.disk_names()
        above = next((known[up] for up in reversed(_parents(name)) if up in known), None)
        if above is None and (self._home.bare or name.startswith(INBOX + "/")):
            above = b""
        found = acl.NOBODY if above is None else acl.read(self._home.folder_path(above))
        if found != acl.NOBODY:
            acl.write(self._home.folder_path(disk), found)

    # -- annotations -----------------------------------------------------------------------

    @_verb
    def annotations(self, name: str, user: str) -> dict[str, bytes]:
        """See ``store.Account``. Raises ``NoSuchFolder``."""
        return annotating.read(self._home, name, user)

    @_verb
    def annotate(
        self, name: str, user: str, changes: Mapping[str, bytes | None], limit: int
    ) -> None:
        """See ``store.Account``. Raises ``NoSuchFolder``."""
        self._home.services.guard()
        if annotating.change(self._home, name, user, changes, limit):
            folder = self.open(name)
            try:
                folder.touch()
            finally:
                folder.close()
        self._tell()

    # -- the set of folders ----------------------------------------------------------------

    @_verb
    def create(self, name: str, use: str = "") -> str:
        """See ``store.Account``. Raises ``FolderExists``, ``BadFolderName``."""
        name = names.check_new(name)
        self._home.services.guard()
        with self._home.lock():
            if name == INBOX or name in self._home.disk_names():
                raise FolderExists(name)
            disk = names.folder_to_disk(name)
            self._home.make_folder(disk)
            self._inherit(name, disk)
            annotating.made(self._home, name)
            if use:
                uses = subscriptions.read_uses(self._home.path)
                others = {other: its for other, its in uses.items() if its != use}
                subscriptions.write_uses(self._home.path, {**others, disk: use})
        self._tell()
        folder = self.open(name, read_only=True)
        try:
            return folder.mailbox_id
        finally:
            folder.close()

    @_verb
    def delete(self, name: str) -> None:
        """See ``store.Account``."""
        # RFC 9051 6.3.5: INBOX cannot be deleted.
        if names.canonical(name) == INBOX:
            raise BadFolderName(name, "INBOX cannot be deleted")
        with self._home.lock():
            disk = self._home.disk_name(name)
            header = self._header(disk)
            self._home.next_uidvalidity(header.uidvalidity)
            trash = self._home.path + b"/" + _TRASH_PREFIX + os.urandom(8).hex().encode()
            self._rename_folder(disk, trash)
            uses = subscriptions.read_uses(self._home.path)
            if uses.pop(disk, None) is not None:
                subscriptions.write_uses(self._home.path, uses)
            annotating.settle(self._home)
        self._tell()
        self._empty_trash()
        self._home.tell_use(self.ref)
        view = self._home.services.view
        view.folder(self.ref.user, header.mailbox_id.hex(), header.uidvalidity).forget_folder()

    def _header(self, disk: bytes) -> Header:
        core = self._home.current_core(disk)
        try:
            with core.changing() as state:
                return state.header
        finally:
            self._home.release_core(core)

    def _rename_folder(self, disk: bytes, target: bytes) -> None:
        """Rename a folder's directory while no one writes in it; who waits finds it gone."""
        core = self._home.core_at(disk)
        try:
            with core.ledger.hold():
                # Whoever syncs by path will not find it there any more.
                sync_folder(core)
                files.rename(core.path, target)
                core.stale = True
            files.fsync_dir(self._home.path)
            # Sessions that have it open look, and go on under the new name.
            self._home.services.core.on_change(core.key, 0)
        finally:
            self._home.release_core(core)

    def _empty_trash(self) -> None:
        """Remove deleted folders, also those whose deletion was cut off."""
        for entry in os.listdir(self._home.path):
            if entry.startswith(_TRASH_PREFIX):
                path = self._home.path + b"/" + entry
                _remove_tree(path)

    @_verb
    def rename(self, old: str, new: str) -> None:
        """See ``store.Account``."""
        new = names.check_new(new)
        if names.canonical(old) == INBOX:
            self._rename_inbox(new)
            return
        with self._home.lock():
            disks = self._home.disk_names()
            moves = _moves(disks, names.canonical(old), new)
            done: list[tuple[bytes, bytes]] = []
            try:
                for source, target in moves:
                    self._rename_folder(source, self._home.folder_path(target))
                    done.append((target, source))
            except BaseException:
                for source, target in reversed(done):
                    self._rename_folder(source, self._home.folder_path(target))
                raise
            self._rename_uses(dict(moves))
            annotating.settle(self._home, names.canonical(old), new)
        self._tell()

    def _rename_uses(self, moves: dict[bytes, bytes]) -> None:
        uses = subscriptions.read_uses(self._home.path)
        if moves.keys() & uses.keys():
            renamed = {moves.get(disk, disk): use for disk, use in uses.items()}
            subscriptions.write_uses(self._home.path, renamed)

    def _rename_inbox(self, new: str) -> None:
        # RFC 9051 6.3.6: INBOX stays, empty; its messages move, its children do not.
        self.create(new)
        # RFC 5464 4.1: annotations are copied, and stay with INBOX.
        annotating.copy(self._home, INBOX, new)
        inbox, target = self.open(INBOX), self.open(new)
        try:
            inbox.move(inbox.refresh().uids, target)
        finally:
            inbox.close()
            target.close()


def _moves(disks: dict[str, bytes], old: str, new: str) -> list[tuple[bytes, bytes]]:
    """Disk names to rename, parents first. Raises where source or target is wrong."""
    if new in (INBOX, old) or new.startswith(old + "/"):
        raise FolderExists(new) if new in (INBOX, old) else BadFolderName(new)
    source = {n: d for n, d in disks.items() if n == old or n.startswith(old + "/")}
    if not source:
        raise NoSuchFolder(old)
    targets = {name: new + name[len(old) :] for name in source}
    if taken := disks.keys() & targets.values():
        raise FolderExists(min(taken))
    return [(source[name], names.folder_to_disk(targets[name])) for name in sorted(source)]


def _parents(name: str) -> list[str]:
    levels = name.split("/")
    return ["/".join(levels[:count]) for count in range(1, len(levels))]


def _remove_tree(path: bytes) -> None:
    """Remove a deleted folder; symlinks are removed, never followed."""
    try:
        _remove_entries(path)
        files.rmdir(path)
    except (FileNotFoundError, NotADirectoryError):
        pass  # another process empties the same trash


def _remove_entries(path: bytes) -> None:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove_entries(entry.path)
                files.rmdir(entry.path)
            else:
                files.unlink(entry.path, missing_ok=True)
