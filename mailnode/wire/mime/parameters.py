"""Content-Type, Content-Disposition and the other fields that describe a part.

Promises: linear in the field's length, of which at most ``MAX_VALUE`` bytes are read; garbage
costs at most the parameter it stands in; never raises.
RFC: 2045 5.1, 2183 2, 2231 3 (continuations) and 4 (charset), 3282 (language), 2557 4 (location).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote_from_bytes, unquote_to_bytes

from mailnode.wire.mime.charset import decode_text
from mailnode.wire.mime.lexical import read_quoted, skip_blank
from mailnode.wire.mime.words import decode_words

MAX_VALUE = 64 * 1024
MAX_PARAMETERS = 512
_USUAL_BYTES = 200

Parameters = tuple[tuple[bytes, bytes], ...]

_TOKEN = re.compile(rb"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+")
_NAME = re.compile(rb"([^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+)[ \t]*=")
_BARE_WORD = re.compile(rb"[^\s;(]+")
_BLANK = re.compile(rb"[ \t\r\n]*")
_SECTION = re.compile(rb"(.+?)(?:\*(0|[1-9][0-9]{0,3}))?(\*?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type; ``main`` and ``sub`` in lower case, parameter names too."""

    main: bytes
    sub: bytes
    parameters: Parameters = ()

    def get(self, name: bytes) -> bytes | None:
        """The first parameter of this (lower-case) name, charset notation undone."""
        for key, value in self.parameters:
            if key == name:
                return value
            if key == name + b"*":
                return decode_extended(value).encode()
        return None

    def is_(self, main: bytes, sub: bytes = b"") -> bool:
        """Whether this is ``main/sub``, or ``main/anything`` without ``sub``."""
        return self.main == main and sub in (b"", self.sub)


@dataclass(frozen=True, slots=True)
class Disposition:
    """A Content-Disposition; ``kind`` in lower case."""

    kind: bytes
    parameters: Parameters = ()


# RFC 2045 5.2: what a body without (usable) Content-Type is.
PLAIN = ContentType(b"text", b"plain", ((b"charset", b"us-ascii"),))
EMBEDDED = ContentType(b"message", b"rfc822")


def parse_content_type(value: bytes) -> ContentType | None:
    """A Content-Type value (unfolded), or ``None`` where there is no type in it."""
    # Boundaries are of one message each; all others are the same few again and again.
    if len(value) <= _USUAL_BYTES and b"boundary" not in value:
        return _usual_type(value)
    return _content_type(value[:MAX_VALUE])


@lru_cache(maxsize=1024)
def _usual_type(value: bytes) -> ContentType | None:
    return _content_type(value)


def _content_type(value: bytes) -> ContentType | None:
    main, pos = _token(value, skip_blank(value, 0))
    if not main:
        return None
    pos = skip_blank(value, pos)
    sub = b""
    if value[pos : pos + 1] == b"/":
        sub, pos = _token(value, skip_blank(value, pos + 1))
    if not sub:
        # A lone "text" was the old way (RFC 1049) to say text/plain; other lone words say nothing.
        if main != b"text":
            return None
        sub = b"plain"
    return ContentType(main, sub, parse_parameters(value, pos))


def parse_disposition(value: bytes) -> Disposition | None:
    """A Content-Disposition value (unfolded), or ``None`` where there is no word in it."""
    value = value[:MAX_VALUE]
    kind, pos = _token(value, skip_blank(value, 0))
    return Disposition(kind, parse_parameters(value, pos)) if kind else None


def parse_token(value: bytes) -> bytes:
    """The first word in lower case, as Content-Transfer-Encoding has it; empty if none."""
    value = value[:MAX_VALUE]
    return _token(value, skip_blank(value, 0))[0]


def parse_languages(value: bytes) -> list[bytes]:
    """The tags of a Content-Language value."""
    value, pos = value[:MAX_VALUE], 0
    tags: list[bytes] = []
    while pos < len(value) and len(tags) < MAX_PARAMETERS:
        start = skip_blank(value, pos)
        match = _TOKEN.match(value, start)
        if match:
            tags.append(match[0])
        pos = match.end() if match else start + 1
    return tags


