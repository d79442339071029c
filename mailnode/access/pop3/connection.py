"""Input and output of one client, apart from the framework that carries the octets.

Promises: commands run one at a time and in order, also when pipelined (RFC 2449 6.6); input is
read only as fast as commands are done; a client that stops reading costs the transport's buffer
and one piece of output; a silent client costs no task and no timer.
Fails: whatever goes wrong ends this connection at most, and deletes nothing.
RFC: 1939 3, 2449 4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from mailnode.access.imap.means import Hangup
from mailnode.access.pop3.dispatch import fault, run_command
from mailnode.access.pop3.reply import Reply, err
from mailnode.access.pop3.session import Means, Session, State
from mailnode.runtime.maillog import Event
from mailnode.wire.pop3.command import Malformed, parse_command
from mailnode.wire.pop3.lines import COMMAND_LIMIT, LineReader, TooLong
from mailnode.wire.sasl.dialog import LINE_LIMIT

# So much unread input is taken while a command runs; then the client has to wait.
INPUT_HIGH = 65536
# After so many commands without a pause other sessions get their turn.
FAIR_COMMANDS = 16
# How long a closing connection may take to drain its last words.
CLOSING_S = 10.0
GOING_DOWN = err("the server is going down, connect again", "SYS/TEMP")


class Wire(Protocol):
    """What the framework's door does for us."""

    def write(self, data: bytes) -> None:
        """Queue for sending."""

    def start_tls(self) -> None:
        """Begin the handshake."""

    def pause(self) -> None:
        """Stop reading from the socket."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Send what is queued, then close."""

    def abort(self) -> None:
        """Close at once."""


