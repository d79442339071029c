"""Sharing and deferring syncs: one directory sync for many deliveries, flags within a second.

Promises: ``GroupSync.sync_dir`` returns after a sync that *began* after the call. What is given to
``LazySync.later`` is on the disk within the interval, and at ``close``.
Locks: each class has one condition of its own, never held while the disk works.
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
        self._interval_s, self._log = interval_s, log
        self._changed = threading.Condition()
        self._waiting: dict[bytes, FolderCore] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def later(self, core: FolderCore) -> None:
        """Make this folder's journal and names durable within the interval."""
        if not self._interval_s:
            sync_folder(core)
            return
        with self._changed:
            self._waiting[core.path] = core
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flag-sync", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Sync what waits, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                # Half of the interval, so that the sync itself ends within the whole of it.
                self._changed.wait_for(lambda: self._closed, timeout=self._interval_s / 2)
                batch, self._waiting = list(self._waiting.values()), {}
                closed = self._closed
            for core in batch:
                self._attempt(core)
            if closed:
                return

    def _attempt(self, core: FolderCore) -> None:
        try:
            sync_folder(core)
        except (MailnodeError, OSError) as error:
            self._log.event(
                Event.STORAGE,
                path=os.fsdecode(core.path),
                reason=f"flags could not be made durable: {error}",
                remedy="look for disk errors",
            )
        except Exception:  # noqa: BLE001 - barrier: the thread is there for the next one
            self._log.event(Event.ERROR, what="flag sync", cause=traceback.format_exc())


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
