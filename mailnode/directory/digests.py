"""Password forms made of plain digests: SHA, MD5, SSHA, CRAM-MD5, DIGEST-MD5, PBKDF2, SCRAM.

Promises: every comparison takes the same time wherever the difference is; iteration counts beyond
``MAX_ITERATIONS`` are refused before any work is done.
Fails: ``BadHash`` for what cannot be understood.
RFC: 5802 3 (SCRAM), 2831 2.1.2.1 (DIGEST-MD5), 2195 (CRAM-MD5), 2307 5.3 (base64 digests).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import struct

MAX_ITERATIONS = 1_000_000
_MASK = 0xFFFFFFFF


class BadHash(Exception):
    """The stored form is damaged, unknown, or asks for unreasonable work."""


def _decoded(stored: str, sizes: range) -> bytes:
    """Hex or base64, told apart by length as Dovecot does it."""
    try:
        if len(stored) % 2 == 0 and len(stored) // 2 in sizes:
            return bytes.fromhex(stored)
    except ValueError:
        pass  # then it is base64
    try:
        raw = base64.b64decode(stored, validate=True)
    except (binascii.Error, ValueError):
        raise BadHash("neither hex nor base64") from None
    if len(raw) not in sizes:
        raise BadHash("wrong length")
    return raw


def digest_matches(stored: str, secret: bytes, algorithm: str) -> bool:
    """Unsalted: {SHA}, {SHA256}, {SHA512}, {PLAIN-MD5}, {LDAP-MD5}, bare MD5."""
    found = hashlib.new(algorithm, secret, usedforsecurity=False).digest()
    return hmac.compare_digest(_decoded(stored, range(len(found), len(found) + 1)), found)


def salted_matches(stored: str, secret: bytes, algorithm: str) -> bool:
    """Digest of password and salt, then the salt: {SSHA}, {SSHA256}, {SSHA512}, {SMD5}."""
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    raw = _decoded(stored, range(size + 1, size + 257))
    found = hashlib.new(algorithm, secret + raw[size:], usedforsecurity=False).digest()
    return hmac.compare_digest(raw[:size], found)


def digest_md5_matches(stored: str, secret: bytes, user: str) -> bool:
    """{DIGEST-MD5}: MD5 of user, realm and password (RFC 2831 2.1.2.1)."""
    name, _, realm = user.partition("@")
    return digest_matches(stored, f"{name}:{realm}:".encode() + secret, "md5")


def pbkdf2_matches(stored: str, secret: bytes) -> bool:
    """{PBKDF2} as Dovecot writes it: ``$1$salt$rounds$hex``, HMAC-SHA1."""
    parts = stored.split("$")
    if len(parts) != 5 or parts[1] != "1":
        raise BadHash("not $1$salt$rounds$digest")
    expected = _decoded(parts[4], range(20, 21))
    rounds = _iterations(parts[3])
    found = hashlib.pbkdf2_hmac("sha1", secret, parts[2].encode(), rounds, 20)
    return hmac.compare_digest(expected, found)


def scram_matches(stored: str, secret: bytes, algorithm: str) -> bool:
    """{SCRAM-SHA-1}, {SCRAM-SHA-256}: ``rounds,salt,StoredKey,ServerKey`` (RFC 5802 3)."""
    parts = stored.split(",")
    if len(parts) != 4:
        raise BadHash("not rounds,salt,stored,server")
    size = hashlib.new(algorithm).digest_size
    salt = _decoded(parts[1], range(1, 257))
    expected = _decoded(parts[2], range(size, size + 1))
    salted = hashlib.pbkdf2_hmac(algorithm, secret, salt, _iterations(parts[0]))
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    return hmac.compare_digest(expected, hashlib.new(algorithm, client_key).digest())


def _iterations(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= MAX_ITERATIONS:
        raise BadHash("unreasonable iteration count")
    return int(text)


def cram_md5_matches(stored: str, secret: bytes) -> bool:
    """{CRAM-MD5}: the two MD5 states of HMAC after the padded key, outer first, as hex."""
    block = hashlib.md5(secret, usedforsecurity=False).digest() if len(secret) > 64 else secret
    block = block.ljust(64, b"\0")
    found = b"".join(_md5_state(bytes(byte ^ pad for byte in block)) for pad in (0x5C, 0x36))
    return hmac.compare_digest(_decoded(stored, range(32, 33)), found)


_SINES = tuple(int(abs(math.sin(i + 1)) * 2**32) & _MASK for i in range(64))
_TURNS = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)


def _md5_state(block: bytes) -> bytes:
    """MD5's inner state after one block of 64 bytes, which hashlib does not show (RFC 1321 3.4)."""
    words = struct.unpack("<16I", block)
    a, b, c, d = _START
    for i in range(64):
        mixed, word = _md5_round(i, b, c, d)
        total = (a + mixed + _SINES[i] + words[word]) & _MASK
        turn = _TURNS[i // 16][i % 4]
        a, d, c = d, c, b
        b = (b + ((total << turn | total >> (32 - turn)) & _MASK)) & _MASK
    after = (a, b, c, d)
    return struct.pack("<4I", *((x + y) & _MASK for x, y in zip(_START, after, strict=True)))


def _md5_round(i: int, b: int, c: int, d: int) -> tuple[int, int]:
    """The mixing function of step ``i`` and the word it takes."""
    if i < 16:
        return (b & c) | (~b & d), i
    if i < 32:
        return (d & b) | (~d & c), (5 * i + 1) % 16
    if i < 48:
        return b ^ c ^ d, (3 * i + 5) % 16
    return c ^ (b | (~d & _MASK)), (7 * i) % 16
