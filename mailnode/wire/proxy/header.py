"""A PROXY protocol header, version 1 (text) or 2 (binary), at the start of a connection.

Promises: takes any bytes, never raises, never reads on past ``LONGEST_BYTES``; what is not exactly
a header of TCP over IPv4 or IPv6 is refused, since guessing would let a client choose its address.
Source: "The PROXY protocol", versions 1 and 2, haproxy.org; the sections are named below.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

# Section 2.1: the longest line of version 1, with its CRLF.
_LINE_BYTES = 107
# Section 2.2: the fixed part of version 2; addresses take 36 bytes, what follows are extensions.
_FIXED_BYTES = 16
_REST_BYTES = 2048
LONGEST_BYTES = _FIXED_BYTES + _REST_BYTES

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_LINE = re.compile(rb"PROXY (TCP4|TCP6) (\S{2,45}) (\S{2,45}) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})")
_UNKNOWN = re.compile(rb"PROXY UNKNOWN( [\x20-\x7e]*)?")
_BLOCKS = {0x11: 4, 0x21: 16}  # TCP over IPv4 and IPv6: bytes of one address


class NeedMore(NamedTuple):
    """So far this may become a header."""


class Malformed(NamedTuple):
    """This is none, and cannot become one."""

    reason: str


class Header(NamedTuple):
    """A whole header. ``host`` is empty when the sender speaks for itself (health checks) or does
    not know; ``length`` is where the client's own bytes begin."""

    host: str
    port: int
    length: int


Found = Header | NeedMore | Malformed


def parse_header(data: bytes) -> Found:
    """The header that ``data`` begins with."""
    if data.startswith(_SIGNATURE):
        return _parse_binary(data)
    if data.startswith(b"PROXY "):
        return _parse_line(data)
    if _SIGNATURE.startswith(data) or b"PROXY ".startswith(data):
        return NeedMore()
    return Malformed("no PROXY header")


def looks_like_header(data: bytes) -> bool:
    """Whether somebody tries to send one; no mail protocol begins like this."""
    return data.startswith((_SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"))


def _parse_line(data: bytes) -> Found:
    end = data.find(b"\r\n", 0, _LINE_BYTES)
    if end < 0:
        return NeedMore() if len(data) < _LINE_BYTES else Malformed("line too long")
    line = data[:end]
    # Section 2.1: what stands behind UNKNOWN is to be ignored.
    if _UNKNOWN.fullmatch(line):
        return Header("", 0, end + 2)
    found = _LINE.fullmatch(line)
    if found is None:
        return Malformed("bad line")
    version = 4 if found[1] == b"TCP4" else 6
    client, server = _address(found[2], version), _address(found[3], version)
    port = int(found[4])
    if not client or not server or port > 65535 or int(found[5]) > 65535:
        return Malformed("bad address")
    return Header(client, port, end + 2)


def _address(raw: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(raw.decode("ascii"))
    except ValueError:
        return ""
    # A scope would be of another machine's interfaces.
    return str(address) if address.version == version and b"%" not in raw else ""


def _parse_binary(data: bytes) -> Found:
    if len(data) < _FIXED_BYTES:
        return NeedMore()
    command, family = data[12], data[13]
    length = _FIXED_BYTES + int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        return Malformed("unknown version or command")
    if length > LONGEST_BYTES:
        return Malformed("too long")
    if len(data) < length:
        return NeedMore()
    # Section 2.2: LOCAL speaks for the sender itself, and UNSPEC of nobody; the rest is skipped.
    if command == 0x20 or family == 0x00:
        return Header("", 0, length)
    size = _BLOCKS.get(family)
    if size is None:
        return Malformed("not TCP over IP")
    if length - _FIXED_BYTES < 2 * size + 4:
        return Malformed("addresses cut short")
    client = ipaddress.ip_address(data[_FIXED_BYTES : _FIXED_BYTES + size])
    ports = _FIXED_BYTES + 2 * size
    return Header(str(client), int.from_bytes(data[ports : ports + 2], "big"), length)
