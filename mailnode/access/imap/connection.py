"""Input and output of one client, apart from the framework that carries the octets.

Promises and failures: see ``access.link``.
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
from mailnode.access.imap.means import Means
from mailnode.access.imap.patience import End, Waiting, judge
from mailnode.access.imap.reply import Reply, bad, no
from mailnode.access.imap.session import FolderLost, Session, State, log_end
from mailnode.access.imap.spooling import Spooler
from mailnode.access.link import Link, Wire
from mailnode.runtime.eager import in_task
from mailnode.runtime.maillog import Event
from mailnode.wire.imap.ast import Malformed
from mailnode.wire.imap.parse import COMMANDS, parse_command
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

# A connection quiet for so long gives back its compressor and the buffers of its handshake.
RELAX_S = 5.0


class Connection(Link[Receiver]):
    """One client; implements ``means.Out`` for its session."""

    __slots__ = ("_bad", "_pushed", "_spooler", "compressed", "means", "session")
    eager = True

    def __init__(
        self,
        means: Means,
        wire: Wire,
        peer: str,
        secure: bool,
        on_end: Callable[[Connection], None],
    ) -> None:
        super().__init__(Receiver(STRANGER_LIMITS), means.clock, wire, peer, secure, on_end)
        self.means = means
        self.session = Session(means, self)
        self.compressed = self._pushed = False
        self._spooler = Spooler(means)
        self._bad = 0

    # ------------------------------------------------------------------ from the door

    def opened(self) -> None:
        """Greet (RFC 3501 7.1.1)."""
        self.means.log.event(Event.CONNECTED, service="imap", peer=self.peer)
        self.write(f"* OK [CAPABILITY {capabilities(self.session)}] mailnode ready\r\n".encode())

    def output_free(self) -> None:
        """The transport's buffer is empty again."""
        super().output_free()
        self.wake()

    # ------------------------------------------------------------------ for the session

    async def read_line(self, limit: int) -> bytes | None:
        """The client's next line; ``None`` if longer than ``limit``."""
        while True:
            await self.drain()
            line = self._input.next_line(limit)
            if line is not None:
                return None if isinstance(line, LineTooLong) else line.data
            await self._more()

    def start_deflate(self) -> None:
        """RFC 4978 3: both directions, from here on."""
        self.compressed = True
        self._wire = DeflatingWire(self._wire)
        self._input = InflatingReceiver(self._input)

    def start_over(self) -> None:
        """RFC 8437 3: a stranger again, and octets as they are."""
        self._wire = end_deflate(self._wire, self._input)
        self.compressed = False
        self._input.limits = STRANGER_LIMITS
        self._opened_at = self._clock.monotonic()

    def wake(self) -> None:
        """A hint came while the client idles."""
        if self._task is None and self._should_push():
            self._start()

    # ------------------------------------------------------------------ running

    def _failed(self, error: Exception) -> None:
        if isinstance(error, BadInput):
            self.bye("", "the compressed data cannot be read")
        elif isinstance(error, FolderLost):
            self.bye("UNAVAILABLE", "the mailbox is gone, connect again")
        else:
            self.bye("SERVERBUG", fault(self.session, "connection").text)

    def _going_down(self) -> None:
        self.bye("UNAVAILABLE", "the server is going down, connect again")

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
        event = self._input.next()
        if event is None:
            self._want_input()
            return self._should_push()
        reply = await self._handle(event)
        self._count(reply)
        # As mostly: nobody has sent the next command before this one was answered.
        if type(event) is not RawCommand or self._blocked_at or len(self._input):
            return True
        self._want_input()
        return self._should_push()

    async def _idle_step(self) -> bool:
        line = self._input.next_line(DONE_LIMIT)
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
            # RFC 3501 2.2.1, 7.5: what is wrong so far is said before the octets come.
            if event.name and event.name not in COMMANDS:
                self._input.refuse_literal()
                return self._say(event.tag, bad("unknown command"))
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
                return self._say(*malformed(self.session, parsed))
            if self._spooler.used:
                failed = self._spooler.failure()
                if failed is not None:
                    return self._say(parsed.tag, failed)
            self.session.spools = self._spooler.files  # commands may add files of their own
            stranger = self.session.state is State.NOT_AUTHENTICATED
            if stranger:
                await in_task()  # the directory may be asked, which takes its time
            reply = await run_command(self.session, parsed)
            if stranger and self.session.state is State.AUTHENTICATED:
                self._input.limits = user_limits(self.means.settings)
            return reply
        finally:
            if self._spooler.used or self._spooler.files:
                self.session.spools = {}
                await self._spooler.clear()

    async def _literal(self, event: LiteralStart) -> Reply | None:
        if not await self._spooler.begin(event.number, event.size):
            self._input.refuse_literal()
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

    def sweep(self, now: float) -> None:
        """Called every few seconds: end what lasts too long."""
        quiet_s = now - self._touched_at
        if quiet_s > RELAX_S and not (self.lost or self.closing):
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
        log_end(self.session, self._reason, self._clock.monotonic() - self._opened_at)
        self._on_end(self)
