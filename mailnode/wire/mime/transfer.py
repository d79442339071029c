"""Content-Transfer-Encoding: base64 and quoted-printable, read tolerantly.

Promises: never raises; output is never longer than input; linear time.
RFC: 2045 6.7, 6.8.
"""

from __future__ import annotations

import binascii
import re

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_JUNK = bytes(set(range(256)) - set(_ALPHABET))
_PADDING = re.compile(rb"=+")


def decode_base64(raw: bytes) -> bytes:
    """Octets of base64 text; junk is skipped, missing padding is no error."""
    # RFC 2045 6.8: characters outside the alphabet must be ignored.
    clean = raw.translate(None, _JUNK)
    body = clean.rstrip(b"=")
    if b"=" not in body:
        return _decode_run(body)
    # Several encoded texts one after the other: each ends with its own padding.
    return b"".join(_decode_run(run) for run in _PADDING.split(body))


def _decode_run(run: bytes) -> bytes:
    usable = len(run) - (1 if len(run) % 4 == 1 else 0)
    return binascii.a2b_base64(run[:usable] + b"=" * (-usable % 4))


def decode_quoted_printable(raw: bytes) -> bytes:
    """Octets of quoted-printable text; broken escapes stay as they are."""
    return binascii.a2b_qp(raw)


def decode_q(raw: bytes) -> bytes:
    """Octets of the "Q" encoding of encoded words (RFC 2047 4.2)."""
    return binascii.a2b_qp(raw, header=True)


def decode_transfer(raw: bytes, encoding: bytes) -> bytes:
    """Octets of a body under its (lower-case) encoding; unknown ones are taken as they are."""
    if encoding == b"base64":
        return decode_base64(raw)
    if encoding == b"quoted-printable":
        return decode_quoted_printable(raw)
    return raw
