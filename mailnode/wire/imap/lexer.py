"""The words of an IMAP command: a cursor that reads them off one by one.

Promises: every reader either takes a whole word or raises ``Wrong`` with the offset; no reader
looks at an octet more often than a constant number of times.
RFC: 3501/9051 9.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from mailnode.wire.imap import utf7
from mailnode.wire.imap.ast import Fault, Literal
from mailnode.wire.imap.receiver import RawCommand
from mailnode.wire.imap.sets import STAR, SequenceSet

T = TypeVar("T")

# RFC 9051 9 "ATOM-CHAR", "ASTRING-CHAR", "list-char", "tag".
ATOM = re.compile(rb"[^\x00-\x20(){%*\"\\\]\x7f-\xff]+")
ASTRING = re.compile(rb"[^\x00-\x20(){%*\"\\\x7f-\xff]+")
LIST_WORD = re.compile(rb"[^\x00-\x20(){\"\\\x7f-\xff]+")
TAG = re.compile(rb"[^\x00-\x20(){%*\"\\+\x7f-\xff]+")
NAME = re.compile(rb"[A-Za-z][A-Za-z0-9.\-]*")
_QUOTED = re.compile(rb'"([^"\\\x00\r\n]*(?:\\["\\][^"\\\x00\r\n]*)*)"')
_SPACES_ONLY = re.compile(rb" *\Z")
_ESCAPED = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"[0-9]{1,20}")
_SET = re.compile(rb"[0-9*:,]+")
_RANGE = re.compile(rb"([1-9][0-9]{0,9}|\*)(?::([1-9][0-9]{0,9}|\*))?\Z")

UINT32 = (1 << 32) - 1
# RFC 7162 7 "mod-sequence-value": 63 bits.
UINT63 = (1 << 63) - 1


class Wrong(Exception):
    """The command cannot be read further; never leaves ``wire/imap``."""

    def __init__(self, text: str, offset: int = 0, fault: Fault = Fault.SYNTAX) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one kind a command may hold."""

    depth: int = 100  # nesting of search keys
    keys: int = 5000  # search keys
    items: int = 2000  # members of a list: FETCH items, header fields, patterns, messages
    ranges: int = 20000  # ranges of a sequence set
    letters: int = 65536  # of LIST's patterns, its reference before each


