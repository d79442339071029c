"""The folders this process has at hand: in use, or kept a while for the next use.

Promises: one ``FolderCore`` per path; at most ``idle`` of them without a user.
Locks: one lock, held only to look and count, never during disk work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from mailnode.store.core import FolderCore


class Shelf:
    """Cores by path, with a count of users; the longest idle goes first."""

    def __init__(self, idle: int) -> None:
        self._lock = threading.Lock()
        self._cores: dict[bytes, FolderCore] = {}
        self._users: dict[FolderCore, int] = {}
        self._idle: OrderedDict[FolderCore, None] = OrderedDict()
        self._idle_limit = idle

    def take(self, path: bytes, make: Callable[[], FolderCore]) -> FolderCore:
        """The core for ``path``, made where there is none; give it back after use."""
        with self._lock:
            core = self._cores.get(path)
            if core is not None and not core.stale:
                return self._use(core)
        fresh = make()  # looks at the disk, so without the lock; a twin may come first
        with self._lock:
            core = self._cores.get(path)
            if core is None or core.stale:
                core = self._cores[path] = fresh
            return self._use(core)

    def _use(self, core: FolderCore) -> FolderCore:
        self._users[core] = self._users.get(core, 0) + 1
        self._idle.pop(core, None)
        return core

    def give_back(self, core: FolderCore) -> None:
        """One use less; closes what has been idle for longest."""
        closing: list[FolderCore] = []
        with self._lock:
            self._users[core] -= 1
            if self._users[core]:
                return
            del self._users[core]
            if core.stale or self._cores.get(core.path) is not core:
                closing.append(core)
            else:
                self._idle[core] = None
            while len(self._idle) > self._idle_limit:
                closing.append(self._idle.popitem(last=False)[0])
            for one in closing:
                if self._cores.get(one.path) is one:
                    del self._cores[one.path]
        for one in closing:
            one.close()

    def close(self) -> None:
        """Close everything, in use or not."""
        with self._lock:
            cores = {*self._cores.values(), *self._users}
            self._cores.clear()
            self._users.clear()
            self._idle.clear()
        for core in cores:
            core.close()
