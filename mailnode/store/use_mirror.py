"""Telling others what accounts hold, soon after it changed.

Promises: ``changed`` costs a look into a dict. Each account that changed is told within the
interval, however often it changed meanwhile, and at ``close``; a figure that could not be had is
dropped, for the next change brings a newer one.
Locks: one condition, never held while the disk is read or anybody is told.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from mailnode.model.errors import MailnodeError
from mailnode.runtime.maillog import Event, MailLog
from mailnode.store.quota import Quota


class UseMirror:
    """Calls ``tell`` with user, bytes and messages, in a thread of its own."""

    def __init__(
        self, tell: Callable[[str, int, int], None], log: MailLog, interval_s: float = 1.0
    ) -> None:
        self._tell, self._log, self._interval_s = tell, log, interval_s
        self._changed = threading.Condition()
        self._waiting: dict[str, Quota] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def changed(self, user: str, quota: Quota) -> None:
        """Tell of this user's account soon."""
        with self._changed:
            first = not self._waiting
            self._waiting[user] = quota
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="use-mirror", daemon=True)
                self._thread.start()
            elif first:
                self._changed.notify_all()

    def close(self) -> None:
        """Tell what waits, then stop."""
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
                self._changed.wait_for(lambda: self._closed, timeout=self._interval_s)
                batch, self._waiting = self._waiting, {}
                closed = self._closed
            for user, quota in batch.items():
                self._attempt(user, quota)
            if closed:
                return

    def _attempt(self, user: str, quota: Quota) -> None:
        try:
            use = quota.use(0)
            self._tell(user, use.used_bytes, use.messages)
            quota.drop_foreign_count()
        except (MailnodeError, OSError) as error:
            self._log.event(Event.ERROR, what="use of a mailbox", user=user, cause=str(error))
        except Exception:  # noqa: BLE001 - barrier: the thread is there for the next one
            cause = traceback.format_exc()
            self._log.event(Event.ERROR, what="use of a mailbox", user=user, cause=cause)
