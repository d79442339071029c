"""The client's side of SCRAM (RFC 5802), and keys for gates that are made up."""

from __future__ import annotations

import base64
import hashlib
import hmac

from mailnode.model.scram import SCRAM_HASHES, ScramKeys, derive_keys

ROUNDS = 4096


def keys_for(user: str, password: str, mechanism: str) -> ScramKeys:
    return derive_keys(password, user.encode(), ROUNDS, SCRAM_HASHES[mechanism])


class ScramClient:
    """One exchange; texts in and out are decoded."""

    def __init__(
        self, user: str, password: str, mechanism: str, gs2: str = "n,,", bound: bytes = b""
    ) -> None:
        self.password, self.gs2, self.bound = password, gs2, bound
        self.algorithm = SCRAM_HASHES[mechanism.removesuffix("-PLUS")]
        self.bare = f"n={user},r=clientnonce"
        self.signature = b""

    def first(self) -> bytes:
        return (self.gs2 + self.bare).encode()

    def final(self, server_first: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in server_first.decode().split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac(self.algorithm, self.password.encode(), salt, rounds)
        client = hmac.digest(salted, b"Client Key", self.algorithm)
        stored = hashlib.new(self.algorithm, client).digest()
        binding = base64.b64encode(self.gs2.encode() + self.bound).decode()
        without = f"c={binding},r={fields['r']}"
        message = f"{self.bare},{server_first.decode()},{without}".encode()
        proof = bytes(
            a ^ b for a, b in zip(client, hmac.digest(stored, message, self.algorithm), strict=True)
        )
        server = hmac.digest(salted, b"Server Key", self.algorithm)
        self.signature = hmac.digest(server, message, self.algorithm)
        return f"{without},p={base64.b64encode(proof).decode()}".encode()

    def last_word(self) -> bytes:
        """What the server must say at the end."""
        return b"v=" + base64.b64encode(self.signature)
