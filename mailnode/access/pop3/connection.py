"""Input and output of one client, apart from the framework that carries the octets.

Promises: see ``access.link``; pipelined commands, too, run in order (RFC 2449 6.6).
Fails: whatever goes wrong ends this connection at most, and deletes nothing.
RFC: 1939 3, 2449 4.
"""

from __future__ import annotations

from collections.abc import Callable

from mailnode.access.link import Link, Wire
from mailnode.access.pop3.dispatch import fault, run_command
from mailnode.access.pop3.reply import Reply, err
from mailnode.access.pop3.session import Means, Session, State
from mailnode.runtime.eager import in_task
from mailnode.runtime.maillog import Event
from mailnode.wire.pop3.command import Malformed, parse_command
from mailnode.wire.pop3.lines import COMMAND_LIMIT, LineReader, TooLong
from mailnode.wire.sasl.dialog import LINE_LIMIT

# How long a closing connection may take to drain its last words.
CLOSING_S = 10.0
GOING_DOWN = err("the server is going down, connect again", "SYS/TEMP")


class Connection(Link[LineReader]):
    """One client; implements ``session.Out``."""

    eager = True

    __slots__ = ("_bad", "means", "session")

    def __init__(
        self,
        means: Means,
        wire: Wire,
        peer: str,
        secure: bool,
        on_end: Callable[[Connection], None],
    ) -> None:
        super().__init__(LineReader(), means.clock, wire, peer, secure, on_end)
        self.means = means
        self.session = Session(means, self)
        self._bad = 0

    # ------------------------------------------------------------------ from the door

    def opened(self) -> None:
        """Greet. No time stamp in angle brackets: there is no APOP here (RFC 1939 7)."""
        self.means.log.event(Event.CONNECTED, service="pop3", peer=self.peer)
        self.write(b"+OK mailnode ready\r\n")

    # ------------------------------------------------------------------ for the session

    async def read_line(self, limit: int) -> bytes | None:
        """The client's next line; ``None`` if longer than ``limit``."""
        while True:
            await self.drain()
            line = self._input.next(limit)
            if line is not None:
                return None if isinstance(line, TooLong) else line
            await self._more()

    # ------------------------------------------------------------------ running

    def _failed(self, error: Exception) -> None:
        self.bye(fault(self.session, "connection"))

    def _going_down(self) -> None:
        self.bye(GOING_DOWN)

    async def _step(self) -> bool:
        """Handle one line; False when there is nothing to do until more octets come."""
        line = self._input.next(LINE_LIMIT)
        if line is None:
            self._want_input()
            return False
        reply = await self._answer(line)
        if reply is not None and not (self.closing or self.lost):
            self.write(self.session.line(reply))
        self._count(reply)
        return True

    async def _answer(self, line: bytes | TooLong) -> Reply | None:
        # RFC 2449 4: 255 octets with CRLF; RFC 5034 4: an initial response of AUTH may be longer.
        if isinstance(line, TooLong) or (
            len(line) + 2 > COMMAND_LIMIT and line[:5].upper() != b"AUTH "
        ):
            return err("line too long")
        if self.session.state is State.AUTHORIZATION:
            await in_task()  # the directory may be asked, which takes its time
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
        elif reply.blames:
            self._bad += 1
            if self._bad >= self.means.settings.max_bad_commands:
                self.bye(err("too many wrong commands"))

    # ------------------------------------------------------------------ endings

    def bye(self, reply: Reply) -> None:
        """Say why and close. Deletes nothing: only QUIT does (RFC 1939 6)."""
        if not self.closing:
            self._reason = reply.text
            self.write(self.session.line(reply))
            self.close()

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
        seconds = round(self._clock.monotonic() - self._opened_at, 3)
        self.means.log.event(
            Event.DISCONNECTED,
            service="pop3",
            peer=self.peer,
            user=user,
            reason=self._reason,
            seconds=seconds,
        )
        self._on_end(self)
