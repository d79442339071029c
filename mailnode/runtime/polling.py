"""Looking for events on sockets only as often as it pays.

asyncio looks before each round of callbacks, also where callbacks wait. Of a client's command the
first round brings the bytes and the second wakes the session that reads them, and the look in
between finds next to nothing; yet it is a system call that lets go of the interpreter's lock, which
a thread of the disk then takes and the loop has to fight for.
Promises: a look that found something is followed by at most one round without one, and only by a
round that has something to do anyway. So no event waits for longer than two rounds.
"""

from __future__ import annotations

from selectors import EpollSelector, SelectorKey


class SparingSelector(EpollSelector):
    """epoll, asked half as often while there is work."""

    _found = False

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """See ``selectors``; with ``timeout`` 0 it may find nothing though there is something."""
        if self._found and timeout is not None and timeout <= 0:
            self._found = False
            return []
        events = super().select(timeout)
        self._found = bool(events)
        return events
