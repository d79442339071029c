"""What the view holds of expunged messages leaves it a little later, and together.

For one message alone that would be a question to SQLite; and what it holds nobody asks for, as no
UID comes again.
Promises: forgotten within ``FORGET_S`` and at ``close``, or at once where they are many.
Locks: one, around the waiting UIDs; a leaf.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Collection

from mailnode.runtime.maillog import Event, MailLog
from mailnode.store.later import Later
from mailnode.store.view import FolderView

FORGET_S = 5.0
_MOST_WAITING = 5000  # of a folder

Key = tuple[str, str, int]  # user, mailbox id, UIDVALIDITY


class Forgetting:
    """See the module."""

    def __init__(self, log: MailLog) -> None:
        self._log = log
        self._later = Later[Key, FolderView]("view-forget", FORGET_S, self._forget, self._failed)
        self._waiting: dict[Key, set[int]] = {}
        self._lock = threading.Lock()

    def later(self, key: Key, view: FolderView, uids: Collection[int]) -> None:
        """Have the view of the folder ``key`` drop these messages."""
        if len(uids) > _MOST_WAITING:
            view.forget(uids)
            return
        with self._lock:
            waiting = self._waiting.setdefault(key, set())
            waiting.update(uids)
        self._later.add(key, view)
        if len(waiting) > _MOST_WAITING:
            self._forget(key, view)

    def close(self) -> None:
        """Forget what waits, then stop."""
        self._later.close()

    def _forget(self, key: Key, view: FolderView) -> None:
        with self._lock:
            uids = self._waiting.pop(key, set())
        view.forget(sorted(uids))

    def _failed(self, key: Key, error: Exception) -> None:
        cause = "".join(traceback.format_exception(error))
        self._log.event(Event.ERROR, what="forgetting in the view", user=key[0], cause=cause)
