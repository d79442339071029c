"""Input and output of one client, apart from the framework that carries the octets.

Promises: commands run one at a time and in order; input is read only as fast as commands are
done; a client that stops reading costs the transport's buffer and one piece of output; a
silent client costs no task and no timer.
Fails: whatever goes wrong ends this connection at most.
RFC: 3501 4.3, 5.3, 5.4, 5.5, 7.5; 7888.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mailnode.access.imap.commands.anystate import capabilities
from mailnode.access.imap.commands.idle import DONE_LIMIT, end_idle, push
from mailnode.access.imap.deflate import BadInput, DeflatingWire, InflatingReceiver, end_deflate
from mailnode.access.imap.dispatch import fault, malformed, run_command, too_big
from mailnode.access.imap.limits import STRANGER_LIMITS, user_limits
from mailnode.access.imap.means import Hangup, Means, Wire
from mailnode.access.imap.patience import End, Waiting, judge
from mailnode.access.imap.reply import Reply, bad, no
from mailnode.access.imap.session import FolderLost, Session, State, log_end
from mailnode.access.imap.spooling import Spooler
from mailnode.runtime.maillog import Event
from mailnode.wire.imap.ast import Malformed
from mailnode.wire.imap.parse import parse_command
from mailnode.wire.imap.receiver import (
    Breath,
    LineTooLong,
    LiteralData,
    LiteralEnd,
    LiteralStart,
    LiteralTooBig,
    NeedContinuation,
    RawCommand,
    Receiver,
)
from mailnode.wire.imap.receiver import Event as Incoming

# So much unread input is taken while a command runs; then the client has to wait.
INPUT_HIGH = 65536
# After so many commands without a pause other sessions get their turn.
FAIR_COMMANDS = 16
# A connection quiet for so long gives its compressor's memory back.
RELAX_S = 5.0


class Connection:
    """One client; implements ``means.Out`` for its session."""

    __slots__ = (
        "_bad",
        "_blocked_at",
        "_input_paused",
        "_on_end",
        "_opened_at",
        "_pushed",
        "_reason",
        "_receiver",
        "_spooler",
        "_steps",
        "_stop",
        "_task",
        "_touched_at",
        "_waiter",
        "_wire",
        "closing",
        "compressed",
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
        self.closing = self.lost = self.compressed = False
        self._wire = wire
        self._on_end = on_end
        self._receiver = Receiver(STRANGER_LIMITS)
        self._spooler = Spooler(means)
        self._bad = self._steps = 0
        self._input_paused = self._stop = self._pushed = False
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._blocked_at = 0.0
        self._opened_at = self._touched_at = means.clock.monotonic()
        self._reason = "client left"

    # ------------------------------------------------------------------ from the door

    def opened(self) -> None:
        """Greet (RFC 3501 7.1.1)."""
        self.means.log.event(Event.CONNECTED, service="imap", peer=self.peer)
        self.write(f"* OK [CAPABILITY {capabilities(self.session)}] mailnode ready\r\n".encode())

    def received(self, data: bytes) -> None:
        """Octets from the client."""
        if self.closing:
            return
        self._touched_at = self.means.clock.monotonic()
        self._receiver.feed(data)
        if self._task is None:
            self._start()
        elif self._waiter is not None and not self._blocked_at:
            self._release()
        elif len(self._receiver) > INPUT_HIGH and not self._input_paused:
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
        self.wake()

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
            line = self._receiver.next_line(limit)
            if line is not None:
                return None if isinstance(line, LineTooLong) else line.data
            self._want_input()
            await self._wait()

    def start_tls(self) -> None:
        """RFC 3501 6.2.1: whatever came in clear behind STARTTLS is thrown away."""
        self._receiver.discard()
        self._wire.start_tls()
        self.secure = True

    def start_deflate(self) -> None:
        """RFC 4978 3: both directions, from here on."""
        self.compressed = True
        self._wire = DeflatingWire(self._wire)
        self._receiver = InflatingReceiver(self._receiver)

    def start_over(self) -> None:
        """RFC 8437 3: a stranger again, and octets as they are."""
        self._wire = end_deflate(self._wire, self._receiver)
        self.compressed = False
        self._receiver.limits = STRANGER_LIMITS
        self._opened_at = self.means.clock.monotonic()

    def wake(self) -> None:
        """A hint came while the client idles."""
        if self._task is None and self._should_push():
            self._start()

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
        except BadInput:
            self.bye("", "the compressed data cannot be read")
        except FolderLost:
            self.bye("UNAVAILABLE", "the mailbox is gone, connect again")
        except Exception:  # noqa: BLE001 - the barrier: a fault of ours ends one connection only
            self.bye("SERVERBUG", fault(self.session, "connection").text)
        finally:
            self._task = None
            self._touched_at = self.means.clock.monotonic()
            if self.lost:
                await self._end()

    async def _take_turns(self) -> None:
        await self.drain()
        if self._stop:
            self.bye("UNAVAILABLE", "the server is going down, connect again")
        self._steps += 1
        if self._steps % FAIR_COMMANDS == 0:
            await asyncio.sleep(0)

    def _should_push(self) -> bool:
        return not self._blocked_at and not self.closing and self.session.restless()

    async def _step(self) -> bool:
        """Handle one thing; False when there is nothing to do until more octets come."""
        # By turns, so that a mailbox that never rests does not keep commands waiting.
        self._pushed = self._should_push() and not self._pushed
        if self._pushed:
            await push(self.session)
            return True
        if self.session.idle_tag:
            return await self._idle_step()
        event = self._receiver.next()
        if event is None:
            self._want_input()
            return self._should_push()
        reply = await self._handle(event)
        self._count(reply)
        return True

    async def _idle_step(self) -> bool:
        line = self._receiver.next_line(DONE_LIMIT)
        if line is None:
            self._want_input()
            return self._should_push()
        self._count(await end_idle(self.session, getattr(line, "data", None)))
        return True

    def _count(self, reply: Reply | None) -> None:
        """End with a client that only ever speaks nonsense."""
        if self.session.state is State.LOGOUT:
            self._reason = "logout"
            self.close()
        elif reply is not None and reply.status == "BAD":
            self._bad += 1
            if self._bad >= self.means.settings.max_bad_commands:
                self.bye("", "too many wrong commands")
        elif reply is not None:
            self._bad = 0

    # ------------------------------------------------------------------ events

    async def _handle(self, event: Incoming) -> Reply | None:
        if isinstance(event, RawCommand):
            return await self._command(event)
        if isinstance(event, NeedContinuation):
            self.write(b"+ go on\r\n")
        elif isinstance(event, LiteralStart):
            return await self._literal(event)
        elif isinstance(event, LiteralData):
            await self._spooler.write(event.data)
        elif isinstance(event, Breath):
            await asyncio.sleep(0)
        elif isinstance(event, (LiteralTooBig, LineTooLong)):
            # The command is dropped: so is what it has spooled.
            await self._spooler.clear()
            if isinstance(event, LiteralTooBig):
                return self._too_big(event)
            return self._say(event.tag, bad("line too long"))
        else:
            assert isinstance(event, LiteralEnd)
        return None

    async def _command(self, raw: RawCommand) -> Reply | None:
        try:
            parsed = parse_command(raw, utf8=self.session.enabled.utf8)
            if isinstance(parsed, Malformed):
                return self._say(*malformed(parsed))
            failed = self._spooler.failure()
            if failed is not None:
                return self._say(parsed.tag, failed)
            self.session.spools = self._spooler.files
            stranger = self.session.state is State.NOT_AUTHENTICATED
            reply = await run_command(self.session, parsed)
            if stranger and self.session.state is State.AUTHENTICATED:
                self._receiver.limits = user_limits(self.means.settings)
            return reply
        finally:
            self.session.spools = {}
            await self._spooler.clear()

    async def _literal(self, event: LiteralStart) -> Reply | None:
        if not await self._spooler.begin(event.number, event.size):
            self._receiver.refuse_literal()
            await self._spooler.clear()
            return self._say(event.tag, no("message too large", "TOOBIG"))
        if event.sync:
            self.write(b"+ go on\r\n")
        return None

    def _too_big(self, event: LiteralTooBig) -> Reply:
        reply = self._say(event.tag, too_big(self.session, event))
        if event.fatal:
            self.bye("", "literal too long")
        return reply

    def _say(self, tag: str, reply: Reply) -> Reply:
        self.write(reply.line(tag or "*"))
        return reply

    # ------------------------------------------------------------------ endings

    def bye(self, code: str, text: str) -> None:
        """Say goodbye and close (RFC 3501 7.1.5)."""
        if not self.closing:
            self._reason = text
            self.write(Reply("BYE", text, code).line("*"))
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
        # Not while output is blocked: that may be within a literal.
        if self._task is None or waits_for_client:
            self.bye("UNAVAILABLE", "the server is going down, connect again")

    def cut(self, reason: str) -> None:
        """End the connection at once."""
        self._reason = reason
        self.closing = True
        self.abort()

    def abort(self) -> None:
        """Drop the connection and what is still to be sent."""
        self._wire.abort()

    def sweep(self, now: float) -> None:
        """Called every few seconds: end what lasts too long."""
        quiet_s = now - self._touched_at
        if quiet_s > RELAX_S and isinstance(self._wire, DeflatingWire):
            self._wire.relax()
        stranger = self.session.state is State.NOT_AUTHENTICATED
        waiting = Waiting(
            closing=self.closing,
            busy=self._task is not None and self._waiter is None,
            quiet_s=quiet_s,
            blocked_s=now - self._blocked_at if self._blocked_at else None,
            stranger_s=now - self._opened_at if stranger else None,
        )
        end, reason = judge(waiting, self.means.settings) or (None, "")
        if end is End.BYE:
            self.bye("", reason)
        elif end is End.CUT:
            self.cut(reason)
        elif end is End.ABORT:
            self.abort()

    async def _end(self) -> None:
        """Give back folders, files and counts; runs once, last."""
        try:
            await self._spooler.clear()
            await self.session.end()
        except Exception:  # noqa: BLE001 - nothing is left to be ended; the log has it
            fault(self.session, "end")
        log_end(self.session, self._reason, self.means.clock.monotonic() - self._opened_at)
        self._on_end(self)
