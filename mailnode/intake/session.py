"""The door to aiosmtpd: one connection, its bytes, its clock, its TLS.

Promises: bytes are read in bulk into one buffer, replies gathered and sent in one write before
each wait (RFC 2920 3.2); a client that is silent too long, does not take its replies, or takes
too long for one message is sent away; no text of an exception reaches a client.

It is a session of aiosmtpd's by its type; all that a connection goes through is replaced here:
the streams (``inlet``), the commands (``dialog``), the cancelling of the task at end of input
(which would abandon a message being delivered), STARTTLS (see RFC 3207), replies made of
exceptions.
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from typing import Any, Protocol

from aiosmtpd.smtp import SMTP

from mailnode.intake.arrival import Arrival, Own, Refused
from mailnode.intake.desk import Desk, Role
from mailnode.intake.dialog import AUTH_LIMIT, Dialog
from mailnode.intake.inlet import Inlet
from mailnode.intake.transport import cipher_of, feed_tls, local_host, peer_of, send_at_once
from mailnode.intake.wire import Gone
from mailnode.model.tunnel import Tunnel
from mailnode.runtime.exporting import ExportingObject
from mailnode.runtime.maillog import Event
from mailnode.runtime.proxies import HEADER_WITHIN_S, TrustedProxies
from mailnode.runtime.tunnel import OpenSslTunnel
from mailnode.wire.smtp import reply as say
from mailnode.wire.smtp.reply import Reply

# A line longer than its limit is skipped up to here, then the client is sent away.
_SKIP_BYTES = 1_048_576
_HANDSHAKE_S = 30.0
# Replies gathered before they leave, however much a client pipelines.
_GATHERED = 64


class Register(Protocol):
    """Who counts sessions (``service``)."""

    proxies: TrustedProxies

    def closes(self, local: str) -> bool:
        """Whether connections to this local address are turned away."""

    def enter(self, session: SmtpSession) -> tuple[int, int]:
        """A session begins; sessions in all and from its peer, this one included."""

    def leave(self, session: SmtpSession) -> None:
        """It ended."""


class SmtpSession(SMTP):
    """One connection; the ``Wire`` of its dialog."""

    def __init__(
        self,
        desk: Desk,
        register: Register,
        loop: asyncio.AbstractEventLoop,
        *,
        implicit_tls: bool,
    ) -> None:
        # aiosmtpd's own constructor looks through every attribute of the class for handlers (76 µs
        # a connection), and makes streams; all it sets up is replaced here.
        self.loop = loop
        self.transport: Any = None
        self.host, self.port, self.tls, self.heard = "", 0, "", False
        self.local, self._early = "", b""
        self._desk = desk
        self._register = register
        self._implicit_tls = implicit_tls
        self._inlet = Inlet(loop)
        self._input = self._inlet.held
        self._output: list[bytes] = []
        self._dialog: Dialog | None = None
        self._draining = False
        self._sent_away = ""
        self._waiting = False
        self._timer: asyncio.TimerHandle | None = None
        self._silence_s = desk.settings.command_timeout_s
        self._began = self._since = loop.time()
        self._ceiling_at = float("inf")

    def __del__(self) -> None:
        """Nothing: asyncio's own looks for a stream that is not made here."""

    # -- what asyncio calls ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected, or a load balancer that will say who did."""
        self.transport = transport
        try:
            self._meet(transport)
        except Exception:  # noqa: BLE001 - barrier: asyncio would leave it open and unanswered
            self._desk.log.event(Event.ERROR, what="smtp greeting", cause=traceback.format_exc())
            self.transport.abort()

    def _meet(self, transport: asyncio.BaseTransport) -> None:
        self._inlet.transport = self.transport
        (self.host, self.port), self.local = peer_of(transport), local_host(transport)
        send_at_once(transport)
        self._arrival = Arrival(self._register.proxies, self.host)
        if self._arrival.waits:
            self._timer = self.loop.call_later(HEADER_WITHIN_S, self.transport.abort)
        else:
            self._begin()

    def _begin(self) -> None:
        self._arm()
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        waited, found = self._arrival.waits, self._arrival.take(data)
        if isinstance(found, Refused):
            self._log(Event.REFUSED, reason=found.reason)
            self.transport.abort()
        if not isinstance(found, Own):
            return
        if waited:
            self.host, self.port = (found.host or self.host), (found.port or self.port)
            self._begin()
            if self._implicit_tls:
                # They are TLS's first bytes, and TLS is not there yet; no more until it is.
                self._early = found.data
                self.transport.pause_reading()
                return
        if found.data:
            self.heard = True
            self._inlet.feed(found.data)

    def eof_received(self) -> bool | None:
        """The client sends no more; what it sent is still worked on, and answered."""
        self._inlet.end()
        # A TLS connection cannot be half closed.
        return not self.tls

    def pause_writing(self) -> None:
        """The client takes its replies too slowly."""
        self._inlet.pause_writing()

    def resume_writing(self) -> None:
        """It has taken them."""
        self._inlet.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone; the task finds out at its next read."""
        if self._timer is not None:
            self._timer.cancel()
        self._inlet.lose()
        self.transport = None

    # -- the task -------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        counts = self._register.enter(self)
        self._draining = self._draining or self._register.closes(self.local)
        reason = ""
        try:
            await self._serve(*counts)
            reason = "closed"
        except Gone:
            pass  # nobody is left to answer; what it was is told below
        except Exception:  # noqa: BLE001 - barrier: a fault of ours ends one session only
            reason = "fault"
            self._desk.log.event(Event.ERROR, what="smtp session", cause=traceback.format_exc())
            self.send(say.LOST_COUNT)
        finally:
            await self._goodbye(reason)

    async def _serve(self, connections: int, peer_connections: int) -> None:
        dialog = self._dialog = Dialog(
            self._desk, self, connections=connections, peer_connections=peer_connections
        )
        self._log(Event.CONNECTED, local=self._desk.hostname)
        if self._implicit_tls:
            await self._shake_hands()
        elif self._desk.role is Role.MX:
            await self._listen_for_early_talk(connections)
        if not self._draining:
            await dialog.greet()
        while not dialog.ended:
            if self._draining and dialog.transaction is None:
                self.send(say.SHUTTING_DOWN)
                return
            await dialog.obey(await self.read_line(AUTH_LIMIT))
            if len(self._output) >= _GATHERED:
                await self._flush()
                await asyncio.sleep(0)

    async def _listen_for_early_talk(self, connections: int) -> None:
        # Two turns of the loop let bytes in that came with the connection.
        await asyncio.sleep(0)
        # Who is one too many is told so at once.
        full = connections > self._desk.settings.max_connections
        await asyncio.sleep(0.0 if full else self._desk.settings.greeting_delay_s)

    async def _goodbye(self, reason: str) -> None:
        if self._dialog is not None:
            self._dialog.close()
        try:
            await self._flush()
        except Gone:
            pass  # as good as said
        finally:
            if self.transport is not None:
                self.transport.close()
            self._register.leave(self)
            self._dialog = None  # it holds us
            reason = reason or self._sent_away or "client gone"
            self._log(
                Event.DISCONNECTED, reason=reason, seconds=round(self.loop.time() - self._began, 3)
            )

    def _log(self, event: Event, **facts: object) -> None:
        self._desk.log.event(event, service=self._desk.role.value, peer=self.host, **facts)

    # -- Wire -----------------------------------------------------------------------------------

    def send(self, reply: Reply) -> None:
        """See ``Wire``."""
        self._output.append(reply.encode())

    async def read_line(self, limit: int) -> bytes | None:
        """See ``Wire``."""
        searched = 0
        while (end := self._input.find(b"\n", searched)) < 0:
            searched = len(self._input)
            if searched > limit:
                await self._skip_line()
                return None
            await self._receive()
        line = bytes(self._input[: end + 1])
        del self._input[: end + 1]
        return line if len(line) <= limit else None

    async def _skip_line(self) -> None:
        skipped = 0
        while (end := self._input.find(b"\n")) < 0:
            skipped += len(self._input)
            self._input.clear()
            if skipped > _SKIP_BYTES:
                self.send(say.LINE_TOO_LONG)
                raise Gone
            await self._receive()
        del self._input[: end + 1]

    async def read(self) -> bytes:
        """See ``Wire``."""
        if not self._input:
            await self._receive()
        data = bytes(self._input)
        self._input.clear()
        return data

    def unread(self, data: bytes) -> None:
        """See ``Wire``."""
        if data:
            self._input[:0] = data

    def allow(self, silence_s: float, ceiling_s: float | None = None) -> None:
        """See ``Wire``."""
        self._silence_s = silence_s
        now = self._since = self.loop.time()
        self._ceiling_at = float("inf") if ceiling_s is None else now + ceiling_s
        if self._timer is not None and self._timer.when() > self._due():
            self._arm()

    def tunnel(self) -> Tunnel | None:
        """See ``Wire``."""
        shown = self.transport.get_extra_info("ssl_object") if self.transport and self.tls else None
        # Others than submission's have none, and nobody logs in there.
        return OpenSslTunnel(shown.connection) if isinstance(shown, ExportingObject) else None

    async def start_tls(self) -> None:
        """See ``Wire``."""
        # RFC 3207 4.2, 6: whatever came in the clear behind STARTTLS may be an attacker's. Reading
        # stops first, so that nothing more of it can get in between.
        if self.transport is not None:
            self.transport.pause_reading()
        self._input.clear()
        self.send(say.READY_FOR_TLS)
        await self._flush()
        await self._shake_hands()

    async def _shake_hands(self) -> None:
        if self.transport is None:
            raise Gone
        users = self._desk.role is Role.SUBMISSION
        self._inlet.transport = None
        context = self._desk.certificates.asyncio_context(users=users)
        shaking = self.loop.start_tls(
            self.transport,
            self,
            context,
            server_side=True,
            ssl_handshake_timeout=min(_HANDSHAKE_S, self._silence_s),
            ssl_shutdown_timeout=5.0,
        )
        try:
            if self._early:
                shaken = self.loop.create_task(shaking)
                await feed_tls(self.transport, self._early)
                transport = await shaken
            else:
                # Not in a task of its own: that would begin a turn too late, with bytes lost.
                transport = await shaking
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self._log(Event.REFUSED, code="4.7.0", reason=f"TLS handshake: {error}")
            raise Gone from None
        if transport is None:
            raise Gone
        self.transport = self._inlet.transport = transport
        self.tls = cipher_of(transport)
        self.heard = False

    async def _receive(self) -> None:
        """Send what is due, then wait for bytes."""
        before = len(self._input)
        try:
            self._waiting = True
            if self._output:
                await self._flush()
            self._since = self.loop.time()
            await self._inlet.beyond(before)
        finally:
            self._waiting = False

    async def _flush(self) -> None:
        output, self._output = self._output, []
        if not output or self.transport is None:
            return
        waited, self._waiting = self._waiting, True
        self._since = self.loop.time()
        try:
            self.transport.write(b"".join(output))
            await self._inlet.drained()
        finally:
            self._waiting = waited

    # -- the clock ------------------------------------------------------------------------------

    def _due(self) -> float:
        return min(self._since + self._silence_s, self._ceiling_at)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(self._due(), self._tick)

    def _tick(self) -> None:
        """Only a client that we wait for can be late; the timer is not moved at each command."""
        now = self.loop.time()
        if not self._waiting:
            self._since = now
            self._timer = self.loop.call_at(now + min(self._silence_s, 60.0), self._tick)
        elif now < self._due():
            self._arm()
        else:
            self._send_away(say.TIMED_OUT)

    def _send_away(self, reply: Reply) -> None:
        if self.transport is None:
            return
        self._sent_away = reply.text
        # RFC 5321 4.5.3.2: say why; a client that takes no replies will not take this one.
        if self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        self.transport.write(b"".join(self._output) + reply.encode())
        self._output = []
        self.transport.close()

    def drain(self) -> None:
        """Finish the transaction that is open, then go; at once where there is none."""
        self._draining = True
        idle = self._dialog is not None and self._dialog.transaction is None
        if self._waiting and idle:
            self._send_away(say.SHUTTING_DOWN)

    def abort(self) -> None:
        """Go now: the time to drain is over."""
        if self._waiting:
            self._send_away(say.SHUTTING_DOWN)
        if self.transport is not None:
            self.transport.abort()