class Cursor:
    """Reads a ``RawCommand`` from the left. ``utf8``: names and strings are UTF-8 (RFC 6855)."""

    def __init__(self, raw: RawCommand, bounds: Bounds, utf8: bool) -> None:
        self._raw = raw
        self.bounds = bounds
        self.utf8 = utf8
        self._chunk = 0
        self._text = raw.chunks[0]
        self._at = 0

    # -------------------------------------------------------------- looking

    def fail(self, text: str, fault: Fault = Fault.SYNTAX) -> NoReturn:
        """Give up here."""
        raise Wrong(text, self._at, fault)

    def at(self, octet: bytes) -> bool:
        """True when the next octet is this one."""
        return self._text.startswith(octet, self._at)

    def at_literal(self) -> bool:
        """True when a literal comes next."""
        return self._at == len(self._text) and self._chunk < len(self._raw.literals)

    def at_end(self) -> bool:
        """True when nothing but spaces is left (some clients leave one behind)."""
        last = self._chunk == len(self._raw.literals)
        return last and bool(_SPACES_ONLY.match(self._text, self._at))

    def rest(self) -> bytes | None:
        """All that is left, as it stands; ``None`` where a literal is in it."""
        last = self._chunk == len(self._raw.literals)
        return self._text[self._at :] if last else None

    def end(self) -> None:
        """Nothing may follow."""
        if not self.at_end():
            self.fail("unexpected text behind the command")

    def take(self, octets: bytes) -> bool:
        """Step over ``octets`` if they come next."""
        if not self.at(octets):
            return False
        self._at += len(octets)
        return True

    def skip(self, pattern: re.Pattern[bytes]) -> bool:
        """Step over ``pattern`` if it comes next."""
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found is not None

    def expect(self, octets: bytes, name: str) -> None:
        """Step over ``octets``, which must come next."""
        if not self.take(octets):
            self.fail(f"expected {name}")

    def space(self) -> None:
        """Exactly one space."""
        self.expect(b" ", "space")

    def match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """The longest ``pattern`` here."""
        found = pattern.match(self._text, self._at)
        if not found:
            self.fail(f"expected {what}")
        self._at = found.end()
        return found[0]

    # -------------------------------------------------------------- words

    def word(self, what: str) -> str:
        """A keyword of the grammar, in upper case."""
        return self.match(NAME, what).decode().upper()

    def atom(self, what: str) -> str:
        """An atom, as written."""
        return self.match(ATOM, what).decode()

    def number(self, what: str, least: int = 0, most: int = UINT32) -> int:
        """A number within these bounds."""
        value = int(self.match(_NUMBER, what))
        if not least <= value <= most:
            self.fail(f"{what} out of range")
        return value

    def quoted(self) -> bytes:
        """A quoted string, unquoted. 8-bit octets must be UTF-8 (RFC 9051 9 "QUOTED-CHAR");
        accepted from clients that did not enable UTF-8 as well."""
        found = _QUOTED.match(self._text, self._at)
        if not found:
            self.fail("quoted string has no end or a forbidden character")
        value = _ESCAPED.sub(rb"\1", found[1]) if b"\\" in found[1] else found[1]
        if not value.isascii():
            self.utf8_text(value)
        self._at = found.end()
        return value

    def utf8_text(self, value: bytes) -> str:
        """``value`` as text."""
        try:
            return value.decode()
        except UnicodeDecodeError:
            self.fail("string is not UTF-8")

    def any_literal(self) -> Literal:
        """The literal that comes next, streamed or not."""
        if not self.at_literal():
            self.fail("expected literal")
        found = self._raw.literals[self._chunk]
        self._chunk += 1
        self._text = self._raw.chunks[self._chunk]
        self._at = 0
        return found

    def literal(self) -> bytes:
        """A literal in memory. RFC 9051 9 "literal": no NUL outside literal8."""
        found = self.any_literal()
        if found.data is None:
            self.fail("literal too long here", Fault.TOO_LONG)
        if not found.binary and b"\0" in found.data:
            self.fail("NUL in literal")
        return found.data

    def string(self) -> bytes:
        """A quoted string or literal."""
        if self.at(b'"'):
            return self.quoted()
        if not self.at_literal():
            self.fail("expected string")
        return self.literal()

    def astring(self) -> bytes:
        """An atom (``]`` allowed) or string."""
        if self.at(b'"') or self.at_literal():
            return self.string()
        return self.match(ASTRING, "string")

    def nstring(self) -> bytes | None:
        """A string or NIL."""
        if self._text[self._at : self._at + 3].upper() == b"NIL":
            self._at += 3
            return None
        return self.string()

    # -------------------------------------------------------------- composites

    def mailbox(self) -> str:
        """A mailbox name."""
        return self.name(self.astring())

    def list_pattern(self) -> str:
        """A mailbox name that may hold ``*`` and ``%``."""
        if self.at(b'"') or self.at_literal():
            return self.decode_name(self.string())
        return self.decode_name(self.match(LIST_WORD, "mailbox pattern"))

    def name(self, raw: bytes) -> str:
        """``raw`` as mailbox name with INBOX spelt as such (RFC 9051 5.1; its children too)."""
        decoded = self.decode_name(raw)
        first, slash, rest = decoded.partition("/")
        return "INBOX" + slash + rest if first.upper() == "INBOX" else decoded

    def decode_name(self, raw: bytes) -> str:
        """Modified UTF-7, or UTF-8 once enabled.

        Leniency: what is neither is kept letter by letter, so that ``A&B`` names one mailbox,
        which LIST will spell ``A&-B``; and 8-bit names are UTF-8 without ENABLE, too.
        """
        if self.utf8 or not raw.isascii():
            return self.utf8_text(raw)
        decoded = utf7.decode(raw)
        return raw.decode() if decoded is None else decoded

    def is_misspelt(self, raw: bytes) -> bool:
        """Is this neither modified UTF-7 nor, once enabled, UTF-8?"""
        return not self.utf8 and utf7.decode(raw) is None

    def sequence_set(self) -> SequenceSet:
        """A sequence set, or ``$`` for the saved one (RFC 5182)."""
        if self.take(b"$"):
            return SequenceSet((), saved=True)
        parts = self.match(_SET, "sequence set").split(b",")
        if len(parts) > self.bounds.ranges:
            self.fail("sequence set has too many ranges", Fault.TOO_LONG)
        return SequenceSet(tuple(map(self._range, parts)))

    def _range(self, part: bytes) -> tuple[int, int]:
        found = _RANGE.match(part)
        if not found:
            self.fail("invalid sequence set")
        first = _place(found[1])
        last = _place(found[2]) if found[2] else first
        if max(first, last) > UINT32:
            self.fail("number in sequence set out of range")
        return first, last

    def listed(self, member: Callable[[], T], what: str) -> list[T]:
        """``(member member …)``, empty allowed."""
        self.expect(b"(", f"list of {what}")
        members: list[T] = []
        while not self.take(b")"):
            if members:
                self.space()
            if len(members) >= self.bounds.items:
                self.fail(f"too many of {what}", Fault.TOO_LONG)
            members.append(member())
        return members


def _place(raw: bytes) -> int:
    return STAR if raw == b"*" else int(raw)
