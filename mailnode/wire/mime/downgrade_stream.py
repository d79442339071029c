"""A message in pieces, with its headers made ASCII: its own and those of its parts.

Promises: the same result however the message is cut; at most ``HEADER_MAX`` octets are held back; a
message whose headers are ASCII passes unchanged; bodies are not touched (RFC 6858 2 is about
headers; octets above 127 in a body are old custom); linear time, the dear part bounded.
"""

from __future__ import annotations

import re

from mailnode.wire.mime.downgrade import Allowance, blot, downgrade_header
from mailnode.wire.mime.header import collect
from mailnode.wire.mime.parameters import parse_content_type

HEADER_MAX = 256 * 1024
# Multiparts and embedded messages looked into; what lies deeper stays as it is.
MAX_DEPTH = 50
_BLANK = re.compile(rb"\A\r?\n|(?<=\n)\r?\n")
_TYPES = re.compile(rb"^content-type", re.I | re.M)
_TEXTS = re.compile(rb"^content-type:[ \t]*text/", re.I | re.M)
_NEXT_FIELD = re.compile(rb"\n(?=[^ \t\r\n])")
_CONTENT_TYPE = frozenset((b"content-type",))
# RFC 2046 5.1.1: a boundary has 70 characters; some programs make longer ones.
_MAX_BOUNDARY = 300


def needs_none(message: bytes) -> bool:
    """Whether it is seen at a glance that a whole message passes unchanged: it is ASCII, or its
    header is and its body has no parts."""
    if message.isascii():
        return True
    end = _BLANK.search(message)
    head = message[: end.start()] if end else message
    return head.isascii() and len(_TYPES.findall(head)) == len(_TEXTS.findall(head))


class Downgrader:
    """``feed`` all of a message, then ``finish``."""

    def __init__(self) -> None:
        # Sent is what lies before ``_at``; no blank line is between that and ``_scanned``.
        self._held, self._at, self._scanned = b"", 0, 0
        self._allowance = Allowance()
        self._in_header = True
        self._mid_line = False
        self._boundaries: set[bytes] = set()
        self._embedded = 0

    def feed(self, piece: bytes) -> bytes:
        """What to send for this piece."""
        self._held = self._held[self._at :] + piece
        self._scanned -= self._at
        self._at = 0
        made: list[bytes] = []
        while self._header(made) if self._in_header else self._body(made):
            pass
        return b"".join(made)

    def finish(self) -> bytes:
        """The rest."""
        rest = self._take(len(self._held))
        return downgrade_header(rest, self._allowance) if self._in_header else rest

    def _take(self, end: int) -> bytes:
        """What is held up to there."""
        taken = self._held[self._at : end]
        self._at = self._scanned = end
        return taken

    def _more(self) -> bool:
        return self._at < len(self._held)

    # ------------------------------------------------------------------ headers

    def _header(self, made: list[bytes]) -> bool:
        """Whether there is more to do with what is held."""
        if self._mid_line:
            # Of a field that was too long; what is left of its line goes the same way.
            line = self._held.find(b"\n", self._at) + 1
            made.append(blot(self._take(line or len(self._held))))
            self._mid_line = not line
            return self._more()
        end = _BLANK.search(self._held, self._scanned)
        if end is None:
            # A blank line of CRLF may be whole only with the next piece.
            self._scanned = max(len(self._held) - 2, self._at)
            if len(self._held) - self._at > HEADER_MAX:
                made.append(self._overlong())
            return False
        block = self._take(end.start())
        made += (downgrade_header(block, self._allowance), self._take(end.end()))
        self._enter(block)
        return self._more()

    def _overlong(self) -> bytes:
        """The fields that are whole; of one that is itself too long, what can be sent of it."""
        cuts = [found.end() for found in _NEXT_FIELD.finditer(self._held, self._at)]
        if cuts:
            return downgrade_header(self._take(cuts[-1]), self._allowance)
        self._mid_line = not self._held.endswith(b"\n")
        return blot(self._take(len(self._held)))

    def _enter(self, block: bytes) -> None:
        """What the body behind this header is."""
        self._in_header = self._mid_line = False
        values = collect(block, _CONTENT_TYPE).get(b"content-type")
        kind = parse_content_type(values[0]) if values else None
        if kind is None:
            return
        if kind.is_(b"multipart") and len(self._boundaries) < MAX_DEPTH:
            boundary = (kind.get(b"boundary") or b"").rstrip(b" \t")
            if 0 < len(boundary) <= _MAX_BOUNDARY:
                self._boundaries.add(boundary)
        elif kind.main == b"message" and kind.sub in (b"rfc822", b"global"):
            self._embedded += 1
            self._in_header = self._embedded <= MAX_DEPTH

    # ------------------------------------------------------------------ bodies

    def _body(self, made: list[bytes]) -> bool:
        """Whether there is more to do with what is held."""
        if not self._boundaries:
            made.append(self._take(len(self._held)))
            return False
        at = self._at
        if self._mid_line:
            at = self._held.find(b"\n", at) + 1
            if not at:
                made.append(self._take(len(self._held)))
                return False
        while at < len(self._held):
            end = self._held.find(b"\n", at)
            if self._held.startswith(b"--", at) and end >= 0 and self._parts(at, end):
                made.append(self._take(end + 1))
                self._in_header, self._mid_line = True, False
                return self._more()
            dashes = self._held.find(b"\n--", at)
            if dashes < 0:
                break
            at = dashes + 1
        made.append(self._take(self._whole(at)))
        return False

    def _parts(self, at: int, end: int) -> bool:
        """Whether this line is a boundary that begins a part (RFC 2046 5.1.1)."""
        return self._held[at + 2 : end].rstrip(b" \t\r") in self._boundaries

    def _whole(self, at: int) -> int:
        """How much can be sent: all but a last line that may yet become a boundary."""
        last = max(self._held.rfind(b"\n", at) + 1, at)
        rest = self._held[last : last + _MAX_BOUNDARY + 3]
        undecided = len(rest) <= _MAX_BOUNDARY + 2 and (rest[:2] == b"--"[: len(rest[:2])])
        still = last > self._at or not self._mid_line
        if undecided and still:
            self._mid_line = False
            return last
        self._mid_line = True
        return len(self._held)


class Untouched:
    """The same for clients that know UTF-8."""

    def feed(self, piece: bytes) -> bytes:
        """The piece."""
        return piece

    def finish(self) -> bytes:
        """Nothing is left."""
        return b""
