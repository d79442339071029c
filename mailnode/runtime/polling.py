"""Looking for events on sockets only as often as it pays.

asyncio looks before each round of callbacks, also where callbacks wait. Of a client's command the
first round brings the bytes and the second wakes the session that reads them, and the look in
between finds next to nothing; yet it is a system call that lets go of the interpreter's lock, which
a thread of the disk then takes and the loop has to fight for.
Promises: a look that found something is followed by at most one round without one, and only by a
round that has something to do anyway. So no event waits for longer than two rounds.
"""

from __future__ import annotations

import math
from select import EPOLLIN, EPOLLOUT
from selectors import EVENT_READ, EVENT_WRITE, EpollSelector, SelectorKey
from typing import Any


class SparingSelector(EpollSelector):
    """epoll, asked half as often while there is work."""

    _found = False
    _selector: Any
    _fd_to_key: dict[int, SelectorKey]

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """See ``selectors``; with ``timeout`` 0 it may find nothing though there is something."""
        if timeout is None:
            timeout = -1
        elif timeout > 0:
            timeout = math.ceil(timeout * 1e3) * 1e-3  # as epoll counts it: never too soon
        elif self._found:
            self._found = False
            return []
        else:
            timeout = 0
        known = self._fd_to_key
        try:
            found = self._selector.poll(timeout, len(known) or 1)
        except InterruptedError:
            found = []
        events = []
        for fd, event in found:
            # Errors and hang-ups are both: whoever reads or writes is told.
            mask = (event & ~EPOLLIN and EVENT_WRITE) | (event & ~EPOLLOUT and EVENT_READ)
            key = known.get(fd)
            if key is not None:
                events.append((key, mask & key.events))
        self._found = bool(events)
        return events
