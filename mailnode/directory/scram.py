"""Keys for SCRAM: from rows that hold them, else made at a plain login and kept.

Promises: kept keys count only while the stored password is the one they were made beside, so a
changed password ends them; a failure to keep them costs a login nothing.
Fails: ``DirectoryGone`` where keys are asked for.
RFC: 5802 3, 7677.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from mailnode.directory.sql import SqlDirectory
from mailnode.model.scram import SCRAM_HASHES, ScramKeys, derive_keys, parse_keys

SALT_BYTES = 16
DECOY_ITERATIONS = 4096
# Made before the workers are forked, so that they agree on what an unknown user's salt is.
_DECOY = secrets.token_bytes(32)


def fingerprint(stored: str) -> str:
    """Names a stored password without telling it."""
    return hashlib.sha256(b"mailnode scram\0" + stored.encode()).hexdigest()


async def find_keys(
    inner: SqlDirectory, user: str, stored: str, mechanism: str
) -> ScramKeys | None:
    """The user's keys, if there are valid ones."""
    algorithm = SCRAM_HASHES[mechanism]
    prefix = "{" + mechanism + "}"
    if stored[: len(prefix)].upper() == prefix:
        return parse_keys(stored[len(prefix) :], algorithm)
    kept = await inner.read_scram(user, mechanism)
    if kept is None or kept[1] != fingerprint(stored):
        return None
    return parse_keys(kept[0], algorithm)


def make_keys(password: str, iterations: int) -> dict[str, str]:
    """Keys of every mechanism, as text. Slow on purpose."""
    return {
        name: derive_keys(password, secrets.token_bytes(SALT_BYTES), iterations, algorithm).text()
        for name, algorithm in SCRAM_HASHES.items()
    }


def decoy_keys(user: str, mechanism: str, iterations: int) -> ScramKeys:
    """Keys for somebody who has none: always the same salt, and no password that fits."""
    salt = hmac.digest(_DECOY, f"{mechanism}:{user.strip().lower()}".encode(), "sha256")
    size = hashlib.new(SCRAM_HASHES[mechanism]).digest_size
    return ScramKeys(iterations, salt[:SALT_BYTES], secrets.token_bytes(size), b"\0" * size)
