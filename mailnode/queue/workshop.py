"""A process's own corner of the spool, where entries are made and unmade.

Promises: what is in it was never promised to anyone (or is owed no more). A corner whose process
is dead, on whatever node, is swept by the next process that looks; no clock decides that.
Locks: ``<name>.lock`` is held by flock for the life of the process. It is made, locked, and then
seen to be still the file of that name, so that a sweeper cannot take it away in between.
Fails: ``StorageFull``, ``StorageGone``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading

from mailnode.model.errors import StorageGone
from mailnode.runtime import files


class Workshop:
    """The corner of this process below ``folder`` (the spool's ``incoming``)."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._name = ""
        self._fd = -1
        self._pid = 0

    def path(self, queue_id: str) -> str:
        """Where an entry of this name may be made; opens the workshop at the first call."""
        with self._guard:
            # A forked child shares its parent's lock but not its promises; a corner taken away
            # (storage that came back empty) is made anew.
            if self._pid != os.getpid() or not os.path.isdir(f"{self._folder}/{self._name}"):
                self._open()
            return f"{self._folder}/{self._name}/{queue_id}"

    def _open(self) -> None:
        name = f"{os.getpid()}.{secrets.token_hex(6)}"
        lock = f"{self._folder}/{name}.lock"
        with files.storage_errors(lock):
            while True:
                fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(fd, fcntl.LOCK_EX)
                if is_same_file(fd, lock):
                    break
                os.close(fd)
        files.mkdir(f"{self._folder}/{name}")
        if self._fd >= 0 and self._pid == os.getpid():
            os.close(self._fd)
        self._fd, self._name, self._pid = fd, name, os.getpid()

    def close(self) -> None:
        """Leave nothing behind. Raises nothing that matters: a sweeper does the rest."""
        with self._guard:
            if self._fd < 0 or self._pid != os.getpid():
                return
            try:
                _remove_corner(self._folder, self._name)
            except (OSError, StorageGone):
                pass  # swept by the next process, once the lock is free
            os.close(self._fd)
            self._fd, self._pid = -1, 0

    def sweep(self) -> int:
        """Remove the corners of dead processes; how many there were."""
        swept = 0
        with files.storage_errors(self._folder):
            names = [name for name in os.listdir(self._folder) if name.endswith(".lock")]
        for name in names:
            swept += self._sweep_one(name.removesuffix(".lock"))
        return swept

    def _sweep_one(self, name: str) -> int:
        lock = f"{self._folder}/{name}.lock"
        with files.storage_errors(lock):
            try:
                fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return 0
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if not is_same_file(fd, lock):
                    return 0
                _remove_corner(self._folder, name)
                return 1
            except BlockingIOError:
                return 0
            finally:
                os.close(fd)


def is_same_file(fd: int, path: str) -> bool:
    """True when ``path`` still names the open file."""
    try:
        named = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(fd), named)


def remove_entry(path: str) -> None:
    """Remove a folder of plain files, whatever of it is there."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return
    for name in names:
        files.unlink(f"{path}/{name}", missing_ok=True)
    files.rmdir(path)


def _remove_corner(folder: str, name: str) -> None:
    corner = f"{folder}/{name}"
    if os.path.isdir(corner):
        for queue_id in os.listdir(corner):
            remove_entry(f"{corner}/{queue_id}")
        files.rmdir(corner)
    files.unlink(f"{corner}.lock", missing_ok=True)
