"""Header text as people read it: encoded words decoded.

Promises: never raises; linear time.
RFC: 2047 (encoded words), 2231 5 (language suffix), 6532 (raw UTF-8).
"""

from __future__ import annotations

import re

from mailnode.wire.mime.charset import codec_of, decode_text
from mailnode.wire.mime.transfer import decode_base64, decode_q

_WORD = re.compile(rb"=\?([^?\s*]{1,80})(?:\*[^?\s]{0,80})?\?([bBqQ])\?([^?\r\n]*)\?=")


def decode_words(value: bytes) -> str:
    """Text of an unfolded field value."""
    if b"=?" not in value:
        return value.decode("ascii") if value.isascii() else decode_text(value)
    pieces: list[str] = []
    charset, octets, pos = "", b"", 0
    for match in _WORD.finditer(value):
        gap = value[pos : match.start()]
        word_charset = match[1].decode("ascii", "replace")
        # RFC 2047 6.2: white space between neighbouring encoded words is not shown. A character
        # split between two words (forbidden, common) is mended by decoding both together.
        adjacent = pos > 0 and not gap.strip()
        if not adjacent or codec_of(word_charset) != codec_of(charset):
            pieces.append(decode_text(octets, charset))
            octets = b""
            pieces.append("" if adjacent else decode_text(gap))
        charset = word_charset
        octets += decode_base64(match[3]) if match[2] in b"bB" else decode_q(match[3])
        pos = match.end()
    pieces += [decode_text(octets, charset), decode_text(value[pos:])]
    return "".join(pieces)