def _token(value: bytes, pos: int) -> tuple[bytes, int]:
    match = _TOKEN.match(value, pos)
    return (match[0].lower(), match.end()) if match else (b"", pos)


def parse_parameters(value: bytes, pos: int) -> Parameters:
    """The parameters from ``pos`` on; RFC 2231 continuations are joined to one ``name`` or, with
    charset notation, one ``name*``. Of equal names the first counts, and stands alone."""
    pairs: dict[bytes, bytes] = {}
    while len(pairs) < MAX_PARAMETERS:
        pos = skip_blank(value, pos)
        if pos >= len(value):
            break
        match = _NAME.match(value, pos)
        if match is None:
            pos = _next_separator(value, pos)
            continue
        content, pos = _parameter_value(value, skip_blank(value, match.end()))
        pairs.setdefault(match[1].lower(), content)
    return _join_continuations(pairs)


def _next_separator(value: bytes, pos: int) -> int:
    if value[pos : pos + 1] == b'"':
        return read_quoted(value, pos)[1]
    found = value.find(b";", pos)
    return len(value) if found < 0 else found + 1


def _parameter_value(value: bytes, pos: int) -> tuple[bytes, int]:
    """A quoted string, or words up to the next ``;``, comment or ``name=``.

    Senders leave file names with spaces and boundaries with ``=`` or ``/`` unquoted; and some
    forget the ``;``.
    """
    if value[pos : pos + 1] == b'"':
        return read_quoted(value, pos)
    start = end = pos
    while match := _BARE_WORD.match(value, pos):
        end = match.end()
        blank = _BLANK.match(value, end)
        pos = blank.end() if blank else end
        if _NAME.match(value, pos):
            break
    return value[start:end], max(pos, end)


def _join_continuations(pairs: dict[bytes, bytes]) -> Parameters:
    if not any(b"*" in name for name in pairs):
        return tuple(pairs.items())
    plain: dict[bytes, bytes] = {}
    sections: dict[bytes, dict[int, tuple[bytes, bool]]] = {}
    for name, content in pairs.items():
        match = _SECTION.fullmatch(name)
        if match is None or match[2] is None:
            plain[name] = content
        else:
            section = sections.setdefault(match[1], {})
            section.setdefault(int(match[2]), (content, match[3] == b"*"))
    for base, section in sections.items():
        joined, extended = _join(section)
        plain.setdefault(base + b"*" if extended else base, joined)
    return tuple(plain.items())


def _join(section: dict[int, tuple[bytes, bool]]) -> tuple[bytes, bool]:
    """The sections 0, 1, … up to the first that is missing (RFC 2231 3)."""
    ordered = [section[n] for n in range(len(section)) if n in section and 0 in section]
    if not any(extended for _, extended in ordered):
        return b"".join(content for content, _ in ordered), False
    # RFC 2231 4.1: sections with and without charset notation may be mixed; the joined value is
    # all in that notation. Only the first section can name the charset.
    prefix = b"" if ordered[0][1] else b"''"
    return prefix + b"".join(
        content if extended else quote_from_bytes(content).encode() for content, extended in ordered
    ), True


def decode_extended(value: bytes) -> str:
    """Text of ``charset'language'percent-encoded`` (RFC 2231 4)."""
    charset, _, rest = value.partition(b"'")
    _, mark, text = rest.partition(b"'")
    if not mark:
        return decode_text(unquote_to_bytes(value))
    return decode_text(unquote_to_bytes(text), charset.decode("ascii", "replace"))


def parameter_text(parameters: Parameters, name: bytes) -> str | None:
    """A parameter as people read it (file names): RFC 2231 or, as many send it, RFC 2047 undone."""
    found = dict(parameters)
    if name + b"*" in found:
        return decode_extended(found[name + b"*"])
    return decode_words(found[name]) if name in found else None
