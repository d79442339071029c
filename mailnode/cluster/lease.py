"""The right to be a node: a lock on shared storage, and a token that tells when it is gone.

Promises: at most one living node of a name. The lock is held by the supervisor and every worker
together (one open file, inherited), so it is free only when the last of them is dead, as the
storage's own lock manager sees it; no clock decides. Whoever takes the lease, with the lock or by
a person's word, changes the token first; a node whose token is no longer in its record has lost
its lease, acknowledges nothing more and ends (``check`` is called before and after each change of
mail or spool).
What this does not promise: a write that was under way when the lease was lost may still reach the
storage. No check can close that gap; only fencing does (see docs/cluster-internals.md).
Locks: ``<node>.lock`` by flock; the file is made once and never replaced.
Fails: ``LeaseLost``, ``StorageFull``, ``StorageGone``; ``BadSettings`` when the name is in use.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mailnode import __version__
from mailnode.cluster.layout import make_layout, nodes_folder, spool_of
from mailnode.cluster.record import (
    Holding,
    Record,
    read_record,
    record_path,
    started_ticks,
    this_place,
)
from mailnode.cluster.record import write_record as write
from mailnode.model.errors import BadSettings, LeaseLost, StorageGone, TemporaryError
from mailnode.runtime import files
from mailnode.runtime.clock import Clock

_STEP_S = 0.05
# A lock may be held for a moment by a node that looks whether we are dead.
_SURE_S = 1.0


class LeaseHeld(TemporaryError):
    """Somebody we cannot see holds our name; it may end."""


class Lease:
    """Held by this process and all it forks, until ``release`` or the end of the last of them."""

    def __init__(self, root: Path, record: Record, fd: int) -> None:
        self.record = record
        self._root = root
        self._fd = fd
        self._path = str(record_path(root, record.node))
        self._seen: tuple[int, int, int] | None = None
        self._lost = False

    def check(self) -> None:
        """Raise ``LeaseLost`` once the lease is another's; ``StorageGone`` when nobody can tell.
        Thread-safe; one system call as long as nothing changed."""
        if not self._lost:
            try:
                with files.storage_errors(self._path):
                    now = os.stat(self._path)
            except FileNotFoundError:
                raise StorageGone(f"{self._path} is missing") from None
            identity = (now.st_ino, now.st_mtime_ns, now.st_size)
            if identity == self._seen:
                return
            found = read_record(self._root, self.record.node)
            if found is not None and found.token == self.record.token:
                self._seen = identity
                return
            self._lost = found is not None
        raise LeaseLost(f"the lease of {self.record.node} is another's")

    def tell(self, addresses: tuple[str, ...]) -> None:
        """Say in the record where this node serves."""
        self.check()
        self.record = replace(self.record, addresses=addresses)
        write(self._root, self.record)

    def release(self, now: float) -> None:
        """Give the lease back in order. Call when no worker is left."""
        try:
            self.check()
            write(self._root, replace(self.record, holding=Holding.STOPPED, changed_at=now, pid=0))
        except (LeaseLost, StorageGone):
            return
        finally:
            os.close(self._fd)


def take_lease(
    root: Path, node: str, *, spool: Path, hint_version: int, clock: Clock, wait_s: float
) -> Lease:
    """Become the node. ``wait_s``: how long workers of a supervisor that was killed may take to
    end. Raises ``BadSettings`` when a node of this name lives here, ``LeaseHeld`` when one does,
    or seems to, elsewhere."""
    make_layout(root)
    fd = _open_lock(root, node)
    try:
        _wait_for_lock(fd, root, node, wait_s)
        old = read_record(root, node) or Record(node)
        now = clock.now()
        record = Record(
            node,
            generation=old.generation + 1,
            token=secrets.token_hex(16),
            holding=Holding.HELD,
            pid=os.getpid(),
            pid_started=started_ticks(os.getpid()),
            place=this_place(),
            started_at=now,
            changed_at=now,
            version=__version__,
            hint_version=hint_version,
            spool=str(spool),
        )
        write(root, record)
    except BaseException:
        os.close(fd)
        raise
    return Lease(root, record, fd)


def _open_lock(root: Path, node: str) -> int:
    path = str(nodes_folder(root) / f"{node}.lock")
    try:
        with files.storage_errors(path):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:  # our folder was there a moment ago
        raise StorageGone(f"{path}: {error.strerror}") from error


def _try_lock(fd: int, how: int = fcntl.LOCK_EX) -> bool:
    with files.storage_errors("node lock"):
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _wait_for_lock(fd: int, root: Path, node: str, wait_s: float) -> None:
    began = time.monotonic()
    while not _try_lock(fd):
        waited = time.monotonic() - began
        record = read_record(root, node) or Record(node)
        lives = record.holding is Holding.HELD and record.is_running_here()
        if lives and waited > _SURE_S:
            raise BadSettings(
                f'[server] node = "{node}": a node of this name already serves {root} (process '
                f"{record.pid}); give each node a name of its own, or stop that one"
            )
        if waited > wait_s:
            raise LeaseHeld(
                f'another machine, or a process that does not end, holds the lease of "{node}" on '
                f"{root}: end it, or wait until the storage has freed its locks"
            )
        time.sleep(_STEP_S)


class Adoption:
    """Another node's lease in our hands, for as long as its spool is worked on."""

    def __init__(self, node: str, spool: Path, fd: int, was_held: bool) -> None:
        self.node = node
        self.spool = spool
        self.was_held = was_held
        self._fd = fd

    def close(self) -> None:
        """Let the node have its lock back."""
        os.close(self._fd)


def adopt_lease(
    root: Path,
    node: str,
    *,
    by: str,
    now: float,
    unless: Callable[[str], bool] = lambda node: False,
) -> Adoption | None:
    """The lease of a node that is dead, stopped or was declared dead; ``None`` while it lives, or
    when ``unless`` says of a free lock that the node lives all the same.

    The token is changed before anything else, so a node that only seemed dead learns of it.
    Raises ``StorageFull``, ``StorageGone``.
    """
    fd = _open_lock(root, node)
    try:
        locked = _try_lock(fd)
        record = read_record(root, node) or Record(node)
        held = record.holding is Holding.HELD
        if not (locked or record.holding is Holding.TAKEN) or (held and unless(node)):
            os.close(fd)
            return None
        if held:
            write(root, _taken(record, Holding.ADOPTED, by, now))
    except BaseException:
        os.close(fd)
        raise
    return Adoption(node, spool_of(root, node), fd, held)


def declare_dead(root: Path, node: str, *, by: str, now: float) -> None:
    """Take the lease on a person's word that the node is off, though its lock is not free (its
    processes hang, or the storage has not recovered it). Raises ``StorageFull``, ``StorageGone``.
    """
    record = read_record(root, node) or Record(node)
    write(root, _taken(record, Holding.TAKEN, by, now))


def _taken(record: Record, how: Holding, by: str, now: float) -> Record:
    return replace(
        record,
        generation=record.generation + 1,
        token=secrets.token_hex(16),
        holding=how,
        by=by,
        changed_at=now,
    )


def is_locked(root: Path, node: str) -> bool:
    """Whether some living process holds the node's lock. Raises ``StorageGone``."""
    path = str(nodes_folder(root) / f"{node}.lock")
    try:
        with files.storage_errors(path):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
