"""The text in a message that SEARCH looks through.

Promises: never raises; at most ``limit`` bytes of a message are decoded; linear time.
RFC: 3501 6.4.4, 9051 6.4.4 (TEXT, BODY), 2045 6, 2047.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailnode.wire.mime.charset import decode_text
from mailnode.wire.mime.header import iterate_fields, unfold
from mailnode.wire.mime.parameters import parse_token
from mailnode.wire.mime.structure import Part
from mailnode.wire.mime.transfer import decode_transfer
from mailnode.wire.mime.words import decode_words

# Text searched in one message. Larger ones are attachments in disguise.
DEFAULT_LIMIT = 32 * 1024 * 1024


def header_text(block: bytes) -> str:
    """A raw header block, unfolded and with encoded words decoded, one field a line."""
    lines = []
    for field in iterate_fields(block):
        name, _, value = field.raw.partition(b":")
        lines.append(f"{decode_text(name)}: {decode_words(unfold(value))}" if field.name else "")
    return "\n".join(lines)


def walk(root: Part) -> Iterator[Part]:
    """A part and all below it, in the order of the message."""
    pending = [root]
    while pending:
        part = pending.pop()
        yield part
        pending += reversed(part.parts)


def part_bytes(message: bytes, part: Part) -> bytes:
    """A leaf's body with its transfer encoding undone."""
    encoding = parse_token(part.fields.get(b"content-transfer-encoding", b""))
    return decode_transfer(message[part.body_start : part.end], encoding)


def part_text(message: bytes, part: Part, limit: int = DEFAULT_LIMIT) -> str:
    """The text of a text part's first ``limit`` bytes."""
    encoding = parse_token(part.fields.get(b"content-transfer-encoding", b""))
    raw = message[part.body_start : min(part.end, part.body_start + limit)]
    charset = part.content.get(b"charset") or b"us-ascii"
    return decode_text(decode_transfer(raw, encoding), charset.decode("ascii", "replace"))


def body_texts(message: bytes, root: Part, limit: int = DEFAULT_LIMIT) -> Iterator[str]:
    """What BODY searches: every text part, and the headers of parts and of messages inside."""
    for part in walk(root):
        if limit <= 0:
            return
        if part is not root and part.body_start > part.start:
            size = min(part.body_start - part.start, limit)
            limit -= size
            yield header_text(message[part.start : part.start + size])
        if part.content.main == b"text" and not part.parts:
            yield part_text(message, part, max(limit, 0))
            limit -= part.octets


def preview(message: bytes, root: Part, characters: int = 200) -> str:
    """The first characters of the first text part, white space made single blanks (RFC 8970)."""
    for part in walk(root):
        if part.content.main == b"text" and not part.parts:
            text = part_text(message, part, 16 * 1024)
            if part.content.sub == b"html":
                text = _strip_tags(text)
            return " ".join(text.split())[:characters].strip()
    return ""


def _strip_tags(text: str) -> str:
    """Text outside ``<...>``; linear, and no more than a preview needs."""
    pieces = text.split("<")
    return pieces[0] + "".join(" " + piece.partition(">")[2] for piece in pieces[1:])
