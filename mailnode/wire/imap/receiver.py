"""Octets in, whole commands out: lines, literals and their limits.

Feed what came from the socket, then ask ``next`` until it answers ``None``. Between two
answers the caller may stop asking (a command runs), ask ``next_line`` instead (SASL, IDLE) or
``refuse_literal``.

Promises: linear time however the octets are cut; memory bounded by the limits plus what was fed
unasked; the same events for the same octets.
RFC: 3501/9051 2.2, 4.3, 9 "command", "literal"; 3516 (literal8), 7888 (non-synchronising).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from mailnode.wire.imap.ast import Literal

# RFC 9051 9 "literal", "literal8"; the marker is the end of its line.
_MARKER = re.compile(rb"(~?)\{([0-9]+)(\+?)\}$")
_MARKER_REACH = 64  # octets kept of a line that is thrown away, to see a marker at its end
_TOO_MANY_DIGITS = 19
# Commands whose literals may be as large as a message, and are then streamed.
STORING = frozenset(("APPEND", "REPLACE"))
_HEAD = re.compile(
    rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]{1,128})(?: (?:UID )?([A-Za-z]{1,32}))?", re.I
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one command may cost. Octets, unless said otherwise."""

    line: int = 65536  # all text of a command, literals apart
    literals: int = 1048576  # literals of a command held in memory, in all
    literal_count: int = 1000  # literals of one command
    append: int = 104857600  # one message of APPEND
    stream_above: int = 262144  # larger messages of APPEND come out as a stream
    skip: int = 134217728  # a refused non-synchronising literal is read and dropped up to here


@dataclass(frozen=True, slots=True)
class RawCommand:
    """A whole command: text, literal, text …, so one chunk more than literals; the markers
    ``{n}`` and the final CRLF are cut off."""

    chunks: tuple[bytes, ...]
    literals: tuple[Literal, ...] = ()

    def __repr__(self) -> str:
        # May hold a password: shows its shape only.
        return f"RawCommand({[len(c) for c in self.chunks]}, {len(self.literals)} literals)"


@dataclass(frozen=True, slots=True)
class NeedContinuation:
    """A synchronising literal fits: send ``+ `` (or ``refuse_literal`` and a tagged NO)."""

    size: int
    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class LiteralStart:
    """A message of APPEND begins that is too large for memory. ``sync``: send ``+ `` first.

    ``so_far`` is the command up to here, for whoever wants to look at the mailbox before the
    octets come; ``refuse_literal`` says no to them.
    """

    size: int
    number: int
    sync: bool
    tag: str
    so_far: RawCommand


@dataclass(frozen=True, slots=True)
class LiteralData:
    """Some octets of the streamed literal ``number``."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class LiteralEnd:
    """The streamed literal ``number`` is complete."""

    number: int


@dataclass(frozen=True, slots=True)
class LineTooLong:
    """Answer BAD; the rest of the command is dropped. ``tag`` is ``""`` if unreadable."""

    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class LiteralTooBig:
    """Answer NO (``[TOOBIG]`` for APPEND); the rest of the command is dropped.

    ``fatal``: the client will send more than we care to read, so say BYE and close.
    """

    size: int
    tag: str
    name: str
    sync: bool
    fatal: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A bare line, asked for by ``next_line``; without its line end."""

    data: bytes

    def __repr__(self) -> str:
        return f"Line({len(self.data)} octets)"


@dataclass(frozen=True, slots=True)
class Breath:
    """There is more input, but it costs time: let others have their turn, then ask again."""


Event = (
    RawCommand
    | Breath
    | NeedContinuation
    | LiteralStart
    | LiteralData
    | LiteralEnd
    | LineTooLong
    | LiteralTooBig
)


class _State(Enum):
    TEXT = auto()  # reading a line of the command
    HOLD = auto()  # waiting for a literal that is kept in memory
    STREAM = auto()  # handing out a literal
    SKIP = auto()  # dropping a literal


class _More(Enum):
    AGAIN = auto()  # a step without an event


