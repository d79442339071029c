"""Address lists of header fields, as IMAP's ENVELOPE wants them.

Promises: linear time; at most ``MAX_ADDRESSES`` of at most ``MAX_VALUE`` bytes of text are read;
garbage yields addresses with empty parts, never an exception.
RFC: 5322 3.4, 4.4 (obsolete routes, white space anywhere), 3501 7.4.2 (address structure).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailnode.wire.mime.lexical import read_comment, read_quoted, skip_space

MAX_VALUE = 512 * 1024
MAX_ADDRESSES = 10_000

# An encoded word is one word even where it holds what RFC 2047 5 forbids there.
_ATOM = re.compile(rb"=\?[^?\s]+\?[bBqQ]\?[^?\r\n]*\?=|[^\x00-\x20()<>@,;:\"\[.]+")
_LITERAL = re.compile(rb"\[[^\]]*\]?")
# What nearly every address is: ``First Last <local@host>``, ``"Last, First" <local@host>`` or
# ``local@host``, up to a comma or the end. An encoded word is left to the reader.
_USUAL = re.compile(
    rb"[ \t]*(?:"
    rb"(?:([\w'.-]+(?: [\w'.-]+)*)? *|\"([^\"\\\x00-\x1f\x7f]*)\" *)<([\w.+-]+)@([\w.-]+)>"
    rb"|([\w.+-]+)@([\w.-]+)"
    rb")[ \t]*(?:,|\Z)"
)
_WORD, _MARK, _COMMENT = "word", "mark", "comment"


class ImapAddress(NamedTuple):
    """An address structure. ``host`` ``None`` opens a group called ``mailbox``; both ``None`` end
    it.

    A missing mailbox or host of a real address is empty, since ``None`` would read as a group.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


GROUP_END = ImapAddress(None, None, None, None)


class _Token(NamedTuple):
    kind: str
    text: bytes
    spaced: bool  # white space stood before it


def parse_addresses(value: bytes) -> list[ImapAddress]:
    """The addresses and group marks of an unfolded field value."""
    value = value[:MAX_VALUE]
    return _usual_addresses(value) or _any_addresses(value)


def _usual_addresses(value: bytes) -> list[ImapAddress]:
    """What ``_any_addresses`` gives where all addresses are of the usual forms, else nothing."""
    found: list[ImapAddress] = []
    pos, end = 0, len(value.rstrip(b" \t"))
    while pos < end and len(found) < MAX_ADDRESSES:
        match = _USUAL.match(value, pos)
        if match is None:
            return []
        name, quoted, local, host, bare, bare_host = match.groups()
        name = name or (quoted.strip() if quoted else None) or None
        found.append(ImapAddress(name, None, local or bare, host or bare_host))
        pos = match.end()
    return found


def _any_addresses(value: bytes) -> list[ImapAddress]:
    reader = _Reader(value)
    found: list[ImapAddress] = []
    in_group = False
    while not reader.at_end and len(found) < MAX_ADDRESSES:
        tokens = reader.until(b",;:<>")
        stop = reader.take()
        if stop == b":" and not in_group and not _has_at(tokens):
            in_group = True
            found.append(ImapAddress(None, None, _phrase(tokens), None))
        elif stop == b"<":
            found.append(_angle_address(reader, tokens))
        elif any(token.kind != _COMMENT for token in tokens):
            found.append(_address(tokens, _comment(tokens), None))
        if stop == b";" and in_group:
            in_group = False
            found.append(GROUP_END)
    if in_group:
        found.append(GROUP_END)
    return found


class _Reader:
    """Cuts a value into tokens."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._pos = skip_space(value, 0)

    @property
    def at_end(self) -> bool:
        return self._pos >= len(self._value)

    def peek(self) -> bytes:
        """The next byte, empty at the end."""
        return self._value[self._pos : self._pos + 1]

    def take(self) -> bytes:
        """The next byte, passed over."""
        char = self.peek()
        self._pos += len(char)
        return char

    def until(self, stops: bytes) -> list[_Token]:
        """Tokens up to one of the one-byte ``stops`` (left where it is) or the end."""
        tokens: list[_Token] = []
        while True:
            before = self._pos
            self._pos = skip_space(self._value, before)
            char = self.peek()
            if not char or char in stops:
                return tokens
            tokens.append(self._token(char, self._pos > before))

    def _token(self, char: bytes, spaced: bool) -> _Token:
        value, pos = self._value, self._pos
        if char == b'"':
            text, self._pos = read_quoted(value, pos)
            return _Token(_WORD, text, spaced)
        if char == b"(":
            text, self._pos = read_comment(value, pos)
            return _Token(_COMMENT, text, spaced)
        match = (_LITERAL if char == b"[" else _ATOM).match(value, pos)
        if match:
            self._pos = match.end()
            return _Token(_WORD, match[0], spaced)
        self._pos += 1
        return _Token(_MARK, char, spaced)


def _angle_address(reader: _Reader, before: list[_Token]) -> ImapAddress:
    """The address whose ``<`` was just passed; ends at its ``>`` or at the separator."""
    while reader.peek() == b"<":
        reader.take()
    tokens: list[_Token] = []
    route: bytes | None = None
    # RFC 5322 4.4 "obs-route": a list of domains before the address proper. It starts with "@".
    if reader.peek() == b"@":
        tokens = reader.until(b":;<>")
        if reader.peek() == b":":
            reader.take()
            route, tokens = b"".join(token.text for token in _visible(tokens)), []
    tokens += reader.until(b",;<>")
    if reader.peek() == b">":
        reader.take()
        after = reader.until(b",;")
    else:
        after = []
    name = _phrase(before) or _comment(before + tokens + after)
    return _address(tokens, name, route)


def _visible(tokens: list[_Token]) -> list[_Token]:
    return [token for token in tokens if token.kind != _COMMENT]


def _has_at(tokens: list[_Token]) -> bool:
    return any(token.kind == _MARK and token.text == b"@" for token in tokens)


def _phrase(tokens: list[_Token]) -> bytes:
    """A display name: words with the white space between them made one blank each."""
    return b"".join(
        (b" " if token.spaced else b"") + token.text for token in _visible(tokens)
    ).strip()


def _comment(tokens: list[_Token]) -> bytes | None:
    """The last comment: where people's names stood before RFC 822 (RFC 5322 3.4)."""
    texts = [token.text.strip() for token in tokens if token.kind == _COMMENT]
    return texts[-1] or None if texts else None


def _address(tokens: list[_Token], name: bytes | None, route: bytes | None) -> ImapAddress:
    tokens = _visible(tokens)
    marks = [i for i, token in enumerate(tokens) if token.kind == _MARK and token.text == b"@"]
    cut = marks[-1] if marks else len(tokens)
    return ImapAddress(name or None, route, _dotted(tokens[:cut]), _dotted(tokens[cut + 1 :]))


def _dotted(tokens: list[_Token]) -> bytes:
    """A local part or domain: white space goes, save between two words, where it is someone's
    mistake that must stay visible."""
    pieces: list[bytes] = []
    after_word = False
    for token in tokens:
        word = token.kind == _WORD
        pieces.append(b" " if word and after_word and token.spaced else b"")
        pieces.append(token.text)
        after_word = word
    return b"".join(pieces)
