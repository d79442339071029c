"""Does flock really keep others apart here? Tried out, not believed.

Promises: ``excludes_here`` forks and tells within seconds. ``meet`` is run on several nodes at
once, on the same folder: each holds a lock of its own, tries those of the others, and takes turns
with them at one more; it tells of each other whether the locks held. Leaves nothing behind.
Locks: only its own files.
Fails: ``OSError``.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = ".mailnode-probe"
_STEP_S = 0.05
_TURN_S = 0.02
# So many refused tries are enough; then a little longer, so that the others get as many.
_ENOUGH = 20
_LINGER_S = 3.0


def excludes_here(folder: Path) -> bool:
    """Whether a lock held by one process of this machine keeps another one out, and a lock that
    was let go does not."""
    path = folder / f".probe-{secrets.token_hex(6)}.lock"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        while_held = _child_gets(path)
        fcntl.flock(fd, fcntl.LOCK_UN)
        return not while_held and _child_gets(path)
    finally:
        os.close(fd)
        os.unlink(path)


def _child_gets(path: Path) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if try_lock(os.open(path, os.O_RDWR)) else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def try_lock(fd: int) -> bool:
    """Lock it, unless somebody has."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(slots=True)
class Other:
    """Another participant. ``got``: its lock was had here though it lived; ``kept_out``: refused
    tries; ``clashes``: times both held the common lock."""

    name: str
    counter: int = -1
    alive: bool = False
    got: int = 0
    kept_out: int = 0
    clashes: int = 0

    @property
    def coherent(self) -> bool:
        """Whether the locks held between it and us."""
        return self.alive and not self.got and not self.clashes and self.kept_out > 0


@dataclass(slots=True)
class Meeting:
    """One participant's view."""

    folder: Path
    name: str
    turns: int = 0
    others: dict[str, Other] = field(default_factory=dict)
    _turn: int = 0

    def run(self, seconds: float) -> list[Other]:
        """Take part for so long, less when enough is known; what was found of those that lived."""
        end = time.monotonic() + seconds
        mine = os.open(self._path(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(mine, fcntl.LOCK_EX)
            while time.monotonic() < end:
                self._step()
                living = [other for other in self.others.values() if other.alive]
                if living and all(other.kept_out >= _ENOUGH for other in living):
                    end = min(end, time.monotonic() + _LINGER_S)
                time.sleep(_STEP_S)
        finally:
            self._path(".count").unlink(missing_ok=True)
            self._path(".lock").unlink(missing_ok=True)
            os.close(mine)
        return [other for other in self.others.values() if other.alive]

    def _path(self, ending: str, name: str = "") -> Path:
        return self.folder / f"{name or self.name}{ending}"

    def _step(self) -> None:
        self._turn += 1
        self._path(".count").write_text(str(self._turn))
        self._take_turn()
        for entry in os.listdir(self.folder):
            name = entry.removesuffix(".count")
            if name != entry and name != self.name:
                self._try(self.others.setdefault(name, Other(name)))

    def _take_turn(self) -> None:
        """The common lock: whoever has it writes his name, and must find it there after a while."""
        fd = os.open(self.folder / "turn.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not try_lock(fd):
                return
            self.turns += 1
            os.pwrite(fd, self.name.encode().ljust(200), 0)
            time.sleep(_TURN_S)
            found = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            if found != self.name:
                self.others.setdefault(found, Other(found, alive=True)).clashes += 1
        finally:
            os.close(fd)

    def _try(self, other: Other) -> None:
        try:
            counter = int(self._path(".count", other.name).read_text() or -1)
            fd = os.open(self._path(".lock", other.name), os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, ValueError):
            return
        try:
            advanced = 0 <= other.counter < counter
            other.counter = max(counter, other.counter)
            if not advanced:
                return
            other.alive = True
            if not try_lock(fd):
                other.kept_out += 1
            elif self._path(".count", other.name).exists():
                other.got += 1
        finally:
            os.close(fd)


def meet(folder: Path, name: str, seconds: float) -> list[Other]:
    """Try locks against whoever runs this on the same folder now. ``name`` is for people."""
    place = folder / FOLDER
    place.mkdir(exist_ok=True, mode=0o700)
    try:
        return Meeting(place, f"{name}-{secrets.token_hex(4)}").run(seconds)
    finally:
        _tidy(place)


def _tidy(place: Path) -> None:
    """The last one takes the folder away."""
    try:
        if not any(name.endswith(".count") for name in os.listdir(place)):
            (place / "turn.lock").unlink(missing_ok=True)
            place.rmdir()
    except OSError:
        return  # somebody came just now
