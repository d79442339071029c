"""Messages of APPEND too large for memory go to a nameless file while they arrive.

Promises: disk work happens in the pool; the files vanish with the command, and with the process;
a full disk is remembered and answered when the command is complete.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import BinaryIO, cast

from mailnode.access.imap.means import Means
from mailnode.access.imap.reply import Reply, no


class Spooler:
    """The streamed literals of the command now arriving.

    Lock: ``_lock`` is held for a look at ``files``, for a thread may still be opening one while the
    connection it is for ends."""

    __slots__ = ("_current", "_error", "_lock", "_means", "_times", "_total", "files", "used")

    def __init__(self, means: Means) -> None:
        self._means = means
        self.used = False  # something is to be cleared
        self.files: dict[int, BinaryIO] = {}
        self._current: BinaryIO | None = None
        self._total = 0
        self._error: OSError | None = None
        self._lock = threading.Lock()
        self._times = 0  # how often all was let go

    async def begin(self, number: int, size: int) -> bool:
        """Make room for literal ``number``; False when the command's literals are too large."""
        if self._total + size > self._means.settings.max_append_bytes:
            return False
        self._total += size
        self.used = True
        try:
            self._current = await self._means.pool.run(self._open, number, self._times)
        except OSError as error:
            self._error = error
        return True

    def _open(self, number: int, times: int) -> BinaryIO | None:
        file = _nameless(self._means.settings.spool_dir)
        with self._lock:
            if times == self._times:
                self.files[number] = file
                return file
        file.close()  # the command ended meanwhile
        return None

    async def write(self, data: bytes) -> None:
        """Some octets of the literal begun last."""
        if self._current is None or self._error is not None:
            return
        try:
            await self._means.pool.run(self._write, self._current, data)
        except OSError as error:
            self._error = error

    @staticmethod
    def _write(file: BinaryIO, data: bytes) -> None:
        file.write(data)
        file.flush()

    def failure(self) -> Reply | None:
        """The reply if the message could not be kept."""
        if self._error is None:
            return None
        return no("no room for the message now, try again later", "UNAVAILABLE")

    async def clear(self) -> None:
        """The command is over: let its files go."""
        self.used = False
        with self._lock:
            files, self.files = list(self.files.values()), {}
            self._times += 1
        self._current, self._error, self._total = None, None, 0
        if not files:
            return
        try:
            await self._means.pool.run(_close, files)
        finally:
            _close(files)  # where no thread began it


def _nameless(folder: Path | None) -> BinaryIO:
    return cast(BinaryIO, tempfile.TemporaryFile(dir=folder))


def _close(files: list[BinaryIO]) -> None:
    for file in files:
        file.close()
