"""IMAP strings as ENVELOPE and BODYSTRUCTURE carry them.

RFC: 3501 4.3, 9 ("string", "nstring"), 9051 4.3.
"""

from __future__ import annotations

import re

# What needs no backslash.
_CLEAN = bytes({0x09, *range(0x20, 0x7F)} - {0x22, 0x5C})
_PLAIN = re.compile(rb"[\t\x20-\x7e]*")
_SPECIAL = re.compile(rb'(["\\])')
_MAX_QUOTED = 1024  # longer ones go as literals: some clients bound their lines


def format_string(value: bytes) -> bytes:
    """A quoted string where the bytes are 7-bit and printable, else a literal."""
    short = len(value) <= _MAX_QUOTED
    if short and not value.translate(None, _CLEAN):
        return b'"' + value + b'"'
    if short and _PLAIN.fullmatch(value):
        return b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"'
    # RFC 9051 9 "CHAR8": a literal holds any octet but NUL.
    value = value.replace(b"\0", b"")
    return b"{%d}\r\n%b" % (len(value), value)


def format_nstring(value: bytes | None) -> bytes:
    """The string, or ``NIL`` for ``None``."""
    return b"NIL" if value is None else format_string(value)
