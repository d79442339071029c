"""Multi-line responses: dot-stuffing, CRLF line ends, and TOP's cut.

Promises: works on pieces of any size with the same result; holds back one octet at most; the
octets before stuffing are those of the message with CRLF line ends.
RFC: 1939 3 (byte-stuffing), 7 (TOP).
"""

from __future__ import annotations

import re

_BARE_LF = re.compile(rb"(?<!\r)\n")


class Stuffer:
    """Turns a message into the lines of a response, piece by piece, then ``finish``."""

    def __init__(self, body_lines: int | None = None) -> None:
        """``body_lines``: lines of the body that TOP wants, ``None`` for the whole message."""
        self._cut = None if body_lines is None else _TopCut(body_lines)
        self._held = b""
        self._at_start = True

    @property
    def full(self) -> bool:
        """True when further pieces would change nothing (TOP has its lines)."""
        return self._cut is not None and self._cut.done

    def feed(self, piece: bytes) -> bytes:
        """What to send for this piece."""
        piece = self._held + piece
        self._held = b""
        if piece.endswith(b"\r"):
            # Only the next octet tells whether this CR begins a line end.
            piece, self._held = piece[:-1], b"\r"
        # Counting is far quicker than substituting, and nearly every message has CRLF throughout.
        if piece.count(b"\n") != piece.count(b"\r\n"):
            piece = _BARE_LF.sub(b"\r\n", piece)
        return self._stuff(piece)

    def finish(self) -> bytes:
        """The rest, a line end where the message lacks it, and the final dot."""
        rest = self._stuff(self._held)
        self._held = b""
        end = b"" if self._at_start else b"\r\n"
        return rest + end + b".\r\n"

    def _stuff(self, piece: bytes) -> bytes:
        if self._cut is not None:
            piece = self._cut.take(piece)
        if not piece:
            return b""
        dot = b"." if self._at_start and piece.startswith(b".") else b""
        self._at_start = piece.endswith(b"\r\n")
        return dot + piece.replace(b"\r\n.", b"\r\n..")


class _TopCut:
    """Lets the header, the empty line and some lines of the body through."""

    def __init__(self, body_lines: int) -> None:
        self.done = False
        self._left = body_lines
        self._in_header = True
        self._in_line = False

    def take(self, piece: bytes) -> bytes:
        at = 0
        while not self.done and at < len(piece):
            end = piece.find(b"\n", at)
            if end < 0:
                self._in_line = True
                return piece
            self._line(not self._in_line and piece[at:end] in (b"", b"\r"))
            at = end + 1
        return piece[:at]

    def _line(self, empty: bool) -> None:
        self._in_line = False
        if self._in_header:
            self._in_header = not empty
        else:
            self._left -= 1
        self.done = not self._in_header and self._left <= 0
