"""Binary parts made base64, so that a message can lie in a Maildir and be shown by ``BODY[]``.

Promises: a leaf with ``Content-Transfer-Encoding: binary`` decodes to exactly the octets it had;
everything else keeps its bytes, save the encoding named by what holds such a leaf; linear time,
never raises. The result may still hold NULs where the message lied about its encodings.
RFC: 3516 4 (storing binary content), 2045 6.2 (encodings of composite types), 6.8.
"""

from __future__ import annotations

from base64 import encodebytes

from mailnode.wire.mime.decode import walk
from mailnode.wire.mime.header import iterate_fields
from mailnode.wire.mime.parameters import parse_token
from mailnode.wire.mime.structure import Part, parse

_FIELD = b"content-transfer-encoding"


def recode_binary(message: bytes) -> bytes:
    """The message without binary parts; the same object where it has none."""
    pieces: list[bytes] = []
    at = 0
    for part in walk(parse(message)):
        if parse_token(part.fields.get(_FIELD, b"")) != b"binary":
            continue
        pieces += (message[at : part.start], _header(message, part))
        at = part.body_start
        if not part.parts:
            at = part.end
            # The line end before a boundary is the boundary's; at the message's end it is ours.
            body = encodebytes(message[part.body_start : at]).replace(b"\n", b"\r\n")
            pieces.append(body[:-2] if at < len(message) else body)
    return b"".join([*pieces, message[at:]]) if pieces else message


def _header(message: bytes, part: Part) -> bytes:
    # RFC 2045 6.4: composite types are never encoded themselves.
    field = b"Content-Transfer-Encoding: " + (b"8bit" if part.parts else b"base64") + b"\r\n"
    block = message[part.start : part.body_start]
    kept, used = [], 0
    for found in iterate_fields(block):
        kept.append(field if found.name == _FIELD else found.raw)
        used += len(found.raw)
    return b"".join([*kept, block[used:]])
