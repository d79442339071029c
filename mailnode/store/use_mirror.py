"""Telling others what accounts hold, soon after it changed.

Promises: ``changed`` costs a look into a dict. Each account that changed is told within the
interval, however often it changed meanwhile, and at ``close``. Where more than ``PACE`` accounts
change in an interval the others are told in the next ones, so that a flood of mail to thousands of
mailboxes is not slowed down by figures that nobody decides by. A figure that could not be had, or
that the end left no time for, is dropped: the account's next change brings a newer one.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from mailnode.model.errors import MailnodeError
from mailnode.runtime.maillog import Event, MailLog
from mailnode.store.later import Later
from mailnode.store.quota import Quota

# Accounts in an interval. Adding one up that was not seen before takes some dozens of system calls,
# each of which fights for the interpreter's lock with the loop that takes the flood in.
PACE = 25
# So many accounts wait at most; with more, one's next change has to bring it back.
MOST = 20_000


class UseMirror:
    """Calls ``tell`` with user, bytes and messages, in a thread of its own."""

    def __init__(
        self, tell: Callable[[str, int, int], None], log: MailLog, interval_s: float = 1.0
    ) -> None:
        self._tell, self._log = tell, log
        self._later = Later[str, Quota]("use-mirror", interval_s, self._say, self._failed, PACE)

    def changed(self, user: str, quota: Quota) -> None:
        """Tell of this user's account soon."""
        if self._later.waiting() < MOST:
            self._later.add(user, quota)

    def close(self) -> None:
        """Tell what waits, then stop."""
        left = self._later.close()
        if left:
            cause = f"{left} accounts wait for their next change to have their use told"
            self._log.event(Event.ERROR, what="use of mailboxes", cause=cause)

    def _say(self, user: str, quota: Quota) -> None:
        use = quota.use(0)
        # Whether or not it can be told: the count is another's, and grows old.
        quota.drop_foreign_count()
        self._tell(user, use.used_bytes, use.messages)

    def _failed(self, user: str, error: Exception) -> None:
        known = isinstance(error, (MailnodeError, OSError))
        cause = str(error) if known else "".join(traceback.format_exception(error))
        self._log.event(Event.ERROR, what="use of a mailbox", user=user, cause=cause)
