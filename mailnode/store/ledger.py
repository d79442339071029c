"""A folder's lock and journal as open files: who may write, and where the journal ends.

Promises: whoever is inside ``hold`` is the only writer of this folder on any node, and the
journal it sees is the one at the path. A torn tail is cut before the first append after it.
Fails: ``FolderBusy`` when the lock does not come free in time, ``NoSuchFolder`` when the folder
went away meanwhile, ``JournalDamaged`` when the journal must be rebuilt.
Locks: ``mutex`` (threads of this process), then ``flock`` on ``mailnode.lock`` (processes and
nodes); both belong to ``hold``. Order among folders: by path. Inside: the UIDVALIDITY counter's
own short lock, nothing else; no network peer is ever awaited inside.
The lock file is never replaced and never removed while its folder lives.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from typing import NamedTuple

from mailnode.model.errors import NoSuchFolder, TemporaryError
from mailnode.runtime import files
from mailnode.runtime.tasks import Mutex, may_wait
from mailnode.store import journal
from mailnode.store.journal import (
    JOURNAL_NAME,
    LOCK_NAME,
    NOTHING,
    Header,
    JournalDamaged,
    Record,
    Totals,
)
from mailnode.store.writing import Hold, UnderWay

_OPEN = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_FRESH = b".new"
_NO_FILE = (-1, -1)
# The lock file: a line of intent, one of identity, one of what is durable, each this long.
_INTENT_BYTES = 64


class FolderBusy(TemporaryError):
    """Another process or node kept the folder's lock for too long."""

    public = "mailbox is busy, try again later"


class Tail(NamedTuple):
    """The counters after the last record, where the next one goes, and what the folder holds."""

    uidnext: int
    modseq: int
    end: int
    totals: Totals = NOTHING


def _identity(facts: os.stat_result) -> tuple[int, int]:
    """Which file it is. Asked once of a file that is open: it cannot become another."""
    return facts.st_dev, facts.st_ino


