"""SCRAM-SHA-256 and SCRAM-SHA-1, each with and without channel binding, the server's side.

Promises: the password never crosses the wire and is not needed here; an unknown user looks like a
wrong password; every input ends in a value, none in an exception; a client that was made believe
that there is no channel binding is refused.
RFC: 5802, 7677; 5056, 5929, 9266 (channel binding).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from mailnode.model.scram import PLUS, SCRAM_HASHES, ScramKeys, saslprep
from mailnode.wire.sasl.steps import (
    MALFORMED,
    Challenge,
    KeysWanted,
    Proof,
    SaslFailure,
    SaslFault,
    Step,
)

# RFC 5802 7 "client-first-message", 5.1: a printable nonce; "m=" anywhere fails.
_FIRST = re.compile(
    r"(?P<gs2>(?P<flag>[ny]|p=[A-Za-z0-9.\-]+),(?:a=(?P<authzid>[^,\0]+))?,)"
    r"(?P<bare>n=(?P<user>[^,\0]+),r=(?P<nonce>[!-+\--~]{1,512})(?:,[A-Za-ln-z]=[^,\0]*)*)"
)
_FINAL = re.compile(
    r"(?P<without>c=(?P<binding>[A-Za-z0-9+/=]*),r=(?P<nonce>[!-+\--~]{1,1024})"
    r"(?:,[A-Za-ln-z]=[^,\0]*)*),p=(?P<proof>[A-Za-z0-9+/=]+)"
)


class Scram:
    """One exchange: first message, keys, proof, last word."""

    def __init__(
        self,
        name: str,
        make_nonce: Callable[[], str] = secrets.token_urlsafe,
        *,
        binding: Callable[[str], bytes | None] | None = None,
    ) -> None:
        """``binding`` gives the data of a channel binding by its name, ``None`` for an unknown
        one; without it there is no channel to be bound to, and no -PLUS name is offered."""
        self.name = name
        self._family = name.removesuffix(PLUS)
        self._algorithm = SCRAM_HASHES[self._family]
        self._make_nonce = make_nonce
        self._binding = binding
        self._bound = b""
        self._deceived = False
        self._gs2 = self._bare = self._first = self._nonce = ""
        self._user = self._authzid = ""
        self._keys: ScramKeys | None = None
        self._proven = False

    def step(self, response: bytes | None) -> Step:
        """The client's next octets."""
        if response is None:
            return Challenge(b"")
        try:
            text = response.decode()
        except UnicodeDecodeError:
            return MALFORMED
        if self._proven:
            # RFC 5802 5: the client has seen our signature and has nothing more to say.
            return MALFORMED if text else Proof(self._user, self._authzid, self.name, True)
        return self._final(text) if self._keys is not None else self._begin(text)

    def _begin(self, text: str) -> Step:
        found = _FIRST.fullmatch(text)
        # RFC 5802 6: "p" asks for a channel binding, which the -PLUS names have, and only they.
        if found is None or found["flag"].startswith("p") != self.name.endswith(PLUS):
            return MALFORMED
        if found["flag"].startswith("p"):
            bound = self._binding(found["flag"][2:]) if self._binding else None
            if bound is None:
                return SaslFailure(SaslFault.BINDING)
            self._bound = bound
        # RFC 5802 6: "y" says that we offered none; if we did, somebody took it out.
        self._deceived = found["flag"] == "y" and self._binding is not None
        user, authzid = _name(found["user"]), _name(found["authzid"] or "")
        if not user or authzid is None:
            return MALFORMED
        self._gs2, self._bare = found["gs2"], found["bare"]
        self._user, self._authzid = user, authzid
        self._nonce = found["nonce"] + self._make_nonce()
        return KeysWanted(user, self._family)

    def keys(self, keys: ScramKeys) -> Step:
        """The user's keys, or some that look real where there are none."""
        self._keys = keys
        salt = base64.b64encode(keys.salt).decode()
        self._first = f"r={self._nonce},s={salt},i={keys.iterations}"
        return Challenge(self._first.encode())

    def _final(self, text: str) -> Step:
        found = _FINAL.fullmatch(text)
        proof = _decoded(found["proof"]) if found else None
        if found is None or proof is None or self._keys is None:
            return MALFORMED
        # RFC 5802 5.1: the binding repeats how the exchange began; the nonce is both nonces.
        told = _decoded(found["binding"]) or b""
        same = hmac.compare_digest(told, self._gs2.encode() + self._bound)
        same = same and found["nonce"] == self._nonce and not self._deceived
        message = f"{self._bare},{self._first},{found['without']}".encode()
        if not same or not self._right(proof, message):
            return Proof(self._user, self._authzid, self.name, False)
        self._proven = True
        signature = hmac.digest(self._keys.server_key, message, self._algorithm)
        return Challenge(b"v=" + base64.b64encode(signature))

    def _right(self, proof: bytes, message: bytes) -> bool:
        assert self._keys is not None
        signature = hmac.digest(self._keys.stored_key, message, self._algorithm)
        if len(proof) != len(signature):
            return False
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        found = hashlib.new(self._algorithm, client_key).digest()
        return hmac.compare_digest(found, self._keys.stored_key)


def _name(text: str) -> str | None:
    """RFC 5802 5.1 "saslname": ``=2C`` and ``=3D`` only."""
    if "=" in text.replace("=2C", "").replace("=3D", ""):
        return None
    return saslprep(text.replace("=2C", ",").replace("=3D", "="))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
