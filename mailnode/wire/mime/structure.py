"""The tree of parts in a message, by byte offsets.

Promises: never raises; linear time, no recursion; a part's header is
``[start:body_start]`` and its body ``[body_start:end]`` of the bytes given to ``parse``, exact to
the byte; children lie in order inside their parent's body. Bounds: ``MAX_DEPTH`` levels,
``MAX_PARTS`` parts, ``MAX_HEADER`` bytes of header; what lies beyond is one opaque leaf.

Line ends: IMAP shows messages with CRLF. Mail that other programs stored with bare LF is turned
by ``to_crlf`` first, and every size and offset then counts the turned bytes; ``crlf_size`` says how
many there will be. A bare CR is no line end and stays. ``parse`` itself takes either.
RFC: 2046 5.1 (multipart), 5.1.5 (digest), 5.2.1 (message/rfc822), 5322 2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mailnode.wire.mime.header import collect
from mailnode.wire.mime.line_ends import all_crlf
from mailnode.wire.mime.parameters import EMBEDDED, PLAIN, ContentType, parse_content_type

MAX_DEPTH = 100
MAX_PARTS = 10_000
MAX_HEADER = 10 * 1024 * 1024
# RFC 2046 5.1.1 allows 70; longer ones are seen, and what exceeds a line's 998 cannot match.
MAX_BOUNDARY = 998

OPAQUE = ContentType(b"application", b"octet-stream")

_BARE_LF = re.compile(rb"(?<!\r)\n")
_BLANK = re.compile(rb"\n\r?\n")
_WITH_PARTS = frozenset((b"multipart", b"message"))
_HEADER_STOP = re.compile(rb"\n(?:\r?\n|--)")
_DESCRIBING = frozenset(
    b"content-" + name
    for name in (
        b"type",
        b"id",
        b"description",
        b"transfer-encoding",
        b"md5",
        b"disposition",
        b"language",
        b"location",
    )
)


def to_crlf(raw: bytes | bytearray | memoryview) -> bytes:
    """The message with CRLF at every line end; the same object where nothing changes."""
    raw = raw if isinstance(raw, bytes) else bytes(raw)
    if all_crlf(raw):
        return raw
    return _BARE_LF.sub(b"\r\n", raw)


def crlf_size(raw: bytes) -> int:
    """What ``len(to_crlf(raw))`` is (RFC822.SIZE), without making it."""
    return len(raw) + raw.count(b"\n") - raw.count(b"\r\n")


@dataclass(slots=True)
class Part:
    """A message or body part. ``body_lines`` counts the line ends in its body.

    ``fields`` holds the first of each ``Content-…`` field, unfolded, names in lower case.
    ``parts``: the children of a multipart (at least one), or the one message inside a
    ``message/rfc822``; empty for a leaf. ``content`` is the effective type: a multipart that is
    none (no boundary) reads text/plain, one beyond the bounds application/octet-stream.
    """

    start: int
    body_start: int
    end: int
    content: ContentType
    fields: dict[bytes, bytes]
    body_lines: int = 0
    parts: list[Part] = field(default_factory=list)

    @property
    def octets(self) -> int:
        """Bytes in the body."""
        return self.end - self.body_start

    @property
    def is_multipart(self) -> bool:
        """Whether ``parts`` are the parts of a multipart."""
        return bool(self.parts) and self.content.main == b"multipart"

    @property
    def is_message(self) -> bool:
        """Whether ``parts[0]`` is an embedded message."""
        return bool(self.parts) and self.content.main == b"message"


def describing_fields(block: bytes) -> dict[bytes, bytes]:
    """What ``Part.fields`` holds of a header block."""
    return {name: found[0] for name, found in collect(block, _DESCRIBING).items()}


def parse(message: bytes) -> Part:
    """The tree of a whole message."""
    head = _read_head(message)
    if head is None or head.content.main in _WITH_PARTS:
        return _Parser(message, head).run()
    # What the parser would find, in half the time.
    lines, end = message.count(b"\n", head.end), len(message)
    return Part(0, head.end, end, head.content, head.fields, lines)


class _Head(NamedTuple):
    """The header of a part: where it ends, what it says of the part."""

    end: int
    fields: dict[bytes, bytes]
    content: ContentType


def _read_head(message: bytes) -> _Head | None:
    """The header of a message, if it ends with a blank line and is none of the odd ones."""
    blank = None if message[:1] in b"\r\n" else _BLANK.search(message, 0, MAX_HEADER)
    if blank is None:
        return None
    fields = describing_fields(message[: blank.end()])
    return _Head(blank.end(), fields, _content_of(fields, PLAIN))


def _content_of(fields: dict[bytes, bytes], default: ContentType) -> ContentType:
    if b"content-type" not in fields:
        return default
    return parse_content_type(fields[b"content-type"]) or PLAIN


@dataclass(slots=True, frozen=True)
class _Mark:
    """What a boundary line means: it belongs to the part at ``level``; ``final`` has two dashes."""

    level: int
    final: bool


@dataclass(slots=True)
class _Open:
    """A part whose end is not known yet; ``hidden`` are the boundary lines it has taught the
    parser, with what they meant before."""

    part: Part
    lines_before: int
    hidden: dict[bytes, _Mark | None] = field(default_factory=dict)


class _Parser:
    """One pass over the message; ``steps`` counts its turns, for tests of linearity."""

    def __init__(self, data: bytes, head: _Head | None = None) -> None:
        self._data = data
        self._head = head  # of the message itself, where it was read already
        self._stack: list[_Open] = []
        self._marks: dict[bytes, _Mark] = {}
        self._parts = 0
        self._lines = 0
        self._lines_at = 0
        self.steps = 0

    def run(self) -> Part:
        root, pos = self._begin(0, PLAIN)
        while self._marks and (found := self._next_mark(pos)):
            line_start, pos, mark = found
            if not mark.final and self._parts >= MAX_PARTS:
                break
            self._close_above(mark.level, self._before_line(line_start))
            if mark.final:
                self._forget_boundary(self._stack[mark.level])
            else:
                pos = self._begin_child(self._stack[mark.level].part, pos)
        self._close_above(-1, len(self._data))
        return root

    # -------------------------------------------------------------- beginning of parts

    def _begin(self, start: int, default: ContentType) -> tuple[Part, int]:
        """Open the part at ``start``, and the messages that nest directly in it; where to go on."""
        first = part = self._open(start, default)
        while _holds_message(part.content):
            child = self._open(part.body_start, PLAIN)
            part.parts.append(child)
            part = child
        return first, part.body_start

    def _begin_child(self, parent: Part, start: int) -> int:
        # RFC 2046 5.1.5: in a digest, parts are messages unless they say otherwise.
        digest = parent.content.is_(b"multipart", b"digest")
        child, pos = self._begin(start, EMBEDDED if digest else PLAIN)
        parent.parts.append(child)
        return pos

    def _open(self, start: int, default: ContentType) -> Part:
        body_start, fields, content = self._head or self._read(start, default)
        self._head = None
        self._parts += 1
        full = len(self._stack) + 1 >= MAX_DEPTH or self._parts >= MAX_PARTS
        boundary = _boundary(content)
        if content.main == b"multipart" and not boundary:
            content = PLAIN
        elif full and (boundary or _holds_message(content)):
            content, boundary = OPAQUE, b""
        opened = _Open(Part(start, body_start, body_start, content, fields), 0)
        opened.lines_before = self._lines_to(body_start)
        self._stack.append(opened)
        if boundary:
            self._learn_boundary(opened, boundary)
        return opened.part

    def _read(self, start: int, default: ContentType) -> _Head:
        end = self._header_end(start)
        fields = describing_fields(self._data[start:end])
        return _Head(end, fields, _content_of(fields, default))

    def _header_end(self, start: int) -> int:
        """Where the body starts: after the blank line, at an outer boundary, or at the end."""
        data, pos = self._data, start
        limit = min(len(data), start + MAX_HEADER)
        if data.startswith((b"\r\n", b"\n"), start):
            return start + (2 if data[start] == 0x0D else 1)
        if data.startswith(b"--", start) and self._mark_at(start)[1]:
            return start
        while stop := _HEADER_STOP.search(data, pos, limit):
            self.steps += 1
            if stop[0][-1:] == b"\n":
                return stop.end()
            if self._mark_at(stop.start() + 1)[1]:
                return stop.start() + 1
            pos = stop.end()
        if limit == len(data):
            return limit
        return data.rfind(b"\n", start, limit) + 1 or limit

    # -------------------------------------------------------------- boundary lines

    def _learn_boundary(self, opened: _Open, boundary: bytes) -> None:
        level = len(self._stack) - 1
        for final in (False, True):
            line = b"--" + boundary + (b"--" if final else b"")
            opened.hidden[line] = self._marks.get(line)
            # RFC 2046 5.1.2: where an inner part uses an outer one's boundary, the inner counts.
            self._marks[line] = _Mark(level, final)

    def _forget_boundary(self, opened: _Open) -> None:
        for line, before in opened.hidden.items():
            if before is None:
                del self._marks[line]
            else:
                self._marks[line] = before
        opened.hidden = {}

    def _mark_at(self, start: int) -> tuple[int, _Mark | None]:
        """The end of the line at ``start``, and what it means as a boundary line."""
        newline = self._data.find(b"\n", start)
        end = newline + 1 if newline >= 0 else len(self._data)
        if end - start > 2 * MAX_BOUNDARY:
            return end, None
        # RFC 2046 5.1.1 "transport-padding": white space after the boundary does not count. All
        # else does, so that one boundary may begin with another.
        return end, self._marks.get(self._data[start:end].rstrip(b" \t\r\n"))

    def _next_mark(self, pos: int) -> tuple[int, int, _Mark] | None:
        """The next boundary line at or after ``pos`` (a line's start): its start, end, meaning."""
        while (found := self._data.find(b"\n--", max(pos - 1, 0))) >= 0:
            self.steps += 1
            pos, mark = self._mark_at(found + 1)
            if mark:
                return found + 1, pos, mark
        return None

    def _before_line(self, line_start: int) -> int:
        # RFC 2046 5.1.1: the line end before a boundary line belongs to the boundary.
        crlf = self._data[line_start - 2 : line_start] == b"\r\n"
        return line_start - (2 if crlf else 1)

    # -------------------------------------------------------------- end of parts

    def _close_above(self, level: int, end: int) -> None:
        """End the open parts deeper than ``level`` at ``end``, or where their header does if that
        is later (a blank line before the boundary line is taken as the header's)."""
        while len(self._stack) > level + 1:
            opened = self._stack.pop()
            self._forget_boundary(opened)
            part = opened.part
            part.end = end = max(end, part.body_start)
            part.body_lines = self._lines_to(end) - opened.lines_before
            if part.content.main == b"multipart" and not part.parts:
                # RFC 9051 9 "body-type-mpart": there is at least one part, so an empty one it is.
                part.parts.append(Part(end, end, end, PLAIN, {}))

    def _lines_to(self, pos: int) -> int:
        """Line ends before ``pos``; asked in ascending order, each byte is looked at once."""
        self._lines += self._data.count(b"\n", self._lines_at, pos)
        self._lines_at = max(self._lines_at, pos)
        return self._lines


def _holds_message(content: ContentType) -> bool:
    """RFC 2046 5.2.1, 6532 3.7: the two types whose body is a message."""
    return content.main == b"message" and content.sub in (b"rfc822", b"global")


def _boundary(content: ContentType) -> bytes:
    """The boundary of a multipart, empty where there is none that could occur."""
    if content.main != b"multipart":
        return b""
    # RFC 2046 5.1.1 "bcharsnospace": a boundary does not end in white space.
    boundary = (content.get(b"boundary") or b"").rstrip()
    return boundary if len(boundary) <= MAX_BOUNDARY else b""
