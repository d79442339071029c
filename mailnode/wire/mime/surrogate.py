"""A message as it is shown to clients that know only ASCII in headers.

The header of the message itself is made ASCII; its body stays as it is, the headers of its parts
included, so that signatures over parts hold and the body has the same octets for everybody. What
IMAP tells of the parts (BODYSTRUCTURE) is ASCII as well.
Promises: ``growth`` and ``shown_header`` depend on the header block alone and agree with each
other; a message with an ASCII header passes unchanged; linear, the dear part bounded
(``downgrade.ALLOWANCE``); never raises.
RFC: 6855 7 and 8 (9755 6, 8, 9), 6858 2.
"""

from __future__ import annotations

from dataclasses import replace

from mailnode.wire.mime.bodystructure import format_both
from mailnode.wire.mime.downgrade import blot, downgrade_header
from mailnode.wire.mime.parameters import ContentType, parse_content_type
from mailnode.wire.mime.structure import Part, describing_fields, parse
from mailnode.wire.mime.summary import header_end


def shown_header(block: bytes) -> bytes:
    """A header block, with its blank line where it has one, in ASCII."""
    if block.isascii():
        return block
    blank = b"\r\n" if block.endswith(b"\n\r\n") else b""
    fields = block[: len(block) - len(blank)]
    return downgrade_header(fields) + blank


def make_growth(block: bytes) -> bytes:
    """By how many octets a message with this header block grows, as digits (it may be negative);
    nothing where it is shown as it is."""
    return b"" if block.isascii() else b"%d" % (len(shown_header(block)) - len(block))


def read_growth(made: bytes) -> int:
    """What ``make_growth`` said."""
    return int(made or 0)


def has_ascii_header(message: bytes) -> bool:
    """Whether a whole message (CRLF) is shown as it is."""
    return message.isascii() or message[: _body_start(message)].isascii()


def shown_message(message: bytes) -> bytes:
    """A whole message (CRLF) as it is shown."""
    start = _body_start(message)
    block = message[:start]
    return message if block.isascii() else shown_header(block) + message[start:]


def _body_start(message: bytes) -> int:
    return header_end(message) or parse(message).body_start


def is_plain_structure(text: bytes) -> bool:
    """Whether a BODYSTRUCTURE or BODY is shown as it is."""
    return text.isascii() and b'"global"' not in text


def shown_structure(shown: bytes) -> tuple[bytes, bytes]:
    """BODYSTRUCTURE and BODY of a message that is already as it is shown, in ASCII, and by the
    grammar of RFC 3501: there message/global is a type like any other (RFC 9755 6)."""
    return format_both(shown, _described(shown, parse(shown)), shown_header)


def _described(message: bytes, root: Part) -> Part:
    """The tree, with what the headers of its parts say in ASCII."""
    block = message[root.start : root.body_start]
    inner = () if root.content.is_(b"message", b"global") else root.parts
    parts = [_described(message, part) for part in inner]
    if block.isascii():
        return replace(root, parts=parts)
    fields = describing_fields(shown_header(block))
    content = _content(root.content, fields.get(b"content-type", b""))
    return replace(root, fields=fields, content=content, parts=parts)


def _content(content: ContentType, shown: bytes) -> ContentType:
    """The type that counts, with the parameters of the field as it is shown."""
    made = parse_content_type(shown)
    if made is None:
        return content  # what counts where nothing is said
    return ContentType(blot(content.main), blot(content.sub), made.parameters)
