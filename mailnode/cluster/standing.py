"""How the nodes stand, as seen from one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mailnode.cluster.beat import Beat, beats
from mailnode.cluster.drain import read_drain
from mailnode.cluster.herald import raised_here
from mailnode.cluster.layout import known_nodes, spool_of
from mailnode.cluster.lease import is_locked
from mailnode.cluster.mounts import mount_of
from mailnode.cluster.published import Published, read_published
from mailnode.cluster.record import Holding, Record, read_record
from mailnode.runtime.settings.load import Settings


def standing(settings: Settings, now: float) -> dict[str, Any]:
    """Nodes with leases, addresses and queues; storage; hints. Raises ``StorageGone``."""
    root, node = settings.server.mail_dir, settings.server.node
    found = beats(settings.server.run_dir)
    peers = {peer["node"]: peer for one in found for peer in one.facts.get("peers", ())}
    names = {*known_nodes(root), *peers}
    mount = mount_of(root)
    nodes = [_node(settings, name, peers.get(name), now) for name in sorted(names)]
    return {
        "node": node,
        "nodes": nodes,
        "addresses": [_address(str(one), nodes) for one in settings.cluster.service_addresses],
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
    said = read_published(root, name, record.token)
    state = _state(root, record)
    drain = read_drain(root, name)
    return {
        "node": name,
        "state": state,
        "generation": record.generation,
        "since_s": round(max(0.0, now - record.changed_at)) if record.changed_at else None,
        "by": record.by,
        "version": record.version,
        "services": list(record.addresses),
        "raised": _raised(settings, name, state, said),
        "directory": str(said.directory) if state == "serves" else "",
        "drained": "all" if drain.everything else sorted(drain.addresses),
        "queue": _queue(_spool(settings, record)),
        "heard": peer and peer["heard"],
        "lag_ms": peer and peer["lag_ms"],
        "lag_max_ms": peer and peer["lag_max_ms"],
        "lost": peer and peer["lost"],
    }


def _raised(settings: Settings, name: str, state: str, said: Published) -> list[str]:
    """Of ourselves we ask the system now; another node's word counts while it holds its lease."""
    if name == settings.server.node:
        return list(raised_here(settings))
    return list(said.raised) if state == "serves" else []


def _address(address: str, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    on = [one["node"] for one in nodes if address in one["raised"]]
    note = "raised nowhere" if not on else "raised on more than one node" if len(on) > 1 else ""
    return {"address": address, "on": on, "note": note}


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
