"""The checker: are the invariants true of one folder, one account, every account?

Promises: changes nothing but a lock file's timestamps; may run on a live store: what it reports
was looked at under the folder's lock, so no writer's half-done work is taken for a fault.
Fails: ``StorageGone``, ``FolderBusy``, ``NoSuchFolder``.
Locks: one folder at a time, while its journal and names are read.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from mailnode.model.errors import NoSuchFolder
from mailnode.runtime.clock import Clock
from mailnode.runtime.files import storage_errors
from mailnode.store import Finding, invariants, listing, names
from mailnode.store.guard import read_guard
from mailnode.store.home import PUBLIC_FOLDER, account_path
from mailnode.store.invariants import Breach, JournalView
from mailnode.store.journal import JOURNAL_NAME, LOCK_NAME
from mailnode.store.ledger import Ledger


class Checker:
    """Looks at folders below ``root``; accounts are named by their path below it (``maildir``).

    ``deep`` reads every message whole, to compare sizes with CRLF line ends.
    """

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        lock_timeout_s: float = 30.0,
        deep: bool = False,
    ) -> None:
        self.root, self._clock = os.fsencode(root), clock
        self._lock_timeout_s, self._deep = lock_timeout_s, deep
        read_guard(root)

    def now(self) -> float:
        """The time that ages are told by."""
        return self._clock.now()

    def accounts(self) -> Iterator[str]:
        """Every account below the root: each topmost directory that has a ``cur``; of what begins
        with a dot only the public folders."""
        yield from _accounts_below(self.root, b"")
        public = os.fsencode(PUBLIC_FOLDER) + b"/"
        if os.path.isdir(self.root + b"/" + public):
            yield from _accounts_below(self.root + b"/" + public, public)

    def everything(self) -> Iterator[Finding]:
        """Findings of every account."""
        for maildir in self.accounts():
            yield from self.account(maildir)

    def account(self, maildir: str) -> Iterator[Finding]:
        """Findings of every folder of an account, then of the account as a whole.

        None for an account that has no directory yet: it is made with its first message or login.
        """
        path = self.path(maildir)
        if not os.path.lexists(path):
            return
        ids: defaultdict[bytes, list[str]] = defaultdict(list)
        for disk in folder_entries(path):
            name = folder_name(disk)
            if name is None:
                yield Finding(maildir, os.fsdecode(disk), "folder-name", "cannot be shown")
                name = os.fsdecode(disk)
            try:
                view, breaches = self.look(folder_path(path, disk))
            except NoSuchFolder:
                continue  # deleted or renamed since it was listed
            yield from findings(maildir, name, breaches)
            if view.header is not None:
                ids[view.header.mailbox_id].append(name)
        yield from _twin_ids(maildir, ids)

    def folder(self, maildir: str, name: str) -> list[Finding]:
        """Findings of one folder. Raises ``NoSuchFolder``."""
        disk = names.folder_to_disk(name)
        path = folder_path(self.path(maildir), disk)
        if not os.path.lexists(path):
            raise NoSuchFolder(f"{maildir} {name}")
        _, breaches = self.look(path)
        return list(findings(maildir, names.canonical(name), breaches))

    def path(self, maildir: str) -> bytes:
        """The account's directory. Raises ``BadFolderName``."""
        return account_path(self.root, maildir)

    def look(self, path: bytes) -> tuple[JournalView, list[Breach]]:
        """The journal as read, and every breach in one folder."""
        view, breaches = JournalView(), list(_check_layout(path))
        if breaches:
            return view, breaches
        found: list[listing.FoundFile] = []
        if _was_opened(path):
            view, found = self._look_locked(path, breaches)
        if view.usable and view.state is not None:
            breaches += invariants.look_at_files(path, view.state, found, deep=self._deep)
        breaches += invariants.look_at_tmp(path, self.now())
        return view, breaches

    def _look_locked(
        self, path: bytes, breaches: list[Breach]
    ) -> tuple[JournalView, list[listing.FoundFile]]:
        with ExitStack() as stack:
            ledger = Ledger(path, self._lock_timeout_s)
            stack.callback(ledger.close)
            stack.enter_context(ledger.hold())
            view = invariants.look_at_journal(path)
            found = listing.list_files(path)
            if ledger.noted_identity() is None:
                # Locked once, but killed before it ever had a journal: as good as untouched.
                view.breaches = [b for b in view.breaches if b.invariant != "journal-missing"]
            breaches += view.breaches
            if ledger.unfinished() is not None:
                # What it began explains whatever names disagree; the next writer finishes it.
                breaches.append(Breach("unfinished", "a writer died while changing file names"))
            elif view.usable:
                breaches += invariants.compare(path, view, found)
        return view, found


def findings(maildir: str, folder: str, breaches: Iterable[Breach]) -> Iterator[Finding]:
    """Breaches with the names of account and folder."""
    for invariant, detail, uids in breaches:
        yield Finding(maildir, folder, invariant, detail, uids=uids)


def folder_entries(account: bytes) -> list[bytes]:
    """Names on disk of an account's folders, INBOX (``b""``) first."""
    with storage_errors(account):
        try:
            entries = [
                entry.name
                for entry in os.scandir(account)
                if entry.name.startswith(b".") and entry.is_dir(follow_symlinks=False)
            ]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoSuchFolder(os.fsdecode(account)) from error
    return [b"", *sorted(name for name in entries if _looks_like_folder(account + b"/" + name))]


def folder_path(account: bytes, disk: bytes) -> bytes:
    """A folder's directory by its name on disk."""
    return account + b"/" + disk if disk else account


def folder_name(disk: bytes) -> str | None:
    """What a client calls it."""
    return names.disk_to_folder(disk) if disk else names.INBOX


def _looks_like_folder(path: bytes) -> bool:
    """A directory with ``cur`` (made last, so that half a folder is none) or with our journal."""
    return any(
        os.path.lexists(path + b"/" + name) for name in (listing.CUR, JOURNAL_NAME, LOCK_NAME)
    )


def _was_opened(path: bytes) -> bool:
    """False for a folder no mailnode ever looked into: it has no journal yet, and need not."""
    return any(os.path.lexists(path + b"/" + name) for name in (JOURNAL_NAME, LOCK_NAME))


def _accounts_below(path: bytes, relative: bytes) -> Iterator[str]:
    with storage_errors(path), os.scandir(path) as entries:
        found = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in found:
        below = path + b"/" + name
        if os.path.isdir(below + b"/cur"):
            yield os.fsdecode(relative + name)
        elif not name.startswith(b"."):
            yield from _accounts_below(below, relative + name + b"/")


def _check_layout(path: bytes) -> Iterator[Breach]:
    for part in listing.PARTS:
        below = path + b"/" + part
        if os.path.islink(below) or not os.path.isdir(below):
            yield Breach("layout", f"{part.decode()} is missing or no directory")


def _twin_ids(maildir: str, ids: dict[bytes, list[str]]) -> Iterator[Finding]:
    for mailbox_id, folders in ids.items():
        for name in folders[1:]:
            detail = f"the id {mailbox_id.hex()} belongs to {folders[0]} too"
            yield Finding(maildir, name, "mailbox-id", detail)
