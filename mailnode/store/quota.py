"""How much an account holds: ``maildirsize``, agreed by all processes and nodes.

Format (Maildir++, as Courier and Dovecot): first line the limit (``<bytes>S``), then one line
``<bytes> <messages>`` per change; their sum is the use. Grown long, it is summed up.
Promises: use is charged before a message is placed and given back if that fails, so that two
deliveries cannot both take the last room. A crash in between leaves the use too high until the
next recount; where a failure leaves in doubt what was kept, the next use counts anew; before a
message is refused the files are counted anew (at most once an interval).
Fails: ``OverQuota``, ``FolderBusy``, ``StorageFull``, ``StorageGone``.
Locks: ``flock`` on the file itself, for one read and append or a recount; replaced only while
held, made only where there is none. A leaf: nothing else is locked inside.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mailnode.model.errors import NoSuchFolder, OverQuota
from mailnode.runtime import files
from mailnode.store import QuotaUse, listing, names
from mailnode.store.ledger import FolderBusy

SIZE_NAME = b"maildirsize"
# Courier's and Dovecot's bound for the file.
_MAX_BYTES = 5120
_READ_BYTES = 1 << 20
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class Quota:
    """The use of the account whose folder is ``account``."""

    def __init__(self, account: bytes, lock_timeout_s: float, recheck_s: float) -> None:
        self._account, self._path = account, account + b"/" + SIZE_NAME
        self._timeout_s, self._recheck_s = lock_timeout_s, recheck_s
        self._counted_at = float("-inf")
        self._doubted = False  # and the file could not be removed yet

    def use(self, limit: int) -> QuotaUse:
        """What is in use now."""
        with self._locked(limit) as fd:
            used, messages = self._sum(fd)
        return QuotaUse(used, messages, limit)

    def charge(self, size: int, messages: int, limit: int) -> QuotaUse:
        """Add (or with negative numbers give back); the use after it.

        Raises ``OverQuota`` where it would grow beyond ``limit`` (0: no limit), charging nothing.
        """
        use = self._try_charge(size, messages, limit)
        if use is None and self._recount_is_due():
            self.recount(limit)
            use = self._try_charge(size, messages, limit)
        if use is None:
            raise OverQuota(f"{size} bytes more than {limit}")
        return use

    def _try_charge(self, size: int, messages: int, limit: int) -> QuotaUse | None:
        with self._locked(limit) as fd:
            used, count = self._sum(fd)
            if size > 0 and limit and used + size > limit:
                return None
            used, count = used + size, count + messages
            if os.fstat(fd).st_size > _MAX_BYTES:
                self._write(used, count, limit)
            else:
                files.append(fd, b"%d %d\n" % (size, messages), self._path)
        return QuotaUse(used, count, limit)

    def _recount_is_due(self) -> bool:
        return time.monotonic() - self._counted_at > self._recheck_s

    def recount(self, limit: int) -> QuotaUse:
        """Count the files and start the file anew."""
        self._counted_at = time.monotonic()
        with self._locked(limit):
            used, messages = count_files(self._account)
            self._write(used, messages, limit)
        return QuotaUse(used, messages, limit)

    def doubt(self) -> None:
        """Have the files counted at the next use: it is not known what a failure left."""
        self._doubted = True
        self._forget_sum()

    def _forget_sum(self) -> None:
        files.unlink(self._path, missing_ok=True)
        self._doubted = False

    def _write(self, used: int, messages: int, limit: int) -> None:
        files.replace(self._path, _text(used, messages, limit), sync=False)

    def _make(self, limit: int) -> None:
        """Count the files and make the file, unless another process was quicker: it may hold
        changes already that our count does not know."""
        self._counted_at = time.monotonic()
        used, messages = count_files(self._account)
        fresh = self._path + b".%d.%s.new" % (os.getpid(), os.urandom(6).hex().encode())
        files.write_new(fresh, (_text(used, messages, limit),), sync=False)
        try:
            files.link(fresh, self._path)
        except FileExistsError:
            pass
        finally:
            files.unlink(fresh, missing_ok=True)

    @contextmanager
    def _locked(self, limit: int) -> Iterator[int]:
        deadline = time.monotonic() + self._timeout_s
        while True:
            fd = self._open(limit)
            try:
                if self._lock(fd, deadline):
                    yield fd
                    return
            finally:
                os.close(fd)

    def _open(self, limit: int) -> int:
        if self._doubted:
            self._forget_sum()
        while True:
            try:
                with files.storage_errors(self._path):
                    return os.open(self._path, _OPEN)
            except FileNotFoundError:
                self._make(limit)

    def _lock(self, fd: int, deadline: float) -> bool:
        """Lock the file; False when it was replaced or made nonsense of meanwhile."""
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise FolderBusy(os.fsdecode(self._path)) from None
                time.sleep(0.001)
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(fd))
        except FileNotFoundError:
            return False

    def _sum(self, fd: int) -> tuple[int, int]:
        """The use the file tells; a file that is nonsense is counted anew."""
        with files.storage_errors(self._path):
            lines = os.pread(fd, _READ_BYTES, 0).split(b"\n")
        used, messages = _sum_lines(lines[1:])
        if used < 0 or messages < 0:
            used, messages = count_files(self._account)
            files.truncate(fd, 0, self._path)
            files.append(fd, b"0S\n%d %d\n" % (used, messages), self._path)
        return used, messages


def _text(used: int, messages: int, limit: int) -> bytes:
    return b"%dS\n%d %d\n" % (limit, used, messages)


def _sum_lines(lines: Iterable[bytes]) -> tuple[int, int]:
    """Sum of the changes; negative where they make no sense."""
    try:
        numbers = [tuple(map(int, line.split())) for line in lines if line.strip()]
        used, messages = (sum(column) for column in zip(*numbers, strict=True))
    except ValueError:
        return -1, -1
    return used, messages


def read_use(account: bytes) -> tuple[int, int] | None:
    """Bytes and messages that an account's file tells; None where there is no (good) file."""
    path = account + b"/" + SIZE_NAME
    try:
        with files.storage_errors(path), open(path, "rb") as file:
            used, messages = _sum_lines(file.read(_READ_BYTES).split(b"\n")[1:])
    except FileNotFoundError:
        return None
    return None if used < 0 or messages < 0 else (used, messages)


def read_limit(account: bytes) -> int:
    """The limit that an account's file names, 0 where it names none."""
    path = account + b"/" + SIZE_NAME
    try:
        with files.storage_errors(path), open(path, "rb") as file:
            text = file.readline(64).partition(b"S")[0]
    except FileNotFoundError:
        return 0
    return int(text) if text.isdigit() else 0


def count_files(account: bytes) -> tuple[int, int]:
    """Bytes and messages of all folders, by the files themselves."""
    size, messages = count_folder(account)
    for disk in listing.list_folders(account):
        more, count = count_folder(account + b"/" + disk)
        size, messages = size + more, messages + count
    return size, messages


def count_folder(path: bytes) -> tuple[int, int]:
    """Bytes and messages in a folder; sizes from the names, else from the files."""
    size = messages = 0
    try:
        for found in listing.list_files(path):
            told = names.size_in(found.base)
            if told is None:
                with files.storage_errors(path):
                    told = os.lstat(path + b"/" + found.relative).st_size
            size, messages = size + told, messages + 1
    except (FileNotFoundError, NoSuchFolder):
        pass  # deleted while we counted
    return size, messages