class Ledger:
    """Lock and journal of the folder at ``path``. Descriptors open at first need."""

    def __init__(self, path: bytes, lock_timeout_s: float) -> None:
        self.path = path
        self.journal_path = path + b"/" + JOURNAL_NAME
        self._lock_path = path + b"/" + LOCK_NAME
        self._timeout_s = lock_timeout_s
        self.mutex = Mutex()
        self._depth = 0
        self._lock_fd = -1
        self._lock_identity = self._journal_identity = _NO_FILE  # of what is open
        self.fd = -1  # the journal; may be an old one until ``reopen``
        self.header: Header | None = None
        self._opened_size = 0  # of the journal, when it was opened
        self._tail = Tail(0, 0, -1)
        self._exact = False  # the tail was looked at since the lock was taken
        self._there: os.stat_result | None = None  # the journal, seen since the lock was taken
        self.damaged = False

    # -- the lock --------------------------------------------------------------------------

    def hold(self) -> Hold:
        """Be the folder's only writer. May be nested by one thread."""
        return Hold(self)

    def take(self) -> None:
        """Enter ``hold``."""
        may_wait()
        deadline = time.monotonic() + self._timeout_s
        if not self.mutex.acquire(self._timeout_s):
            raise FolderBusy(os.fsdecode(self.path))
        try:
            if self._depth == 0:
                self._lock(deadline)
            self._depth += 1
        except BaseException:
            self.mutex.release()
            raise

    def give_back(self) -> None:
        """Leave ``hold``."""
        try:
            self._depth -= 1
            if self._depth == 0:
                self._exact, self._there = False, None
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        finally:
            self.mutex.release()

    def _lock(self, deadline: float) -> None:
        pause_s = 0.0005
        while True:
            with files.storage_errors(self._lock_path):
                if self._lock_fd < 0:
                    self._open_lock()
                if self._try_lock():
                    if self._lock_is_current():
                        return
                    self.close()
                    continue
            if time.monotonic() > deadline:
                raise FolderBusy(os.fsdecode(self.path))
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.01)

    def _open_lock(self) -> None:
        try:
            self._lock_fd = os.open(self._lock_path, _OPEN | os.O_CREAT, 0o600)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NoSuchFolder(os.fsdecode(self.path)) from error
        self._lock_identity = _identity(os.fstat(self._lock_fd))

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock_is_current(self) -> bool:
        """False when the folder was deleted, renamed or made anew while we waited."""
        try:
            there = os.stat(self._lock_path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # Nobody is inside ``hold`` yet, so nobody would let it go.
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
            raise
        return _identity(there) == self._lock_identity

    @property
    def held(self) -> bool:
        """True inside ``hold`` (asked under the mutex)."""
        return self._depth > 0

    # -- what is under way: survives SIGKILL, tells the next writer what to finish ----------

    def under_way(self, offset: int) -> UnderWay:
        """``begin`` and ``finish`` around a block that undoes what it did when it fails."""
        return UnderWay(self, offset)

    def begin(self, offset: int) -> None:
        """Note that file names will be changed as the records from ``offset`` on say."""
        assert self.header is not None
        self._write_intent(b"%d %d" % (self.header.epoch, offset))

    def finish(self) -> None:
        """Note that all names are as the journal says."""
        self._write_intent(b"")

    def unfinished(self) -> tuple[int, int] | None:
        """Epoch and offset of records whose changes of names were cut off, if any."""
        with files.storage_errors(self._lock_path):
            raw = os.pread(self._lock_fd, _INTENT_BYTES, 0)
        text, _, crc = raw.rstrip(b" \n").rpartition(b" ")
        if not text or crc != b"%08x" % zlib.crc32(text):
            return None
        epoch, _, offset = text.partition(b" ")
        return int(epoch), int(offset)

    def note_identity(self, header: Header) -> None:
        """Write durably into the lock file that this folder has had a journal."""
        line = b"%s %d" % (header.mailbox_id.hex().encode(), header.uidvalidity)
        with files.storage_errors(self._lock_path):
            os.pwrite(self._lock_fd, line.ljust(_INTENT_BYTES - 1) + b"\n", _INTENT_BYTES)
        files.fdatasync(self._lock_fd, self._lock_path)

    def noted_identity(self) -> tuple[bytes, int] | None:
        """Mailbox id and UIDVALIDITY of the journal this folder has or had; None: never one."""
        with files.storage_errors(self._lock_path):
            line = os.pread(self._lock_fd, _INTENT_BYTES, _INTENT_BYTES).split()
        try:
            mailbox_id, uidvalidity = bytes.fromhex(line[0].decode("ascii")), int(line[1])
        except (IndexError, ValueError):
            return None
        return (mailbox_id, uidvalidity) if len(mailbox_id) == 16 else None

    def _write_intent(self, text: bytes) -> None:
        line = text + b" %08x" % zlib.crc32(text) if text else b""
        with files.storage_errors(self._lock_path):
            os.pwrite(self._lock_fd, line.ljust(_INTENT_BYTES - 1) + b"\n", 0)

    # -- the journal -----------------------------------------------------------------------

    def stat(self) -> os.stat_result:
        """The journal at the path now. Raises ``FileNotFoundError``."""
        if self._there is not None:  # nobody else writes while we hold the lock
            return self._there
        with files.storage_errors(self.journal_path):
            there = os.stat(self.journal_path, follow_symlinks=False)
        if self._depth:
            self._there = there
        return there

    def reopen(self) -> Header:
        """Open the journal at the path and read its header.

        Raises ``FileNotFoundError``, ``JournalDamaged``.
        """
        with files.storage_errors(self.journal_path):
            fd = os.open(self.journal_path, _OPEN | os.O_APPEND)
            try:
                facts = os.fstat(fd)
                header = journal.unpack_header(os.pread(fd, journal.HEADER_SIZE, 0))
            except BaseException:
                os.close(fd)
                raise
        self._drop_journal()
        self.fd, self.header, self._journal_identity = fd, header, _identity(facts)
        self._opened_size = facts.st_size
        return header

    def is_current(self, there: os.stat_result) -> bool:
        """True when the open journal is the one that ``stat`` found."""
        return self.fd >= 0 and _identity(there) == self._journal_identity

    def read(self, start: int, end: int) -> bytes:
        """Bytes of the open journal."""
        with files.storage_errors(self.journal_path):
            return journal.read_range(self.fd, start, end)

    def tail(self) -> Tail:
        """Counters and end of the journal; call inside ``hold``, cuts a torn tail.

        Raises ``FileNotFoundError``, ``JournalDamaged``.
        """
        if self._exact:  # nobody else writes while we hold the lock
            return self._tail
        size = self._size()
        if self._tail.end != size:
            self._tail = self._last_record(size) or self._cut(size)
        self._exact = self.held
        return self._tail

    def _size(self) -> int:
        """Bytes of the journal at the path, which is open afterwards."""
        if self.fd < 0:
            self.reopen()
            return self._opened_size
        there = self.stat()
        if not self.is_current(there):
            self.reopen()
        return there.st_size

    def _last_record(self, size: int) -> Tail | None:
        with files.storage_errors(self.journal_path):
            found = journal.last_record(self.fd, size)
        return Tail(found.uidnext, found.modseq, size, found.totals) if found else None

    def _cut(self, size: int) -> Tail:
        last: Record | None = None
        end, torn = journal.HEADER_SIZE, size
        for span in journal.scan(self.read(end, size), end):
            if span.record is None:
                self.damaged = self.damaged or span.end < size
                torn = span.start
            else:
                last, end, torn = span.record, span.end, size
        if last is None:
            raise JournalDamaged("no valid record")
        if torn < size:
            self._there = None
            files.truncate(self.fd, end, self.journal_path)
        return Tail(last.uidnext, last.modseq, end, last.totals)

    def append(self, kind: int, payload: bytes, uidnext: int, modseq: int, totals: Totals) -> Tail:
        """Write one record at the end; all or nothing. Inside ``hold``, after ``tail``."""
        raw = journal.pack_record(kind, uidnext, modseq, payload, totals=totals)
        self._there = None
        try:
            files.append(self.fd, raw, self.journal_path)
        except BaseException:
            self._undo_append()
            raise
        self._tail = Tail(uidnext, modseq, self._tail.end + len(raw), totals)
        return self._tail

    def _undo_append(self) -> None:
        try:
            os.ftruncate(self.fd, self._tail.end)
        except OSError:
            self._forget_tail()  # the next writer finds and cuts the torn tail

    def sync(self, end: int) -> None:
        """Make all records durable; ``end`` is where the last one that is known whole ends.

        Whoever did this notes it in the lock file, so that of all processes and nodes that look at
        a new message only the first waits for the disk. A valid record is never cut off or written
        over, so a note stays true while its journal lives; one that is lost costs a sync.
        """
        with files.storage_errors(self._lock_path):
            if self._lock_fd < 0:
                self._open_lock()
        mark = self._durable_mark(end)
        if self._noted_durable(mark) >= end:
            return
        may_wait()
        files.fdatasync(self.fd, self.journal_path)
        line = mark + b" %08x" % zlib.crc32(mark)
        with files.storage_errors(self._lock_path):
            os.pwrite(self._lock_fd, line.ljust(_INTENT_BYTES - 1) + b"\n", 2 * _INTENT_BYTES)

    def _durable_mark(self, end: int) -> bytes:
        assert self.header is not None
        which = self.header.mailbox_id[:4].hex().encode()
        return b"%s %d %d %d" % (which, self.header.epoch, self._journal_identity[1], end)

    def _noted_durable(self, mark: bytes) -> int:
        """Up to where the lock file says that the open journal is durable; 0 where it does not."""
        with files.storage_errors(self._lock_path):
            raw = os.pread(self._lock_fd, _INTENT_BYTES, 2 * _INTENT_BYTES)
        text, _, crc = raw.rstrip(b" \n").rpartition(b" ")
        if not text or crc != b"%08x" % zlib.crc32(text):
            return 0
        same, _, end = text.rpartition(b" ")
        return int(end) if same == mark.rpartition(b" ")[0] else 0

    def replace(self, header: Header, records: bytes) -> None:
        """Put a new journal in place of the old one, durably. Inside ``hold``."""
        fresh = self.journal_path + _FRESH
        files.unlink(fresh, missing_ok=True)
        files.write_new(fresh, (journal.pack_header(header), records))
        self._forget_tail()
        files.rename(fresh, self.journal_path)
        files.fsync_dir(self.path)
        self.damaged = False
        self.reopen()

    def set_aside(self) -> None:
        """Keep a damaged journal for a person to look at (the last one only)."""
        aside = self.journal_path + b".damaged"
        files.unlink(aside, missing_ok=True)
        try:
            files.link(self.journal_path, aside)
        except FileNotFoundError:
            pass  # nothing there to keep

    def close(self) -> None:
        """Close both descriptors (which frees a held flock)."""
        self._drop_journal()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _drop_journal(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.header = -1, None
        self._forget_tail()

    def _forget_tail(self) -> None:
        self._tail, self._exact = Tail(0, 0, -1), False
        self._there = None
