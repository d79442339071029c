"""Modified UTF-7, the old spelling of mailbox names.

Promises: ``decode(encode(name)) == name`` for every text without lone surrogates; a spelling
that ``encode`` would not give is no name (one mailbox has one spelling).
RFC: 3501 5.1.3, 9051 A.1.
"""

from __future__ import annotations

import binascii
import re

_ENCODED = re.compile("[^\x20-\x7e]+")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """``name`` in modified UTF-7. Raises ``UnicodeEncodeError`` on lone surrogates."""
    return _ENCODED.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _shift(match: re.Match[str]) -> str:
    # RFC 3501 5.1.3: base64 with "," for "/", without padding.
    raw = binascii.b2a_base64(match[0].encode("utf-16-be"), newline=False)
    return "&" + raw.decode().rstrip("=").replace("/", ",") + "-"


def decode(raw: bytes) -> str | None:
    """The name, or ``None`` when ``raw`` is not strict modified UTF-7.

    RFC 3501 5.1.3: no superfluous shifts, no printable US-ASCII in base64, no 8-bit octets;
    all of this is tested by spelling the result again.
    """
    if not raw.isascii():
        return None
    try:
        name = _SHIFTED.sub(_unshift, raw).decode("utf-8")
        return name if encode(name) == raw else None
    except (binascii.Error, ValueError):
        return None


def _unshift(match: re.Match[bytes]) -> bytes:
    if not match[1]:
        return b"&"
    padded = match[1].replace(b",", b"/") + b"=" * (-len(match[1]) % 4)
    return binascii.a2b_base64(padded, strict_mode=True).decode("utf-16-be").encode()
