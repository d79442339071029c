"""The keys that a server keeps for SCRAM instead of a password.

Promises: pure; no secret in a ``repr``; text form as Dovecot's ``{SCRAM-SHA-256}`` has it:
``iterations,salt,StoredKey,ServerKey``, the last three in base64.
RFC: 5802 3, 7677, 4013 (SASLprep).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stringprep
import unicodedata
from dataclasses import dataclass, field

# Mechanism name to hash; the strongest first.
SCRAM_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
# RFC 5802 4: behind the name of a mechanism with channel binding.
PLUS = "-PLUS"
MAX_ITERATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """RFC 5802 3. Whoever has them cannot log in, but can try out passwords."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def text(self) -> str:
        """As it is kept in a row."""
        parts = (self.salt, self.stored_key, self.server_key)
        return ",".join((str(self.iterations), *(base64.b64encode(p).decode() for p in parts)))


def derive_keys(password: str, salt: bytes, iterations: int, algorithm: str) -> ScramKeys:
    """Keys for a password. Slow on purpose."""
    secret = (saslprep(password) or password).encode("utf-8", "surrogatepass")
    salted = hashlib.pbkdf2_hmac(algorithm, secret, salt, iterations)
    client = hmac.digest(salted, b"Client Key", algorithm)
    server = hmac.digest(salted, b"Server Key", algorithm)
    return ScramKeys(iterations, salt, hashlib.new(algorithm, client).digest(), server)


def parse_keys(text: str, algorithm: str) -> ScramKeys | None:
    """What a row holds; ``None`` for anything that cannot be keys of this hash."""
    parts = text.split(",")
    if len(parts) != 4 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) < 9):
        return None
    try:
        salt, stored, server = (base64.b64decode(part, validate=True) for part in parts[1:])
    except (binascii.Error, ValueError):
        return None
    size, iterations = hashlib.new(algorithm).digest_size, int(parts[0])
    if len(stored) != size or len(server) != size or not 1 <= len(salt) <= 256:
        return None
    return (
        ScramKeys(iterations, salt, stored, server) if 1 <= iterations <= MAX_ITERATIONS else None
    )


def saslprep(text: str) -> str | None:
    """RFC 4013; ``None`` for text that may not be a name or a password."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    done = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(char) for char in done for prohibited in _PROHIBITED):
        return None
    # RFC 3454 6: text from right to left is so throughout.
    right = any(stringprep.in_table_d1(char) for char in done)
    if right and (
        any(stringprep.in_table_d2(char) for char in done)
        or not (stringprep.in_table_d1(done[0]) and stringprep.in_table_d1(done[-1]))
    ):
        return None
    return done


_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)
