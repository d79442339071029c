"""BODY and BODYSTRUCTURE of a message, ready to send.

Promises: never raises; always matches the grammar, whatever the mail; linear in size.
RFC: 3501 7.4.2 and 9 ("body"), 9051 7.5.2; 2045, 2183, 1864 (MD5), 3282, 2557, 6532 3.7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.parameters import (
    MAX_VALUE,
    Parameters,
    parse_disposition,
    parse_languages,
    parse_token,
)
from mailnode.wire.mime.strings import format_nstring, format_string
from mailnode.wire.mime.structure import Part

_USUAL_BYTES = 20


def format_both(
    message: bytes, root: Part, show_header: Callable[[bytes], bytes] = bytes
) -> tuple[bytes, bytes]:
    """BODYSTRUCTURE and BODY; ``show_header``: how the headers of embedded messages are shown."""
    writer = _Writer(message, show_header)
    writer.part(root)
    return b"".join(writer.pieces), b"".join(writer.plain)


class _Writer:
    """Collects the pieces, and those of them that are no extension data; recursion is bounded by
    the parser's depth."""

    def __init__(self, message: bytes, show_header: Callable[[bytes], bytes]) -> None:
        self._message, self._show_header = message, show_header
        self.pieces: list[bytes] = []
        self.plain: list[bytes] = []

    def part(self, part: Part) -> None:
        self._add(b"(")
        if part.is_multipart:
            self._multipart(part)
        else:
            self._single(part)
        self._add(b")")

    def _multipart(self, part: Part) -> None:
        for child in part.parts:
            self.part(child)
        self._add(b"", format_string(part.content.sub))
        self._extend(_parameters(part.content.parameters))
        self._placing(part)

    def _single(self, part: Part) -> None:
        content, fields = part.content, part.fields
        self._add(format_string(content.main), format_string(content.sub))
        self._add(
            b"",
            _parameters(content.parameters),
            _text(fields.get(b"content-id")),
            _text(fields.get(b"content-description")),
            format_string(parse_token(fields.get(b"content-transfer-encoding", b"")) or b"7bit"),
            b"%d" % part.octets,
        )
        if part.is_message:
            child = part.parts[0]
            header = self._show_header(self._message[child.start : child.body_start])
            self._add(b"", format_envelope(header), b"")
            self.part(child)
        # RFC 9051 9 "body-type-text", "body-type-msg": these two, and no others, tell their lines.
        if part.is_message or content.main == b"text":
            self._add(b"", b"%d" % part.body_lines)
        self._extend(_text(fields.get(b"content-md5")))
        self._placing(part)

    def _placing(self, part: Part) -> None:
        """Disposition, language and location, which end both kinds of part."""
        self._extend(
            _disposition(part.fields.get(b"content-disposition")),
            _languages(part.fields.get(b"content-language")),
            _location(part.fields.get(b"content-location")),
        )

    def _add(self, *words: bytes) -> None:
        text = b" ".join(words)
        self.pieces.append(text)
        self.plain.append(text)

    def _extend(self, *words: bytes) -> None:
        self.pieces.append(b" " + b" ".join(words))


def _text(value: bytes | None) -> bytes:
    return format_nstring(value[:MAX_VALUE] if value else None)


def _parameters(parameters: Parameters) -> bytes:
    if len(parameters) == 1 and len(parameters[0][1]) <= _USUAL_BYTES:
        return _usual_parameters(parameters)
    return _any_parameters(parameters)


@lru_cache(maxsize=256)
def _usual_parameters(parameters: Parameters) -> bytes:
    """A charset, nearly always."""
    return _any_parameters(parameters)


def _any_parameters(parameters: Parameters) -> bytes:
    if not parameters:
        return b"NIL"
    words = (format_string(word) for pair in parameters for word in pair)
    return b"(" + b" ".join(words) + b")"


def _disposition(value: bytes | None) -> bytes:
    parsed = parse_disposition(value) if value else None
    if parsed is None:
        return b"NIL"
    return b"(" + format_string(parsed.kind) + b" " + _parameters(parsed.parameters) + b")"


def _languages(value: bytes | None) -> bytes:
    tags = [format_string(tag) for tag in parse_languages(value or b"")]
    if not tags:
        return b"NIL"
    # RFC 9051 9 "body-fld-lang": one tag is a plain string.
    return tags[0] if len(tags) == 1 else b"(" + b" ".join(tags) + b")"


def _location(value: bytes | None) -> bytes:
    # RFC 2557 4.1, 2017 3.1: white space in a folded URI is no part of it.
    return _text(b"".join(value[:MAX_VALUE].split())) if value else b"NIL"
