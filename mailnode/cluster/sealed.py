"""Datagrams between nodes: who sent it, to whom, in which order, and that nobody else did.

Promises: pure; any bytes read as a whole datagram or as the reason why not. Authentic, not secret:
names of folders are readable on the wire.
Layout: ``MNC``, version (1 byte), kind (1), length of the sender's node name (1), name, sender's
boot (8), counter (8, big endian), receiver's boot (8, zeros when not known), body, and the first
16 bytes of HMAC-SHA256 over all before. A boot is a random number of the process that speaks for
its node; a datagram is good for one boot of the receiver only, so that none can be sent again to a
process that does not remember it.
Versions: a HELLO is always of version 1, its body the newest version spoken (1 byte), then what
newer ones add; HINTS are of the newest version both speak. Version 2 adds measured times to HELLO
and a byte of flags to HINTS.
"""

from __future__ import annotations

import hmac
import struct
from enum import IntEnum, StrEnum
from typing import NamedTuple

MAGIC = b"MNC"
NEWEST = 2
MAC_BYTES = 16
UNKNOWN_BOOT = bytes(8)
DATAGRAM_MAX_BYTES = 8192
SECRET_MIN_BYTES = 16

_HEAD = struct.Struct("!3sBBB")
_ORDER = struct.Struct("!8sQ8s")
_TIMES = struct.Struct("!QQQ")


class Kind(IntEnum):
    """What a datagram is for."""

    HELLO = 1
    HINTS = 2


class Refusal(StrEnum):
    """Why a datagram is not taken."""

    MALFORMED = "malformed"
    VERSION = "unknown version"
    FORGED = "forged"
    STRANGER = "unknown node"
    REPLAYED = "replayed"
    STALE = "for an earlier process"


class Sealed(NamedTuple):
    """A whole, authentic datagram."""

    version: int
    kind: Kind
    node: str
    boot: bytes
    counter: int
    to: bytes
    body: bytes


class Hello(NamedTuple):
    """Body of a HELLO. Times in µs of the sender's own clock: when it was sent, what the
    receiver's last HELLO said, and how long ago that came; zeros when not known."""

    newest: int
    sent_us: int = 0
    echo_us: int = 0
    held_us: int = 0


def key_of(secret: bytes) -> bytes:
    """The key of this purpose; the secret may serve others too."""
    return hmac.digest(secret, b"mailnode node-to-node hints", "sha256")


def seal(key: bytes, what: Sealed) -> bytes:
    """The datagram."""
    name = what.node.encode("ascii")
    head = _HEAD.pack(MAGIC, what.version, what.kind, len(name)) + name
    text = head + _ORDER.pack(what.boot, what.counter, what.to) + what.body
    return text + hmac.digest(key, text, "sha256")[:MAC_BYTES]


def unseal(key: bytes, datagram: bytes) -> Sealed | Refusal:
    """The datagram read, or why it is none."""
    if len(datagram) > DATAGRAM_MAX_BYTES or len(datagram) < _HEAD.size + MAC_BYTES:
        return Refusal.MALFORMED
    magic, version, kind, length = _HEAD.unpack_from(datagram)
    if magic != MAGIC:
        return Refusal.MALFORMED
    text, mac = datagram[:-MAC_BYTES], datagram[-MAC_BYTES:]
    if not hmac.compare_digest(hmac.digest(key, text, "sha256")[:MAC_BYTES], mac):
        return Refusal.FORGED
    if not 1 <= version <= NEWEST or kind not in (Kind.HELLO, Kind.HINTS):
        return Refusal.VERSION
    body_at = _HEAD.size + length + _ORDER.size
    name = text[_HEAD.size : _HEAD.size + length]
    if len(text) < body_at or not name.isascii():
        return Refusal.MALFORMED
    boot, counter, to = _ORDER.unpack_from(text, _HEAD.size + length)
    return Sealed(version, Kind(kind), name.decode(), boot, counter, to, text[body_at:])


def pack_hello(hello: Hello, version: int) -> bytes:
    """The body of a HELLO as a node that speaks ``version`` sends it."""
    times = _TIMES.pack(hello.sent_us, hello.echo_us, hello.held_us) if version > 1 else b""
    return bytes([hello.newest]) + times


def unpack_hello(body: bytes) -> Hello | None:
    """The body of a HELLO of any version; ``None`` for none."""
    if not body or not body[0]:
        return None
    if len(body) < 1 + _TIMES.size:
        return Hello(body[0])
    return Hello(body[0], *_TIMES.unpack_from(body, 1))


class Window:
    """Which counters of one sender's boot were seen: each is taken once, late ones within 64."""

    def __init__(self) -> None:
        self.highest = 0
        self._seen = 0

    def take(self, counter: int) -> bool:
        """Whether the counter is new."""
        ahead = counter - self.highest
        if ahead > 0:
            self._seen = ((self._seen << ahead) | 1) & ((1 << 64) - 1) if ahead < 64 else 1
            self.highest = counter
            return True
        bit = 1 << -ahead
        if -ahead >= 64 or self._seen & bit:
            return False
        self._seen |= bit
        return True
