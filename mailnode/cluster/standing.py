"""How the nodes stand, as seen from one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mailnode.cluster.beat import Beat, beats
from mailnode.cluster.drain import read_drain
from mailnode.cluster.layout import known_nodes, spool_of
from mailnode.cluster.lease import is_locked
from mailnode.cluster.mounts import mount_of
from mailnode.cluster.record import Holding, Record, read_record
from mailnode.runtime.settings.load import Settings


def standing(settings: Settings, now: float) -> dict[str, Any]:
    """Nodes with leases, addresses and queues; storage; hints. Raises ``StorageGone``."""
    root, node = settings.server.mail_dir, settings.server.node
    found = beats(settings.server.run_dir)
    peers = {peer["node"]: peer for one in found for peer in one.facts.get("peers", ())}
    names = {*known_nodes(root), *peers}
    mount = mount_of(root)
    return {
        "node": node,
        "nodes": [_node(settings, name, peers.get(name), now) for name in sorted(names)],
        "storage": {
            "root": str(root),
            "mounted": mount.point,
            "kind": mount.kind,
            "locks": str(mount.locks),
            "shared": settings.cluster.shared,
        },
        "hints": {
            "on": bool(settings.cluster.listen),
            "poll_s": settings.poll_s,
            "peers": list(peers.values()),
            "refused": _sum(found, "refused"),
        },
        "adopted": _sum(found, "adopted"),
        "sessions": _sum(found, "sessions"),
    }


def _sum(found: list[Beat], what: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in found:
        for key, number in one.facts.get(what, {}).items():
            total[key] = total.get(key, 0) + number
    return total


def _node(settings: Settings, name: str, peer: Any, now: float) -> dict[str, Any]:
    root = settings.server.mail_dir
    record = read_record(root, name) or Record(name)
    drain = read_drain(root, name)
    return {
        "node": name,
        "state": _state(root, record),
        "generation": record.generation,
        "since_s": round(max(0.0, now - record.changed_at)) if record.changed_at else None,
        "by": record.by,
        "version": record.version,
        "addresses": list(record.addresses),
        "drained": "all" if drain.everything else sorted(drain.addresses),
        "queue": _queue(_spool(settings, record)),
        "heard": peer and peer["heard"],
        "rtt_ms": peer and peer["rtt_ms"],
        "lost": peer and peer["lost"],
    }


def _spool(settings: Settings, record: Record) -> Path:
    if record.node == settings.server.node:
        return settings.spool_folder
    return spool_of(settings.server.mail_dir, record.node)


def _state(root: Path, record: Record) -> str:
    """What the lock and the record say together."""
    if record.holding is Holding.HELD:
        return "serves" if is_locked(root, record.node) else "dead"
    return str(record.holding) if record.generation else "unknown"


def _queue(spool: Path) -> int:
    try:
        return len(os.listdir(spool / "active"))
    except OSError:
        return 0