class Receiver:
    """One connection's input. Not thread-safe."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._buffer = bytearray()
        self._scanned = 0
        self._reset()

    def _reset(self) -> None:
        self._state = _State.TEXT
        self._dropping = False
        self._chunks: list[bytes] = []
        self._literals: list[Literal] = []
        self._text_size = self._held_size = 0
        self._left = 0  # octets of the current literal still to come
        self._current = Literal(0)
        self._sync = False
        self._head: tuple[str, str] | None = None

    # -------------------------------------------------------------- for the caller

    def feed(self, data: bytes) -> None:
        """Take what came from the socket."""
        self._buffer += data

    def __len__(self) -> int:
        """Octets fed and not yet understood."""
        return len(self._buffer)

    def discard(self) -> int:
        """Forget all input not yet understood, and count it.

        RFC 9051 6.2.1: nothing sent in clear behind STARTTLS may be taken for a command.
        """
        count = len(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        self._reset()
        return count

    def rest(self) -> bytes:
        """Take out all input not yet understood, for whoever reads it from now on."""
        rest = bytes(self._buffer)
        self.discard()
        return rest

    def next(self) -> Event | None:
        """The next event; ``None`` when more octets are needed."""
        event = self._read_text() if self._state is _State.TEXT else self._step()
        while event is _More.AGAIN:
            event = self._step()
        return event

    def next_line(self, limit: int) -> Line | LineTooLong | None:
        """The next line as it is, for what follows a ``+ `` of ours. ``limit`` in octets.

        A line too long is dropped up to its end.
        """
        while self._dropping:
            if self._step() is None:
                return None
        line = self._take_line()
        if line is None:
            return self._drop_line(0) if len(self._buffer) > limit + 1 else None
        return Line(line) if len(line) <= limit else LineTooLong("", "")

    def refuse_literal(self) -> None:
        """Do not take the literal just announced, nor the rest of its command.

        Right after ``NeedContinuation`` or ``LiteralStart`` only; the caller answers tagged.
        """
        if self._sync:
            self._reset()  # RFC 9051 4.3: without "+" the client sends no octets
        else:
            self._dropping = True
            self._state = _State.SKIP

    # -------------------------------------------------------------- steps

    def _step(self) -> Event | _More | None:
        if self._state is _State.TEXT:
            return self._read_text()
        if self._state is _State.HOLD:
            return self._hold()
        return self._stream() if self._state is _State.STREAM else self._skip()

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        self._scanned = 0
        # RFC 9051 9 "command" ends in CRLF. Leniency: a lone LF ends it too (people with telnet).
        stop = end - 1 if end and self._buffer[end - 1] == 13 else end
        line = bytes(self._buffer[:stop])
        del self._buffer[: end + 1]
        return line

    def _read_text(self) -> Event | _More | None:
        line = self._take_line()
        if self._dropping:
            return self._drop_text(line)
        room = self.limits.line - self._text_size
        if line is None:
            # One octet more than the limit may be the CR.
            return self._drop_line(room) if len(self._buffer) > room + 1 else None
        if len(line) > room:
            event = LineTooLong(*self._named(line[:room]))
            self._after_dropped(line)
            return event
        marker = _MARKER.search(line) if line.endswith(b"}") else None
        if marker:
            return self._literal(line[: marker.start()], marker)
        if not self._chunks:  # nothing else of it has been kept
            self._head = None
            return RawCommand((line,))
        command = RawCommand((*self._chunks, line), tuple(self._literals))
        self._reset()
        return command

    def _drop_line(self, room: int) -> LineTooLong:
        """The line has no end yet and is too long already."""
        tag, name = self._named(bytes(self._buffer[:room]))
        self._dropping = True
        self._cut_to_tail()
        return LineTooLong(tag, name)

    def _drop_text(self, line: bytes | None) -> _More | None:
        if line is None:
            self._cut_to_tail()
            return None
        self._after_dropped(line)
        return _More.AGAIN

    def _after_dropped(self, line: bytes) -> None:
        """A line of a dropped command ended: go on behind it, or behind its literal."""
        marker = _MARKER.search(line[-_MARKER_REACH:])
        if not (marker and marker[3]):
            self._reset()
            return
        self._dropping = True
        self._left = _size(marker)
        self._state = _State.SKIP

    def _cut_to_tail(self) -> None:
        if len(self._buffer) > _MARKER_REACH:
            del self._buffer[:-_MARKER_REACH]
        self._scanned = len(self._buffer)

    # -------------------------------------------------------------- literals

    def _literal(self, text: bytes, marker: re.Match[bytes]) -> Event | _More:
        size = _size(marker)
        self._sync = not marker[3]
        tag, name = self._named(text)
        self._chunks.append(text)
        self._text_size += len(text) + len(marker[0])
        self._left = size
        self._current = Literal(size, None, len(self._literals), bool(marker[1]))
        if size > self._room_for(name):
            return self._too_big(size, tag, name)
        if self._streams(name, size):
            self._literals.append(self._current)
            self._state = _State.STREAM
            so_far = RawCommand(tuple(self._chunks), tuple(self._literals[:-1]))
            return LiteralStart(size, self._current.number, self._sync, tag, so_far)
        self._state = _State.HOLD
        return NeedContinuation(size, tag, name) if self._sync else _More.AGAIN

    def _room_for(self, name: str) -> int:
        if len(self._literals) >= self.limits.literal_count:
            return -1
        if name in STORING:
            return self.limits.append
        return self.limits.literals - self._held_size

    def _streams(self, name: str, size: int) -> bool:
        too_large = size > self.limits.stream_above
        return name in STORING and (too_large or self._held_size + size > self.limits.literals)

    def _too_big(self, size: int, tag: str, name: str) -> LiteralTooBig:
        sync = self._sync
        self.refuse_literal()
        # RFC 7888 4: a non-synchronising literal is coming anyway; read it and throw it away,
        # or close the connection when it is beyond all measure.
        return LiteralTooBig(size, tag, name, sync, not sync and size > self.limits.skip)

    def _hold(self) -> _More | None:
        if len(self._buffer) < self._left:
            return None
        data = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        was = self._current
        self._literals.append(Literal(was.size, data, was.number, was.binary))
        self._held_size += len(data)
        self._state = _State.TEXT
        return _More.AGAIN

    def _stream(self) -> Event | None:
        if not self._left:
            self._state = _State.TEXT
            return LiteralEnd(self._current.number)
        data = self._take_some()
        return LiteralData(self._current.number, data) if data else None

    def _skip(self) -> _More | None:
        self._take_some()
        if self._left:
            return None
        self._state = _State.TEXT
        return _More.AGAIN

    def _take_some(self) -> bytes:
        data = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(data)
        return data

    def _named(self, text: bytes) -> tuple[str, str]:
        """Tag and command of the current command, as far as they can be read."""
        if self._head is None:
            match = _HEAD.match(self._chunks[0] if self._chunks else text)
            tag, name = (match[1], match[2] or b"") if match else (b"", b"")
            self._head = (tag.decode(), name.decode().upper())
        return self._head


def _size(marker: re.Match[bytes]) -> int:
    # More digits than any size has: beyond every limit, whatever they say.
    return int(marker[2]) if len(marker[2]) <= _TOO_MANY_DIGITS else 1 << 63
