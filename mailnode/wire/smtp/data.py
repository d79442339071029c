"""Message content off the wire: end of data, dot-unstuffing, and what content may hold.

Promises: exactly ``CRLF.CRLF`` ends a message, at every split of the input; work is a few
searches per chunk, not per line; nothing but the last four bytes is kept between chunks. Content
that breaks a rule is still read to its end, so that the refusal comes in sync with the dialog.
RFC: 5321 2.3.8, 4.1.1.4, 4.5.2, 4.5.3.1.6; 1870 6.1; 3030 2; 5322 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_END = b"\r\n.\r\n"


class Fault(Enum):
    """Why content is refused: enhanced code and text."""

    BARE_LINE_END = ("5.6.11", "bare CR or LF in the message: lines must end with CRLF")
    NUL = ("5.6.0", "the message holds a NUL byte")
    LINE_TOO_LONG = ("5.6.0", "the message holds a line that is too long")
    TOO_LARGE = ("5.3.4", "message too large")

    @property
    def code(self) -> str:
        """The enhanced code."""
        return self.value[0]

    @property
    def text(self) -> str:
        """What the client is told."""
        return self.value[1]


class ContentCheck:
    """Looks at content piece by piece, wherever the pieces are cut; keeps the first fault."""

    __slots__ = ("_after_cr", "_line", "fault", "line_limit", "size", "size_limit")

    def __init__(self, *, size_limit: int, line_limit: int) -> None:
        """``size_limit`` and ``line_limit`` in octets, the latter without the line end."""
        self.size_limit = size_limit
        self.line_limit = line_limit
        self.size = 0
        self.fault: Fault | None = None
        self._after_cr = False
        self._line = 0

    def look(self, piece: bytes) -> bool:
        """Take the next piece into account; False once the content is refused."""
        self.size += len(piece)
        if self.fault is None:
            self.fault = self._judge(piece)
        return self.fault is None

    def finish(self) -> None:
        """The content ends here."""
        if self.fault is None and self._after_cr:
            self.fault = Fault.BARE_LINE_END

    def _judge(self, piece: bytes) -> Fault | None:
        # RFC 1870 6.1: counted while the rest is read, told at the end.
        if self.size > self.size_limit:
            return Fault.TOO_LARGE
        if b"\0" in piece:
            return Fault.NUL
        if self._bare(piece):
            return Fault.BARE_LINE_END
        if self._long(piece):
            return Fault.LINE_TOO_LONG
        return None

    def _bare(self, piece: bytes) -> bool:
        # RFC 5321 2.3.8: CR and LF occur only together. So there are as many of each as pairs.
        pairs = piece.count(b"\r\n")
        lf, cr = piece.count(b"\n"), piece.count(b"\r")
        if self._after_cr:
            if not piece:
                return False
            if not piece.startswith(b"\n"):
                return True
            lf -= 1
        self._after_cr = piece.endswith(b"\r")
        return cr - self._after_cr != pairs or lf != pairs

    def _long(self, piece: bytes) -> bool:
        # Line ends are jumped over a limit at a time, so that short lines cost nothing. Counts
        # include the CR (and a CR still to come), hence the margin of one.
        limit = self.line_limit + 1
        first = piece.find(b"\n", 0, max(limit - self._line, 0) + 1)
        if first < 0:
            self._line += len(piece)
            return self._line > limit
        at = first + 1
        while len(piece) - at > limit:
            last = piece.rfind(b"\n", at, at + limit + 1)
            if last < 0:
                return True
            at = last + 1
        self._line = len(piece) - (piece.rfind(b"\n", at - 1) + 1)
        return False


@dataclass(frozen=True, slots=True)
class Fed:
    """``content`` that is now certain; ``rest`` is what follows the end, once ``done``."""

    content: bytes
    rest: bytes
    done: bool


class DataReader:
    """Finds the end of DATA in a stream of chunks and takes the stuffed dots out."""

    __slots__ = ("_held", "_opening", "check")

    def __init__(self, check: ContentCheck) -> None:
        self.check = check
        # RFC 5321 4.1.1.4: the CRLF of the DATA line itself counts before a first-line dot.
        self._held = b"\r\n"
        self._opening = True

    def feed(self, chunk: bytes) -> Fed:
        """Take the next chunk. Content is empty from the first fault on."""
        stream = self._held + chunk
        end = stream.find(_END)
        if end >= 0:
            raw, rest, done = stream[: end + 2], stream[end + 5 :], True
        else:
            keep = _undecided(stream)
            cut = len(stream) - keep
            raw, self._held, rest, done = stream[:cut], stream[cut:], b"", False
        content = self._unstuff(raw)
        fine = self.check.look(content)
        if done:
            self.check.finish()
        return Fed(content if fine else b"", rest, done)

    def _unstuff(self, raw: bytes) -> bytes:
        # RFC 5321 4.5.2: one leading dot of a line is not content.
        content = raw.replace(b"\r\n.", b"\r\n")
        if self._opening and raw:
            self._opening = False
            content = content[2:]
        return content


def _undecided(stream: bytes) -> int:
    """How many last bytes might be the beginning of the end."""
    for size in (4, 3, 2, 1):
        if stream.endswith(_END[:size]):
            return size
    return 0
