"""Octets in, command lines out.

Promises: linear time however the octets are cut; a line without end costs no memory.
RFC: 1939 3, 2449 4 (255 octets), 5034 4 (longer lines within AUTH).
"""

from __future__ import annotations

from enum import Enum, auto

# RFC 2449 4: with CRLF.
COMMAND_LIMIT = 255


class TooLong(Enum):
    """Stands for a line beyond its limit; the line is dropped."""

    TOO_LONG = auto()


class LineReader:
    """One connection's input. Not thread-safe."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._dropping = False

    def feed(self, data: bytes) -> None:
        """Take what came from the socket."""
        self._buffer += data

    def __len__(self) -> int:
        """Octets fed and not yet read."""
        return len(self._buffer)

    def discard(self) -> int:
        """Forget all input not yet read, and count it (RFC 2595 4: nothing sent in clear behind
        STLS counts)."""
        count = len(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._dropping = False
        return count

    def next(self, limit: int) -> bytes | TooLong | None:
        """The next line without its line end; ``None`` when more octets are needed. ``limit`` in
        octets with CRLF."""
        while True:
            line = self._take()
            if line is None:
                return self._cut(limit)
            if not self._dropping:
                return line if len(line) + 2 <= limit else TooLong.TOO_LONG
            self._dropping = False

    def _take(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        self._scanned = 0
        # Leniency: a lone LF ends a command too (people with telnet).
        stop = end - 1 if end and self._buffer[end - 1] == 13 else end
        line = bytes(self._buffer[:stop])
        del self._buffer[: end + 1]
        return line

    def _cut(self, limit: int) -> TooLong | None:
        if not self._dropping and len(self._buffer) < limit:
            return None
        self._buffer.clear()
        self._scanned = 0
        was, self._dropping = self._dropping, True
        return None if was else TooLong.TOO_LONG
