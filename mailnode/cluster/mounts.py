"""What file system a path is on, and whether its flock keeps nodes apart.

Source: mount(8), nfs(5), and the file systems' own documentation; what is not known here counts as
unsafe. ``coherence`` tries it out.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

_CLUSTER = frozenset(
    {
        "ocfs2",
        "gfs2",
        "ceph",
        "fuse.ceph",
        "fuse.ceph-fuse",
        "fuse.glusterfs",
        "gpfs",
        "nfs4",
        "nfs",
    }
)
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "tmpfs", "overlay", "jfs"}
)
# Options that make locks local to one machine.
_LOCAL_LOCKS = frozenset({"nolock", "local_lock=flock", "local_lock=all", "localflocks", "nobrl"})


class Locks(StrEnum):
    """Whom an flock on this file system keeps apart."""

    CLUSTER = "every node"
    MACHINE = "the processes of this machine"
    UNSURE = "unsure"


class Mount(NamedTuple):
    """A mounted file system and what is to be expected of its locks."""

    point: str
    kind: str
    options: frozenset[str]

    @property
    def locks(self) -> Locks:
        """See ``Locks``. A local file system serves nodes of one machine only, and those well."""
        if self.options & _LOCAL_LOCKS or "lockproto=lock_nolock" in self.options:
            return Locks.UNSURE
        if self.kind == "lustre":
            return Locks.CLUSTER if "flock" in self.options else Locks.UNSURE
        if self.kind in _CLUSTER:
            return Locks.CLUSTER
        return Locks.MACHINE if self.kind in _LOCAL else Locks.UNSURE


def mount_of(path: Path, mountinfo: str | None = None) -> Mount:
    """The mount that holds ``path`` (which must exist)."""
    text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    real = os.path.realpath(path)
    best = Mount("", "unknown", frozenset())
    for line in text.splitlines():
        found = _parse(line)
        # A later line hides an earlier one of the same place.
        if found and _holds(found.point, real) and len(found.point) >= len(best.point):
            best = found
    return best


def _holds(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _parse(line: str) -> Mount | None:
    """proc(5): mount id, parent, device, root, point, options, fields, "-", kind, source, super."""
    head, dash, tail = line.partition(" - ")
    before, after = head.split(), tail.split()
    if not dash or len(before) < 6 or len(after) < 3:
        return None
    point = before[4].encode("latin-1", "replace").decode("unicode_escape")
    return Mount(point, after[0], frozenset(before[5].split(",")) | frozenset(after[2].split(",")))
