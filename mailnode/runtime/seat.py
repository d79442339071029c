"""A worker's side of its supervisor: where it sits, and the line it speaks on.

Promises: a sign of life goes out from the event loop itself, so a loop that hangs falls silent;
the supervisor's death is noticed at once, however it died (end of file on the line).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from mailnode.runtime.tally import Tally, alone

READY, ALIVE, DRAINING = b"R", b"A", b"D"

# Exit status of a worker that cannot start for a reason that trying again will not mend
# (EX_CONFIG of sysexits.h); the reason is in the log.
UNFIT = 78
# Exit status of a worker whose node lost its lease: no worker of this node may go on.
LOST = 77


@dataclass(frozen=True, slots=True)
class Seat:
    """Place ``number`` of worker generation ``generation``. ``first``: nothing runs yet, so a
    missing store should stop the start instead of being waited for. ``tally``: what the node's
    workers count together."""

    number: int
    generation: int
    first: bool
    line: Line
    tally: Tally = field(default_factory=alone)


class Line:
    """The worker's end of the socket pair to the supervisor."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """Say that every service accepts."""
        self._say(READY)

    def draining(self) -> None:
        """Say that no service accepts any more."""
        self._say(DRAINING)

    def watch(self, every_s: float, orphaned: Callable[[], None], each: Callable[[], None]) -> None:
        """Give a sign of life each ``every_s`` seconds and call ``each`` then; call ``orphaned``
        when the supervisor is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._read, loop, orphaned)
        self._beat(loop, every_s, each)

    def close(self) -> None:
        """Stop both."""
        if self._timer:
            self._timer.cancel()
            asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _beat(
        self, loop: asyncio.AbstractEventLoop, every_s: float, each: Callable[[], None]
    ) -> None:
        self._say(ALIVE)
        self._timer = loop.call_later(every_s, self._beat, loop, every_s, each)
        each()

    def _read(self, loop: asyncio.AbstractEventLoop, orphaned: Callable[[], None]) -> None:
        try:
            gone = not self._sock.recv(64)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            loop.remove_reader(self._sock)
            orphaned()

    def _say(self, word: bytes) -> None:
        try:
            self._sock.send(word, socket.MSG_NOSIGNAL)
        except OSError:
            # A full line has signs of life enough on it; a broken one is seen by ``_read``.
            return
