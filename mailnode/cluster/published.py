"""What a node says of itself to the others while it serves: which of the addresses for clients are
raised on it, and whether its directory answers.

Promises: written when it changes, replaced in one step; bound to the lease by its token, so that
the word of a node that is gone counts for nothing. Unknown keys are skipped, missing ones have
defaults (nodes of neighbouring versions read each other).
Fails: ``StorageFull``, ``StorageGone``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from mailnode.cluster.layout import nodes_folder
from mailnode.runtime import files

_MAX_BYTES = 65_536


class Knows(StrEnum):
    """What a node's directory is good for."""

    ANSWERS = "answers"
    CACHED = "cached"  # no database answers; who was known goes on
    NOTHING = "nothing"  # no database answers, and nobody is known
    UNASKED = ""


@dataclass(frozen=True, slots=True)
class Published:
    """``raised`` are those of ``cluster.service_addresses`` that this machine has now."""

    token: str
    raised: tuple[str, ...] = ()
    directory: Knows = Knows.UNASKED
    format: int = 1


def published_path(root: Path, node: str) -> Path:
    """The file that says it."""
    return nodes_folder(root) / f"{node}.now"


def read_published(root: Path, node: str, token: str) -> Published:
    """What the holder of this token says; blank where it says nothing. Raises ``StorageGone``."""
    path = published_path(root, node)
    try:
        with files.storage_errors(str(path)), path.open("rb") as file:
            found: Any = json.loads(file.read(_MAX_BYTES))
        if found["token"] != token:
            return Published(token)
        knows = str(found.get("directory", ""))
        return Published(
            token,
            tuple(map(str, found.get("raised", ()))),
            Knows(knows) if knows in set(Knows) else Knows.UNASKED,
        )
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return Published(token)


def publish(root: Path, node: str, now: Published) -> bool:
    """Say it, unless it is said already; whether it was news."""
    if read_published(root, node, now.token) == now:
        return False
    text = json.dumps(asdict(now)) + "\n"
    files.replace(str(published_path(root, node)), text.encode(), mode=0o644, sync=False)
    return True


def knows(told: list[dict[str, Any]]) -> Knows:
    """What the node's workers together say of their directory: the best of them."""
    asked = [one for one in told if one]
    if any(one.get("answers") for one in asked):
        return Knows.ANSWERS
    if any(one.get("cached") for one in asked):
        return Knows.CACHED
    return Knows.NOTHING if asked else Knows.UNASKED
