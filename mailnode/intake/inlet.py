"""What a client sent and we have not read yet, and whether it takes what we send.

A stream reader and writer of asyncio's would do, at three times the cost of a command.
Promises: bytes wait in one buffer; from ``_AHEAD_BYTES`` on the transport stops reading until more
is wanted. Whoever waits hears of the connection's end as ``Gone``, after all that came before it.
One waiter each for bytes and for room to send.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mailnode.intake.wire import Gone

_AHEAD_BYTES = 131_072


class Inlet:
    """One connection's input, ``held``, and the flow control of both directions."""

    __slots__ = ("_ended", "_loop", "_lost", "_paused", "_room", "_stuffed", "_waiter", "held",
                 "transport")  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.held = bytearray()
        self.transport: Any = None
        self._loop = loop
        self._ended = self._lost = False
        self._paused = self._stuffed = False
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None

    # -- what the protocol is told --------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes came in."""
        self.held += data
        if self._waiter is not None:
            self._wake()
        # None while TLS takes it over: pausing the one before would stop the new one for good.
        elif len(self.held) > _AHEAD_BYTES and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._wake()

    def lose(self) -> None:
        """The connection is gone, in both directions; so is what TLS held for it (a quarter of a
        MiB), for whoever still holds us need not hold that."""
        self._lost = True
        self.transport = None
        self.resume_writing()
        self.end()

    def pause_writing(self) -> None:
        """Too much waits to be sent."""
        self._stuffed = True

    def resume_writing(self) -> None:
        """There is room again."""
        self._stuffed = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- what the session waits for -------------------------------------------------------------

    async def beyond(self, size: int) -> None:
        """Wait until more than ``size`` bytes are held. Raises ``Gone``."""
        while len(self.held) <= size:
            if self._ended:
                raise Gone
            if self._paused:
                self._paused = False
                self.transport.resume_reading()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def drained(self) -> None:
        """Wait until the client took most of what was sent. Raises ``Gone``."""
        if self._stuffed and not self._lost:
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None
        if self._lost:
            raise Gone