class Connection:
    """One client; implements ``session.Out``."""

    __slots__ = (
        "_bad",
        "_blocked_at",
        "_input_paused",
        "_on_end",
        "_opened_at",
        "_reader",
        "_reason",
        "_steps",
        "_stop",
        "_task",
        "_touched_at",
        "_waiter",
        "_wire",
        "closing",
        "lost",
        "means",
        "peer",
        "secure",
        "session",
    )

    def __init__(
        self,
        means: Means,
        wire: Wire,
        peer: str,
        secure: bool,
        on_end: Callable[[Connection], None],
    ) -> None:
        self.means = means
        self.peer = peer
        self.secure = secure
        self.session = Session(means, self)
        self.closing = self.lost = False
        self._wire = wire
        self._on_end = on_end
        self._reader = LineReader()
        self._bad = self._steps = 0
        self._input_paused = self._stop = False
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._blocked_at = 0.0
        self._opened_at = self._touched_at = means.clock.monotonic()
        self._reason = "client left"

    # ------------------------------------------------------------------ from the door

    def opened(self) -> None:
        """Greet. No time stamp in angle brackets: there is no APOP here (RFC 1939 7)."""
        self.means.log.event(Event.CONNECTED, service="pop3", peer=self.peer)
        self.write(b"+OK mailnode ready\r\n")

    def received(self, data: bytes) -> None:
        """Octets from the client."""
        if self.closing:
            return
        self._touched_at = self.means.clock.monotonic()
        self._reader.feed(data)
        if self._task is None:
            self._start()
        elif self._waiter is not None and not self._blocked_at:
            self._release()
        if len(self._reader) > INPUT_HIGH and not self._input_paused:
            self._input_paused = True
            self._wire.pause()

    def output_blocked(self) -> None:
        """The transport's buffer is full."""
        self._blocked_at = self.means.clock.monotonic()

    def output_free(self) -> None:
        """The transport's buffer is empty again."""
        self._blocked_at = 0.0
        self._touched_at = self.means.clock.monotonic()
        self._release()

    def gone(self) -> None:
        """The connection is closed; the session ends as soon as its command does."""
        self.lost = self.closing = True
        self._release()
        if self._task is None:
            self._start()

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

    async def read_line(self, limit: int) -> bytes | None:
        """The client's next line; ``None`` if longer than ``limit``."""
        while True:
            await self.drain()
            line = self._reader.next(limit)
            if line is not None:
                return None if isinstance(line, TooLong) else line
            self._want_input()
            await self._wait()

    def start_tls(self) -> None:
        """RFC 2595 4: whatever came in clear behind STLS is thrown away."""
        self._reader.discard()
        self._wire.start_tls()
        self.secure = True

    def cut(self, reason: str) -> None:
        """End the connection at once."""
        self._reason = reason
        self.closing = True
        self._wire.abort()

    # ------------------------------------------------------------------ running

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _want_input(self) -> None:
        if self._input_paused:
            self._input_paused = False
            self._wire.resume()

    async def _run(self) -> None:
        try:
            while not self.closing and await self._step():
                await self._take_turns()
        except Hangup:
            self.closing = True
        except Exception:  # noqa: BLE001 - the barrier: a fault of ours ends one connection only
            self.bye(fault(self.session, "connection"))
        finally:
            self._task = None
            self._touched_at = self.means.clock.monotonic()
            if self.lost:
                await self._end()

    async def _take_turns(self) -> None:
        await self.drain()
        if self._stop:
            self.bye(GOING_DOWN)
        self._steps += 1
        if self._steps % FAIR_COMMANDS == 0:
            await asyncio.sleep(0)

    async def _step(self) -> bool:
        """Handle one line; False when there is nothing to do until more octets come."""
        line = self._reader.next(LINE_LIMIT)
        if line is None:
            self._want_input()
            return False
        reply = await self._answer(line)
        if reply is not None and not (self.closing or self.lost):
            self.write(reply.line())
        self._count(reply)
        return True

    async def _answer(self, line: bytes | TooLong) -> Reply | None:
        # RFC 2449 4: 255 octets with CRLF; RFC 5034 4: an initial response of AUTH may be longer.
        if isinstance(line, TooLong) or (
            len(line) + 2 > COMMAND_LIMIT and line[:5].upper() != b"AUTH "
        ):
            return err("line too long")
        command = parse_command(line)
        if isinstance(command, Malformed):
            return err(command.text)
        return await run_command(self.session, command)

    def _count(self, reply: Reply | None) -> None:
        """End with a client that only ever speaks nonsense."""
        if self.session.state is State.OVER:
            self._reason = "quit"
            self.close()
        elif reply is None or reply.good:
            self._bad = 0
        else:
            self._bad += 1
            if self._bad >= self.means.settings.max_bad_commands:
                self.bye(err("too many wrong commands"))

    # ------------------------------------------------------------------ endings

    def bye(self, reply: Reply) -> None:
        """Say why and close. Deletes nothing: only QUIT does (RFC 1939 6)."""
        if not self.closing:
            self._reason = reply.text
            self.write(reply.line())
            self.close()

    def close(self) -> None:
        """Send what is queued and close; read nothing more."""
        self.closing = True
        self._touched_at = self.means.clock.monotonic()
        if not self.lost:
            self._wire.close()

    def stop(self) -> None:
        """The server drains: goodbye now, or as soon as the running command is done."""
        self._stop = True
        waits_for_client = self._waiter is not None and not self._blocked_at
        # Not while output is blocked: that may be within a message.
        if self._task is None or waits_for_client:
            self.bye(GOING_DOWN)

    def abort(self) -> None:
        """Drop the connection and what is still to be sent."""
        self._wire.abort()

    def sweep(self, now: float) -> None:
        """Called every few seconds: end what lasts too long."""
        settings = self.means.settings
        quiet_s = now - self._touched_at
        if self.closing:
            if quiet_s > CLOSING_S:
                self.abort()
        elif self._blocked_at:
            if now - self._blocked_at > settings.write_timeout_s:
                self.cut("client does not read")
        elif self._task is not None and self._waiter is None:
            return  # our turn, not the client's
        elif self.session.state is State.AUTHORIZATION:
            if now - self._opened_at > settings.login_timeout_s:
                self.bye(err("no login in time"))
        elif quiet_s > settings.idle_timeout_s:
            # RFC 1939 3: the session ends without UPDATE and without a word.
            self._reason = "silent for too long"
            self.close()

    async def _end(self) -> None:
        """Give back the folder and counts; runs once, last."""
        user = self.session.user
        try:
            await self.session.end()
        except Exception:  # noqa: BLE001 - nothing is left to be ended; the log has it
            fault(self.session, "end")
        seconds = round(self.means.clock.monotonic() - self._opened_at, 3)
        self.means.log.event(
            Event.DISCONNECTED,
            service="pop3",
            peer=self.peer,
            user=user,
            reason=self._reason,
            seconds=seconds,
        )
        self._on_end(self)
