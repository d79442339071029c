"""Leaving a node alone before it, or an address of it, moves: said in a file beside its lease.

Promises: lasts until it is taken back, restarts included; may be said on any node.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailnode.cluster.layout import make_layout, nodes_folder
from mailnode.runtime import files

_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Drain:
    """What is drained: ``everything``, or connections that came in on these local addresses."""

    everything: bool = False
    addresses: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.addresses)

    def closes(self, local: str) -> bool:
        """Whether a connection to the local address (empty: a unix socket) is to end."""
        return self.everything or local in self.addresses


NOTHING = Drain()


def drain_path(root: Path, node: str) -> Path:
    """The file that says it."""
    return nodes_folder(root) / f"{node}.drain"


def read_drain(root: Path, node: str) -> Drain:
    """What is drained on the node; a damaged file drains nothing. Raises ``StorageGone``."""
    path = drain_path(root, node)
    try:
        with files.storage_errors(str(path)), path.open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
        addresses = frozenset(map(str, found["addresses"]))
        return Drain(found["everything"] is True, addresses)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return NOTHING


def write_drain(root: Path, node: str, drain: Drain) -> None:
    """Say it, or take all of it back. Raises ``StorageFull``, ``StorageGone``."""
    make_layout(root)
    path = str(drain_path(root, node))
    if not drain:
        files.unlink(path, missing_ok=True)
        files.fsync_dir(os.path.dirname(path))
        return
    text = json.dumps({"everything": drain.everything, "addresses": sorted(drain.addresses)})
    files.replace(path, text.encode() + b"\n", mode=0o644)


def add_drain(root: Path, node: str, addresses: Iterable[str]) -> Drain:
    """Drain these addresses too; none given: everything."""
    addresses = frozenset(addresses)
    now = read_drain(root, node)
    more = Drain(now.everything or not addresses, now.addresses | addresses)
    write_drain(root, node, more)
    return more


def end_drain(root: Path, node: str, addresses: Iterable[str]) -> Drain:
    """Serve these addresses again; none given: everything. A node that was drained as a whole stays
    so when one address is taken back: resource agents do that with each that leaves the node."""
    addresses = frozenset(addresses)
    now = read_drain(root, node)
    left = Drain(now.everything, now.addresses - addresses) if addresses else NOTHING
    write_drain(root, node, left)
    return left
