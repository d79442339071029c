"""Bytes to text under a charset named by a stranger.

Promises: never raises; only real text encodings of linear cost are used; an unknown name never
reaches Python's codec registry, which would remember each one for ever.
RFC: 2045 5.2, 2978.
"""

from __future__ import annotations

import re
from encodings.aliases import aliases

# Encodings Python has that are no charset of mail: transforms, escapes, quadratic ones (idna,
# punycode) and those that need a platform.
_REFUSED = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec"}
_REFUSED |= {"zlib_codec", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "tactis"}
_REFUSED |= {"undefined", "mbcs", "oem", "charmap"}
# Known to Python but absent from the values of its alias table.
_UNALIASED = ["cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_r", "koi8_t", "koi8_u"]
_UNALIASED += ["mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian", "utf_8_sig"]
# What mail calls by the name of a subset.
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
_CODECS: dict[str, str] = {
    name: _SUPERSETS.get(codec, codec)
    for name, codec in [
        *aliases.items(),
        *((codec, codec) for codec in aliases.values()),
        *((codec, codec) for codec in _UNALIASED),
    ]
    if codec not in _REFUSED
}
_NOT_ALNUM = re.compile(r"[^a-z0-9]+")
_MAX_NAME = 64  # the longest registered name has 45 characters


def codec_of(charset: str) -> str | None:
    """Python's codec for a charset name in any case, ``None`` if unknown or not for mail."""
    if len(charset) > _MAX_NAME:
        return None
    return _CODECS.get(_NOT_ALNUM.sub("_", charset.lower()).strip("_"))


def decode_text(raw: bytes, charset: str = "us-ascii") -> str:
    """Text of ``raw``; broken sequences become U+FFFD.

    Unknown charsets, and 8-bit bytes called US-ASCII, are read as UTF-8 if they are valid UTF-8,
    else as Windows-1252, which is what such mail most often is.
    """
    codec = codec_of(charset)
    if codec is None or codec == "ascii":
        return _guess(raw)
    try:
        return raw.decode(codec, "replace")
    except (UnicodeError, LookupError):
        return _guess(raw)


def _guess(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
