"""Folders that runs work in; those of finished runs can be kept until a whole comparison ends.

ext4 without a journal makes no new inode of one that was deleted within the last minutes: it steps
over each of them, one by one (ext4_new_inode, find_inode_bit). A run right after the removal of
thousands of mailboxes would pay for that, so what it found depended on the run before it. What the
one before it removed itself, as Postfix does with its queue, lies in other groups of inodes:
folders below one with the attribute T (chattr(1)) are spread over all of them.

Promises: nothing is left on disk after the block, unless ``BENCH_KEEP`` is set in the environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.clock import say

_GIB = 1024**3
# So much stays free on the disk, or nothing is kept. Inodes: of some finished runs and the next.
FREE_OCTETS, FREE_INODES = 10 * _GIB, 200_000
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Kept:
    """Folders of finished runs, all below one, and what was free on the disk before them."""

    place: Path
    free_before: int
    folders: list[Path] = field(default_factory=list)

    @property
    def gib(self) -> float:
        """What the disk holds more than before; 0: others freed as much meanwhile."""
        return max(0, self.free_before - _free_octets()) / _GIB


_kept: Kept | None = None


@contextmanager
def working_folder(prefix: str) -> Iterator[Path]:
    """A new folder for temporary files; at the end of the block it is removed, or kept."""
    place = Path(tempfile.mkdtemp(prefix=prefix, dir=_kept.place if _kept else None))
    try:
        yield place
    finally:
        if _kept and _room(place):
            _kept.folders.append(place)
            # What is written only later would be written while the next run is measured.
            os.sync()
        else:
            _remove(place)


@contextmanager
def kept_until_the_end() -> Iterator[Kept]:
    """Within this block the working folders of finished runs are kept, as long as there is room;
    all are removed at its end, which no signal cuts short."""
    global _kept
    kept = _kept = Kept(Path(tempfile.mkdtemp(prefix="bench-")), _free_octets())
    try:
        _spread(kept.place)
        yield kept
    finally:
        _kept = None
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
        try:
            if kept.folders:
                say(f"removing {len(kept.folders)} folders, {kept.gib:.1f} GiB")
            _remove(kept.place)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spread(place: Path) -> None:
    # A peer's servers work under accounts of their own; each folder below has its own mode.
    place.chmod(0o755)
    try:
        subprocess.run(["chattr", "+T", str(place)], capture_output=True, check=False)
    except FileNotFoundError:
        pass  # without it, and on other file systems, each is where it happens to be


def _free_octets() -> int:
    return shutil.disk_usage(tempfile.gettempdir()).free


def _room(place: Path) -> bool:
    disk = os.statvfs(place)
    # A file system without a fixed number of inodes tells none at all.
    inodes = disk.f_favail if disk.f_files else FREE_INODES
    return disk.f_bavail * disk.f_frsize >= FREE_OCTETS and inodes >= FREE_INODES


def _remove(place: Path) -> None:
    if not os.environ.get("BENCH_KEEP"):
        shutil.rmtree(place, ignore_errors=True)
