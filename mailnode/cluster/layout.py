"""Where the nodes meet: our own folder below the mail root.

``.mailnode/nodes/<node>.lock`` is locked by the living node, ``<node>.json`` beside it says who
that is, ``<node>.drain`` that it is to be left alone; ``.mailnode/spool/<node>`` is its spool.
"""

from __future__ import annotations

import os
from pathlib import Path

from mailnode.runtime import files
from mailnode.runtime.settings.cluster import SHARED_FOLDER
from mailnode.runtime.settings.server import NODE_NAME


def nodes_folder(root: Path) -> Path:
    """Locks and records of all nodes."""
    return root / SHARED_FOLDER / "nodes"


def spools_folder(root: Path) -> Path:
    """One spool for each node, on a shared mail root."""
    return root / SHARED_FOLDER / "spool"


def spool_of(root: Path, node: str) -> Path:
    """The spool of a node on a shared mail root."""
    return spools_folder(root) / node


def make_layout(root: Path) -> None:
    """Make our folders where they are missing. Raises ``StorageFull``, ``StorageGone``."""
    for folder in (SHARED_FOLDER, f"{SHARED_FOLDER}/nodes", f"{SHARED_FOLDER}/spool"):
        path = str(root / folder)
        if files.mkdir(path, exist_ok=True):
            files.fsync_dir(os.path.dirname(path))


def known_nodes(root: Path) -> list[str]:
    """Every node that ever served this mail root, or left a spool. Raises ``StorageGone``."""
    found: set[str] = set()
    for folder, ending in ((nodes_folder(root), ".json"), (spools_folder(root), "")):
        try:
            with files.storage_errors(str(folder)):
                names = os.listdir(folder)
        except FileNotFoundError:
            continue
        found |= {name.removesuffix(ending) for name in names if name.endswith(ending)}
    return sorted(name for name in found if NODE_NAME.fullmatch(name))
