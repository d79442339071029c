"""How much an account holds, and whether there is room for more.

Each folder's journal ends with a record that tells how many messages the folder holds and what
they count; an account's use is the sum over its folders. No other count is kept, so none can go
wrong: after a crash of any process on any node the use is what the journals say. What was read is
kept for each folder by its journal's inode, size and modification time: a look costs one listing
of the account and one ``stat`` a folder, and only what changed is read again.
Promises: a message for which there is no room in what the journals tell is refused for good; one
that only finds no room beside messages under way in this process, for now. Other processes'
messages count from when they are recorded; who has reserved before asks once more (``confirm``)
under the folder's lock, so that only what several processes record at the same moment in different
folders of an account can bring it over its limit.
Fails: ``OverQuota``, ``RoomTaken``, ``StorageGone``.
Locks: one mutex, for what this process has under way and what it read last. A leaf.
"""

from __future__ import annotations

import os
import threading
import time
from typing import NamedTuple

from mailnode.model.errors import NoSuchFolder, OverQuota, TemporaryError
from mailnode.runtime import files
from mailnode.store import QuotaUse, journal, listing, names
from mailnode.store.journal import HEADER_SIZE, JOURNAL_NAME, JournalDamaged, Totals

# What Courier and Dovecot keep their count in, and mailnode did until its journals told it.
FOREIGN_COUNT = b"maildirsize"
_JOURNAL = b"/" + JOURNAL_NAME
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
# A directory whose names changed so lately may change once more without its time telling.
_SETTLED_NS = 2_000_000_000


class RoomTaken(TemporaryError):
    """The room that is left is spoken for by messages which are being stored right now."""

    public = "mailbox is nearly full and busy, try again later"


# A journal's inode, size and modification time; differs whenever the folder may hold something
# else than when it was looked at. None: not to be remembered.
_Mark = tuple[int, int, int]


class _Seen(NamedTuple):
    mark: _Mark | None
    totals: Totals


class Quota:
    """Use of and room in the account whose folder is ``account``."""

    def __init__(self, account: bytes) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._seen: dict[bytes, _Seen] = {}
        self._reserved = 0

    def use(self, limit: int) -> QuotaUse:
        """What is in use now; ``limit`` in bytes goes into the answer."""
        with self._lock:
            totals = self._add_up()
        return QuotaUse(totals.size, totals.messages, limit)

    def reserve(self, size: int, limit: int) -> None:
        """Keep ``size`` bytes of room until ``release``, which is due once the message is recorded
        or given up. Raises ``OverQuota``, ``RoomTaken``, keeping nothing."""
        with self._lock:
            used = self._add_up().size
            if used + size > limit:
                raise OverQuota(f"{size} bytes more than {limit}, {used} in use")
            if used + self._reserved + size > limit:
                raise RoomTaken(f"{size} bytes beside {self._reserved} under way")
            self._reserved += size

    def confirm(self, path: bytes, totals: Totals, size: int, limit: int) -> None:
        """The folder at ``path`` holds ``totals`` by now, and nobody else can add to it: are the
        ``size`` bytes that were reserved still free? Raises ``RoomTaken``; asked again there may be
        none. Looks at no disk: other folders count as when room was last reserved."""
        disk = path[len(self._account) + 1 :]
        with self._lock:
            others = sum(seen.totals.size for one, seen in self._seen.items() if one != disk)
        if others + totals.size + size > limit:
            raise RoomTaken(f"{size} bytes beside what other processes stored meanwhile")

    def release(self, size: int) -> None:
        """Let go what ``reserve`` kept."""
        with self._lock:
            self._reserved -= size

    def drop_foreign_count(self) -> None:
        """Remove another program's count, which does not know of our changes: whoever needs it,
        Dovecot and Courier as well as an older mailnode, counts the files anew."""
        files.unlink(self._account + b"/" + FOREIGN_COUNT, missing_ok=True)

    def _add_up(self) -> Totals:
        seen: dict[bytes, _Seen] = {}
        messages = size = 0
        for disk, mark in _marks(self._account):
            known = self._seen.get(disk)
            if known is None or known.mark != mark:
                path = _folder(self._account, disk)
                # Where there was no journal, the mark is that of the files, and older than what is
                # found now: a later file shows.
                by_files = mark is not None and not mark[0]
                known = _Seen(mark, count_folder(path)) if by_files else _look(path)
            if known.mark is not None:
                seen[disk] = known
            messages, size = messages + known.totals.messages, size + known.totals.size
        self._seen = seen
        return Totals(messages, size)


def _folder(account: bytes, disk: bytes) -> bytes:
    return account + b"/" + disk if disk else account


def _marks(account: bytes) -> list[tuple[bytes, _Mark | None]]:
    """Every folder's name on disk, INBOX first, and its mark: of the journal, else of the
    directories of messages."""
    found: list[tuple[bytes, _Mark | None]] = []
    disks = [b"", *listing.list_dot_directories(account)]
    with files.storage_errors(account):
        for disk in disks:  # for each message: as little as can be
            path = _folder(account, disk)
            try:
                facts = os.stat(path + _JOURNAL, follow_symlinks=False)
                found.append((disk, (facts.st_ino, facts.st_size, facts.st_mtime_ns)))
            except (FileNotFoundError, NotADirectoryError):
                found.append((disk, _mark_of_files(path)))
    return found


def _mark_of_files(path: bytes) -> _Mark | None:
    try:
        new, cur = (listing.mtime_ns(path + b"/" + place) for place in (listing.NEW, listing.CUR))
    except NoSuchFolder:
        return None
    return None if time.time_ns() - max(new, cur) < _SETTLED_NS else (0, new, cur)


def _look(path: bytes) -> _Seen:
    """What a folder holds, by its journal, else by its files."""
    try:
        return _look_at_journal(path + _JOURNAL)
    except (FileNotFoundError, NotADirectoryError):
        mark = _mark_of_files(path)  # before the files, so that a later one shows
        return _Seen(mark, count_folder(path))
    except (JournalDamaged, journal.OtherFormat):
        return _Seen(None, count_folder(path))


def _look_at_journal(path: bytes) -> _Seen:
    with files.storage_errors(path):
        fd = os.open(path, _OPEN)
        try:
            facts = os.fstat(fd)
            journal.unpack_header(os.pread(fd, HEADER_SIZE, 0))
            last = journal.last_record(fd, facts.st_size)
            if last is not None:
                mark = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                return _Seen(mark, last.totals)
            # Torn, or being written at this moment; not to be remembered, for the next writer
            # cuts it and may write as many bytes.
            spans = journal.scan(journal.read_range(fd, HEADER_SIZE, facts.st_size))
            valid = [span.record for span in spans if span.record is not None]
        finally:
            os.close(fd)
    if not valid:
        raise JournalDamaged("no valid record")
    return _Seen(None, valid[-1].totals)


def count_folder(path: bytes) -> Totals:
    """Messages and bytes by the files; sizes from their names, else from the files."""
    size = messages = 0
    try:
        for found in listing.list_files(path):
            told = names.size_in(found.base)
            size += _size_of(path + b"/" + found.relative) if told is None else told
            messages += 1
    except NoSuchFolder:
        pass  # a directory that is no folder, or deleted while we counted
    return Totals(messages, size)


def _size_of(path: bytes) -> int:
    try:
        with files.storage_errors(path):
            return os.lstat(path).st_size
    except FileNotFoundError:
        return 0  # renamed or removed since it was listed
