"""The secret that the nodes share.

Fails: ``BadSettings`` that names the file and the remedy.
"""

from __future__ import annotations

import os
from pathlib import Path

from mailnode.cluster.sealed import SECRET_MIN_BYTES
from mailnode.model.errors import BadSettings

_MAX_BYTES = 4096


def read_secret(path: Path) -> bytes:
    """The file's text without the blanks around it."""
    where = f"[cluster] secret_file = {path}"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            secret = file.read(_MAX_BYTES).strip()
    except OSError as error:
        remedy = "make it with `openssl rand -base64 32`, the same on each node, owned by mailnode"
        raise BadSettings(f"{where}: {error.strerror}; {remedy}") from None
    if mode & 0o077:
        raise BadSettings(f"{where}: others may read it; `chmod 600 {path}`")
    if len(secret) < SECRET_MIN_BYTES:
        raise BadSettings(f"{where}: shorter than {SECRET_MIN_BYTES} bytes")
    return secret
