"""Sharing and deferring syncs: one directory sync for many deliveries, flags within a second.

Promises: ``GroupSync.sync_dir`` returns after a sync that *began* after the call. What is given to
``LazySync.later`` is on the disk within the interval, and at ``close``.
Locks: one condition, never held while the disk works.
"""

from __future__ import annotations

import os
import threading
import traceback
from dataclasses import dataclass

from mailnode.model.errors import MailnodeError
from mailnode.runtime import files
from mailnode.runtime.maillog import Event, MailLog
from mailnode.store.core import FolderCore
from mailnode.store.forgetting import Forgetting
from mailnode.store.later import Later


@dataclass(slots=True)
class _Turns:
    """Syncs of one directory, numbered; ``done`` is the last that succeeded."""

    started: int = 0
    done: int = 0
    running: bool = False
    users: int = 0


class GroupSync:
    """Directory syncs; callers that come while one runs share the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turns: dict[bytes, _Turns] = {}

    def sync_dir(self, path: bytes) -> None:
        """Make the names in ``path`` durable. Raises ``StorageGone``, ``FileNotFoundError``."""
        with self._changed:
            turns = self._turns.setdefault(path, _Turns())
            turns.users += 1
            wanted = turns.started + 1
        try:
            self._wait_or_lead(path, turns, wanted)
        finally:
            with self._changed:
                turns.users -= 1
                if not turns.users:
                    del self._turns[path]

    def _wait_or_lead(self, path: bytes, turns: _Turns, wanted: int) -> None:
        while True:
            with self._changed:
                while turns.running and turns.done < wanted:
                    self._changed.wait()
                if turns.done >= wanted:
                    return
                turns.running = True
                turns.started += 1
                mine = turns.started
            self._lead(path, turns, mine)

    def _lead(self, path: bytes, turns: _Turns, mine: int) -> None:
        done = turns.done
        try:
            files.fsync_dir(path)
            done = mine
        finally:
            with self._changed:
                turns.done, turns.running = done, False
                self._changed.notify_all()


class LazySync:
    """Syncs of flag changes and expunges, in the background or at once (``interval_s`` 0)."""

    def __init__(self, interval_s: float, log: MailLog) -> None:
        self._at_once, self._log = not interval_s, log
        # Half of the interval, so that the sync itself ends within the whole of it.
        self._later = Later[bytes, FolderCore]("flag-sync", interval_s / 2, _sync, self._failed)
        self.forgetting = Forgetting(log)

    def later(self, core: FolderCore) -> None:
        """Make this folder's journal and names durable within the interval."""
        if self._at_once:
            sync_folder(core)
        else:
            core.changed = object()
            self._later.add(core.path, core)

    def now(self, core: FolderCore) -> None:
        """Make this folder's journal and names durable before it returns. Raises
        ``StorageGone``."""
        sync_folder(core)

    def close(self) -> None:
        """Do what waits, then stop."""
        self._later.close()
        self.forgetting.close()

    def _failed(self, path: bytes, error: Exception) -> None:
        if isinstance(error, (MailnodeError, OSError)):
            self._log.event(
                Event.STORAGE,
                path=os.fsdecode(path),
                reason=f"flags could not be made durable: {error}",
                remedy="look for disk errors",
            )
        else:
            cause = "".join(traceback.format_exception(error))
            self._log.event(Event.ERROR, what="flag sync", cause=cause)


def _sync(_path: bytes, core: FolderCore) -> None:
    # A message that was stored meanwhile has made durable what was changed before it.
    if core.settled is not core.changed or core.beside:
        sync_folder(core)


def sync_folder(core: FolderCore) -> None:
    """Make journal and names of a folder durable, without keeping anyone else waiting.

    By path: the core may be closed by now, and a journal that took the place of ours is durable.
    """
    path = core.ledger.journal_path
    try:
        with files.storage_errors(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            files.fdatasync(fd, path)
        finally:
            os.close(fd)
        files.fsync_dir(core.path + b"/cur")
        for beside in list(core.beside):
            core.beside.discard(beside)  # first: what is written from now on is for the next sync
            files.fsync(beside)
    except (FileNotFoundError, NotADirectoryError):
        pass  # the folder was deleted meanwhile
