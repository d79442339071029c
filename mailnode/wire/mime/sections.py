"""The bytes that ``BODY[section]<start.count>`` names.

Promises: slices of the message as it was given, nothing added, save that a selection of header
fields always ends in a blank line; a section that does not exist is ``None``.
RFC: 3501 6.4.5, 9051 6.4.5 and 6.4.5.1 (part numbers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from mailnode.wire.mime.header import select_fields
from mailnode.wire.mime.structure import Part


class Text(Enum):
    """Which text of a part; the values are IMAP's words."""

    ALL = ""
    HEADER = "HEADER"
    FIELDS = "HEADER.FIELDS"
    FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


def find_part(root: Part, numbers: Sequence[int]) -> Part | None:
    """The part with this number (``()`` is the whole message), ``None`` if there is none."""
    part = root
    for depth, number in enumerate(numbers):
        # RFC 9051 6.4.5.1: numbers below message/rfc822 count inside the message it holds.
        message = root if depth == 0 else part.parts[0] if part.is_message else None
        holder = message or part
        if holder.is_multipart and 1 <= number <= len(holder.parts):
            part = holder.parts[number - 1]
        # RFC 9051 6.4.5.1: a message that is no multipart has one part, number 1: its body.
        elif message and not message.is_multipart and number == 1:
            part = message
        else:
            return None
    return part


def locate(root: Part, numbers: Sequence[int], text: Text) -> tuple[int, int] | None:
    """The section as offsets into the message; for ``FIELDS`` and ``FIELDS_NOT`` the header block
    to select from. ``None`` where there is no such section."""
    part = find_part(root, numbers)
    if part is None:
        return None
    if not numbers:
        return _of_message(root, text)
    if text is Text.MIME:
        return part.start, part.body_start
    if text is Text.ALL:
        return part.body_start, part.end
    # RFC 9051 6.4.5: HEADER and TEXT after a number are those of the message/rfc822 part's message.
    return _of_message(part.parts[0], text) if part.is_message else None


def _of_message(message: Part, text: Text) -> tuple[int, int] | None:
    if text is Text.ALL:
        return message.start, message.end
    if text is Text.TEXT:
        return message.body_start, message.end
    return (message.start, message.body_start) if text is not Text.MIME else None


def extract(
    message: bytes, root: Part, numbers: Sequence[int], text: Text, fields: Sequence[bytes] = ()
) -> bytes | None:
    """The section's bytes; ``fields`` are header field names in any case."""
    place = locate(root, numbers, text)
    if place is None:
        return None
    block = message[place[0] : place[1]]
    return choose_fields(block, text, fields) if is_selection(text) else block


def is_selection(text: Text) -> bool:
    """Whether this text is a choice of header fields."""
    return text in (Text.FIELDS, Text.FIELDS_NOT)


def choose_fields(header: bytes, text: Text, fields: Sequence[bytes]) -> bytes:
    """The chosen fields of a raw header block and a blank line."""
    return field_chooser(text, fields)(header)


def field_chooser(text: Text, fields: Sequence[bytes]) -> Callable[[bytes], bytes]:
    """The same for many header blocks."""
    names = frozenset(name.lower() for name in fields)
    exclude = text is Text.FIELDS_NOT
    return lambda header: select_fields(header, names, exclude=exclude)


def cut(section: bytes, partial: tuple[int, int] | None) -> bytes:
    """The ``<start.count>`` of a section; what lies beyond its end is left out (may be empty)."""
    # RFC 9051 6.4.5: a partial that starts beyond the end is an empty string, not NIL.
    return section if partial is None else section[partial[0] : partial[0] + partial[1]]
