"""``mailnode doctor --storage``: do the locks of a folder keep processes and nodes apart?"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from mailnode.admin.doctor import Check
from mailnode.cluster.coherence import Other, excludes_here, meet
from mailnode.cluster.mounts import Locks, mount_of

_USE = "use OCFS2, GFS2, CephFS, GlusterFS or NFSv4, with cluster-wide locks"


def examine_locks(folder: Path, seconds: float) -> Iterator[Check]:
    """The file system, this machine's processes, then whoever takes part on other nodes."""
    try:
        mount = mount_of(folder)
        known = mount.locks is not Locks.UNSURE
        said = f"{mount.kind} on {mount.point}: locks keep apart {mount.locks}"
        yield Check("file system", known, said, "" if known else _USE)
        here = excludes_here(folder)
        yield Check(
            "locks between processes",
            here,
            "kept apart" if here else "NOT kept apart",
            "" if here else _USE,
        )
        others = meet(folder, socket.gethostname(), seconds)
    except OSError as error:
        yield Check(
            "locks", False, f"{folder}: {error.strerror}", "mount it, writable for mailnode"
        )
        return
    if not others:
        yield Check(
            "locks between nodes", True, "nobody else took part: run it on all nodes at once"
        )
    for other in others:
        yield _verdict(other)


def _verdict(other: Other) -> Check:
    what = f"locks between nodes: {other.name}"
    if other.coherent:
        return Check(what, True, f"kept apart, {other.kept_out} times of {other.kept_out}")
    found = f"NOT kept apart: {other.got + other.clashes} times both held one lock"
    return Check(what, False, found, f"never run mailnode on both nodes here; {_USE}")
