"""Where log lines go: a file, standard error, or systemd's journal.

Promises: ``write`` never blocks and never raises; what the target does not take at once waits in
a bounded buffer, what does not fit is counted; a line is whole or not there. Lines that wait go
out together, as many in one call as the target takes whole.
Locks: one per sink, held for a few microseconds; the sink outlives a fork.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections import deque
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Protocol

WAITING_MAX_BYTES = 1 << 20
# Held lines (``hold``) go out once they are so many.
HELD_MAX_BYTES = 32_768
JOURNAL_SOCKET = "/run/systemd/journal/socket"


class Target(Protocol):
    """Something that takes lines without blocking. ``together_bytes``: so much may be put at once
    without being torn by others that write there; 0 means line by line."""

    together_bytes: int

    def put(self, line: bytes) -> int:
        """Bytes taken. Raises ``BlockingIOError`` when busy, ``OSError`` when broken."""

    def reopen(self) -> None:
        """Start afresh on what the name stands for now; keeps the old one on failure."""

    def close(self) -> None:
        """Let go of the descriptor."""


class FileTarget:
    """Appends to a file; several processes may share it."""

    together_bytes = 65_536

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(self._path, flags, 0o640)

    def put(self, line: bytes) -> int:
        """Bytes taken."""
        return os.write(self._fd, line)

    def reopen(self) -> None:
        """Open the path again. Raises ``OSError``."""
        fresh = self._open()
        os.close(self._fd)
        self._fd = fresh

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class StreamTarget:
    """An inherited descriptor such as standard error, which others may use as well.

    O_NONBLOCK belongs to the open file and would surprise whoever shares it, so a socket is
    sent to with MSG_DONTWAIT, and anything else is opened a second time.
    """

    together_bytes = 4096  # PIPE_BUF: a pipe takes that in one piece (pipe(7))

    def __init__(self, fd: int) -> None:
        self._socket: socket.socket | None = None
        if stat.S_ISSOCK(os.fstat(fd).st_mode):
            self._socket = socket.socket(fileno=os.dup(fd))
            return
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            self._fd = os.open(f"/proc/self/fd/{fd}", flags)
        except OSError:
            self._fd = os.dup(fd)

    def put(self, line: bytes) -> int:
        """Bytes taken."""
        if self._socket is not None:
            return self._socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        return os.write(self._fd, line)

    def reopen(self) -> None:
        """Nothing to do: the descriptor was given to us."""

    def close(self) -> None:
        """Close our copy; the descriptor that was given stays open."""
        if self._socket is not None:
            self._socket.close()
        else:
            os.close(self._fd)


class JournalTarget:
    """systemd's journal by its own protocol: one datagram a line."""

    together_bytes = 0

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def put(self, line: bytes) -> int:
        """Bytes taken."""
        return self._socket.sendto(line, self._path)

    def reopen(self) -> None:
        """Nothing to do: each datagram goes to whoever listens."""

    def close(self) -> None:
        """Close our end."""
        self._socket.close()


def journal_datagram(line: bytes, priority: int, fields: Mapping[str, object]) -> bytes:
    """MESSAGE, PRIORITY and our fields as ``MAILNODE_…``; long or odd values stay in MESSAGE."""
    head = b"MESSAGE=%b\nPRIORITY=%d\nSYSLOG_IDENTIFIER=mailnode\n" % (line.rstrip(b"\n"), priority)
    extra = "".join(
        f"MAILNODE_{key.upper()}={value}\n"
        for key, value in fields.items()
        if key.isidentifier() and str(value).isprintable() and len(str(value)) <= 200
    )
    return head + extra.encode("utf-8", "replace")


class Sink:
    """Lines on their way to a target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.dropped = 0

    def write(self, line: bytes) -> None:
        """Hand over one line; never blocks, never raises."""
        with self._lock:
            self._add(line)
            self._drain()

    def hold(self, line: bytes) -> bool:
        """Take a line that may wait for the next ``write`` or ``flush``; whether it is the first
        one that waits."""
        with self._lock:
            first = not self._waiting
            self._add(line)
            if self._waiting_bytes > HELD_MAX_BYTES:
                self._drain()
            return first

    def _add(self, line: bytes) -> None:
        if self._waiting_bytes + len(line) > WAITING_MAX_BYTES:
            self.dropped += 1
        else:
            self._waiting.append(line)
            self._waiting_bytes += len(line)

    def flush(self) -> None:
        """Try again what waits."""
        with self._lock:
            self._drain()

    def take_dropped(self) -> int:
        """Lines lost since the last call, once nothing waits any more; else 0."""
        with self._lock:
            count, self.dropped = (0, self.dropped) if self._waiting else (self.dropped, 0)
            return count

    def reopen(self) -> None:
        """Follow a renamed log file; the old one is kept when that fails. Raises ``OSError``."""
        with self._lock:
            self._target.reopen()
            self._drain()

    def close(self) -> None:
        """Write what can be written, then let go of the target; nothing may follow."""
        with self._lock:
            self._drain()
            self._target.close()

    def _drain(self) -> None:
        while self._waiting:
            lines = self._next()
            together = lines[0] if len(lines) == 1 else b"".join(lines)
            try:
                taken = self._target.put(together)
            except BlockingIOError:
                return
            except OSError:
                # The reader is gone or the disk is full: waiting would not help these lines.
                taken = len(together)
                self.dropped += len(lines)
            self._forget(taken)
            if taken < len(together):
                return

    def _next(self) -> list[bytes]:
        """The lines that go out in one call: at least one."""
        lines, size = [self._waiting[0]], len(self._waiting[0])
        for line in islice(self._waiting, 1, None):
            size += len(line)
            if size > self._target.together_bytes:
                break
            lines.append(line)
        return lines

    def _forget(self, taken: int) -> None:
        """Drop the first bytes of what waits; of a line that went out in part, the rest stays."""
        self._waiting_bytes -= taken
        while taken:
            line = self._waiting.popleft()
            if len(line) > taken:
                self._waiting.appendleft(line[taken:])
                return
            taken -= len(line)
