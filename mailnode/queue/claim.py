"""One spooled entry, claimed by flock on its entry file.

Promises: at most one claim in all processes and nodes; it ends with the file's close, hence with
the process, hence with the node. The entry file is never replaced, only appended to and, with
its folder, moved; a claim on a file that is no longer in its place is no claim.
Fails: ``Damaged``, ``StorageFull``, ``StorageGone``.
"""

from __future__ import annotations

import fcntl
import io
import os
import zlib
from collections.abc import Callable, Sequence
from typing import BinaryIO, cast

from mailnode.queue.entry import Damaged, Entry, State, format_state, parse_entry
from mailnode.queue.workshop import is_same_file
from mailnode.runtime import files

_BLOCK_BYTES = 1024 * 1024


class Claim:
    """The right to change the entry in ``path`` (a folder with ``entry`` and ``message``)."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.on_release: Callable[[], None] | None = None

    @classmethod
    def take(cls, path: str) -> Claim | None:
        """Claim the entry; ``None`` when it is gone or claimed by another."""
        name = f"{path}/entry"
        with files.storage_errors(name):
            try:
                fd = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return None
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ours = is_same_file(fd, name)
            except BlockingIOError:
                ours = False
            if ours:
                return cls(path, fd)
            os.close(fd)
            return None

    def entry(self) -> Entry:
        """Read and check the entry. Raises ``Damaged``."""
        with files.storage_errors(self.path):
            size = os.fstat(self.fd).st_size
            return parse_entry(os.pread(self.fd, size, 0))

    def append(self, state: State) -> None:
        """Make ``state`` the entry's last word, durably."""
        name = f"{self.path}/entry"
        good = self.entry().good_bytes
        if good != os.fstat(self.fd).st_size:
            files.truncate(self.fd, good, name)
        files.append(self.fd, format_state(state), name)
        files.fdatasync(self.fd, name)

    def message(self, entry: Entry) -> ClaimedMessage:
        """The message, checked against the entry's size and sum. Raises ``Damaged``."""
        name = f"{self.path}/message"
        with files.storage_errors(name):
            try:
                opened = ClaimedMessage(name, self.release)
            except FileNotFoundError:
                raise Damaged("message missing") from None
            if (os.fstat(opened.fileno()).st_size, crc_of([opened])) != (entry.size, entry.crc):
                opened.forget()
                raise Damaged("message differs from its sum")
            return opened

    def release(self) -> None:
        """End the claim."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            if self.on_release is not None:
                self.on_release()


class ClaimedMessage(io.FileIO):
    """The message file of a claimed entry; closing it ends the claim."""

    def __init__(self, path: str, released: Callable[[], None]) -> None:
        self._released: Callable[[], None] | None = None
        super().__init__(path, "rb")
        self._released = released

    def forget(self) -> None:
        """Close without ending the claim."""
        self._released = None
        self.close()

    def close(self) -> None:
        """Close the file and end the claim."""
        super().close()
        released, self._released = self._released, None
        if released is not None:
            released()

    def as_binary(self) -> BinaryIO:
        """The same object under the type the seams use."""
        return cast(BinaryIO, self)


def crc_of(chunks: Sequence[bytes | memoryview | BinaryIO | io.FileIO]) -> int:
    """CRC-32 of all chunks; files are read with ``pread`` from their start."""
    crc = 0
    for chunk in chunks:
        if isinstance(chunk, bytes | memoryview):
            crc = zlib.crc32(chunk, crc)
            continue
        offset = 0
        while block := os.pread(chunk.fileno(), _BLOCK_BYTES, offset):
            crc = zlib.crc32(block, crc)
            offset += len(block)
    return crc
