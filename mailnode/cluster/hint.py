"""A hint on its way: "folder K moved to modseq N", as bytes.

Promises: versioned; whatever is not exactly such a datagram reads as ``None``.
Layout: ``MNH1``, then any number of records: modseq (8 bytes, big endian), length of the key
(2 bytes), key (UTF-8). No record at all is a greeting: "I am here".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

MAGIC = b"MNH1"
DATAGRAM_MAX_BYTES = 8192
KEY_MAX_BYTES = 4096

_RECORD = struct.Struct("!QH")
_MODSEQ_LIMIT = 1 << 63  # RFC 7162: mod-sequences are 63-bit


def encode(hints: Mapping[str, int], limit_bytes: int = DATAGRAM_MAX_BYTES) -> Iterator[bytes]:
    """As few datagrams of ``limit_bytes`` as these hints fit into (one alone may be longer); a key
    too long to send is left out."""
    datagram = bytearray(MAGIC)
    for key, modseq in hints.items():
        raw_key = key.encode("utf-8", "surrogateescape")
        if len(raw_key) > KEY_MAX_BYTES or not 0 <= modseq < _MODSEQ_LIMIT:
            continue
        record = _RECORD.pack(modseq, len(raw_key)) + raw_key
        if len(datagram) + len(record) > limit_bytes and len(datagram) > len(MAGIC):
            yield bytes(datagram)
            datagram = bytearray(MAGIC)
        datagram += record
    if len(datagram) > len(MAGIC):
        yield bytes(datagram)


def decode(datagram: bytes) -> list[tuple[str, int]] | None:
    """The hints in a datagram, or ``None`` when it is none of ours."""
    if not datagram.startswith(MAGIC) or len(datagram) > DATAGRAM_MAX_BYTES:
        return None
    found, at = [], len(MAGIC)
    while at < len(datagram):
        if at + _RECORD.size > len(datagram):
            return None
        modseq, length = _RECORD.unpack_from(datagram, at)
        at += _RECORD.size
        if length > KEY_MAX_BYTES or at + length > len(datagram) or modseq >= _MODSEQ_LIMIT:
            return None
        found.append((datagram[at : at + length].decode("utf-8", "surrogateescape"), modseq))
        at += length
    return found
