"""Input and output of one client, whatever it speaks: order, fairness, back-pressure, the end.

Promises: commands run one at a time and in order; input is read only as fast as commands are done;
a client that stops reading costs the transport's buffer and one piece of output; a silent client
costs no task and no timer.
Fails: whatever goes wrong ends this connection at most.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from mailnode.model.tunnel import Tunnel
from mailnode.runtime.clock import Clock
from mailnode.runtime.eager import begun

# So much unread input is taken while a command runs; then the client has to wait.
INPUT_HIGH = 65536
# After so many commands without a pause other sessions get their turn.
FAIR_COMMANDS = 16


class Hangup(Exception):
    """The client is gone; whatever waits for it ends."""


class Wire(Protocol):
    """What the framework's door does for us."""

    def write(self, data: bytes) -> None:
        """Queue for sending."""

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it."""

    def start_tls(self) -> None:
        """Begin the handshake."""

    def tunnel(self) -> Tunnel:
        """The TLS connection; only once the handshake is done."""

    def pause(self) -> None:
        """Stop reading from the socket."""

    def resume(self) -> None:
        """Read again."""

    def relax(self) -> None:
        """Give back memory that is of no use while the client is quiet."""

    def close(self) -> None:
        """Send what is queued, then close."""

    def abort(self) -> None:
        """Close at once."""


class Input(Protocol):
    """What has come from the client and is not yet understood."""

    def feed(self, data: bytes) -> None:
        """Take what came from the socket."""

    def discard(self) -> object:
        """Forget it."""

    def __len__(self) -> int: ...


InputT = TypeVar("InputT", bound=Input)


class _AtIt:
    """Stands for the task of what is done right where it was received, before it has any."""


_AT_IT = _AtIt()


class Link(ABC, Generic[InputT]):
    """One client. A protocol adds its greeting, its steps and its goodbye.

    With ``eager`` what a client asks is begun right where it is received, see ``runtime.eager``;
    steps that need a task must then call ``in_task`` first.
    """

    eager = False

    __slots__ = (
        "_blocked_at",
        "_clock",
        "_dry",
        "_input",
        "_input_paused",
        "_on_end",
        "_opened_at",
        "_reason",
        "_steps",
        "_stop",
        "_task",
        "_touched_at",
        "_waiter",
        "_wire",
        "closing",
        "lost",
        "peer",
        "secure",
    )

    def __init__(
        self,
        received: InputT,
        clock: Clock,
        wire: Wire,
        peer: str,
        secure: bool,
        on_end: Callable[[Any], None],
    ) -> None:
        self.peer = peer
        self.secure = secure
        self.closing = self.lost = False
        self._input = received
        self._clock = clock
        self._wire = wire
        self._on_end = on_end
        self._steps = 0
        self._input_paused = self._stop = self._dry = False
        self._task: asyncio.Task[None] | _AtIt | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._blocked_at = 0.0
        self._opened_at = self._touched_at = clock.monotonic()
        self._reason = "client left"

    # ------------------------------------------------------------------ what a protocol adds

    @abstractmethod
    def opened(self) -> None:
        """Greet."""

    @abstractmethod
    async def _step(self) -> bool:
        """Handle one thing; False when there is nothing to do until more octets come."""

    @abstractmethod
    def _failed(self, error: Exception) -> None:
        """A step raised: say goodbye. Called while ``error`` is handled."""

    @abstractmethod
    def _going_down(self) -> None:
        """Say goodbye because the server ends."""

    @abstractmethod
    async def _end(self) -> None:
        """Give everything back; runs once, last, and calls ``_on_end``."""

    @abstractmethod
    def sweep(self, now: float) -> None:
        """Called every few seconds: end what lasts too long."""

    # ------------------------------------------------------------------ from the door

    def received(self, data: bytes) -> None:
        """Octets from the client."""
        if self.closing:
            return
        self._touched_at = self._clock.monotonic()
        self._input.feed(data)
        if self._task is None:
            self._start_here()
        elif self._waiter is not None and not self._blocked_at:
            self._release()
        # Not where nothing runs: all that is whole has been taken, and the rest of it must come.
        # How much that may be is for the input's limits to say.
        busy = self._task is not None
        if busy and len(self._input) > INPUT_HIGH and not self._input_paused:
            self._input_paused = True
            self._wire.pause()

    def output_blocked(self) -> None:
        """The transport's buffer is full."""
        self._blocked_at = self._clock.monotonic()

    def output_free(self) -> None:
        """The transport's buffer is empty again."""
        self._blocked_at = 0.0
        self._touched_at = self._clock.monotonic()
        self._release()

    def ended(self) -> None:
        """The client says no more, and may still read: what it asked is answered, then we close."""
        self._dry = True
        if self._task is None:
            self._start_here()
        elif not self._blocked_at:
            self._release()

    def gone(self) -> None:
        """The connection is closed; the session ends as soon as its command does."""
        self.lost = self.closing = True
        self._release()
        if self._task is None:
            self._start_here()

    # ------------------------------------------------------------------ for the session

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; nothing happens once it is gone."""
        if data and not self.lost:
            self._wire.write(data)

    async def drain(self) -> None:
        """Wait while the client is behind. Raises ``Hangup`` once it is gone."""
        while self._blocked_at and not self.lost:
            await self._wait()
        if self.lost:
            raise Hangup

    def start_tls(self) -> None:
        """RFC 3501 6.2.1, 2595 4: whatever came in clear before the handshake is thrown away."""
        self._input.discard()
        if self._dry:
            self.close()  # it cannot shake hands any more, and has its answer without a reset
            return
        self._wire.flush()
        self._wire.start_tls()
        self.secure = True

    def tunnel(self) -> Tunnel | None:
        """The TLS connection that the client came through."""
        return self._wire.tunnel() if self.secure and not self.lost else None

    # ------------------------------------------------------------------ running

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def _start_here(self) -> None:
        if not self.eager:
            self._start()
            return
        self._task = _AT_IT
        rest = begun(self._run())
        if self._task is _AT_IT:
            self._task = rest

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._wire.flush()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _more(self) -> None:
        """Wait for octets. Raises ``Hangup`` where none can come any more."""
        if self._dry:
            raise Hangup
        self._want_input()
        await self._wait()

    def _want_input(self) -> None:
        if self._input_paused:
            self._input_paused = False
            self._wire.resume()

    async def _run(self) -> None:
        try:
            while not self.closing and await self._step():
                await self._take_turns()
            if self._stop and not self.closing:
                self._going_down()
            if self._dry and not self.closing:
                self.close()
        except Hangup:
            self.close()
        except Exception as error:  # noqa: BLE001 - the barrier: a fault of ours ends one connection
            self._failed(error)
        except BaseException:
            # Cancelled, by nobody's plan: better no connection than one that never answers.
            self.cut("cancelled")
            raise
        finally:
            self._task = None
            if not self.lost:
                self._wire.flush()
            self._touched_at = self._clock.monotonic()
            if self.lost:
                await self._end()

    async def _take_turns(self) -> None:
        if self._blocked_at or self.lost:
            await self.drain()
        if self._stop:
            self._going_down()
        self._steps += 1
        if self._steps % FAIR_COMMANDS == 0:
            await asyncio.sleep(0)

    # ------------------------------------------------------------------ endings

    def close(self) -> None:
        """Send what is queued and close; read nothing more."""
        self.closing = True
        self._touched_at = self._clock.monotonic()
        if not self.lost:
            self._wire.close()

    def stop(self) -> None:
        """The server drains: goodbye now, or as soon as the running command is done."""
        self._stop = True
        waits_for_client = self._waiter is not None and not self._blocked_at
        # Not while output is blocked: that may be within a literal or a message.
        if self._task is None or waits_for_client:
            self._going_down()

    def cut(self, reason: str) -> None:
        """End the connection at once."""
        self._reason = reason
        self.closing = True
        self.abort()

    def abort(self) -> None:
        """Drop the connection and what is still to be sent."""
        self._wire.abort()
