"""The door to Twisted that IMAP and POP3 share: transport, TLS and flow control.

Promises: no rule of a protocol lives here; Twisted's grammar, command methods and error texts are
never reached, since ``dataReceived`` hands all octets to the link.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
)
from twisted.internet.protocol import Factory
from twisted.internet.tcp import Connection
from zope.interface import implementer

from mailnode.access.arrival import Arrival
from mailnode.access.link import Link
from mailnode.model.tunnel import Tunnel
from mailnode.runtime import carrier
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.tls import Certificates
from mailnode.runtime.tls_layer import begin_tls, handle_of
from mailnode.runtime.tunnel import OpenSslTunnel, give_back_buffers

# Output of a command is sent as one, up to about this much.
FLUSH_PIECES = 256
FLUSH_BYTES = 64 * 1024
# So long at most a client that has ended its own side is still answered.
HALF_CLOSED_S = 300.0

Welcome = Callable[["DoorProtocol", str, bool], Link[Any] | None]


@dataclass(frozen=True, slots=True)
class Doorway:
    """What the connections of one listening socket share. ``welcome`` makes the link, or gives
    ``None`` when there are too many."""

    welcome: Welcome
    certificates: Certificates
    implicit_tls: bool
    proxies: TrustedProxies
    log: MailLog


@implementer(IPushProducer, IHandshakeListener, IHalfCloseableProtocol)
class DoorProtocol(Arrival):
    """Mixin before one of Twisted's mail protocols: one connection of a client."""

    service: str
    full: bytes  # said to a client that is one too many

    def __init__(self, door: Doorway) -> None:
        # Not the framework's __init__: what it sets up is for its own dispatch.
        self._door = door
        self.link: Link[Any] | None = None
        self._unsent: list[bytes] = []
        self._receiving = self._relaxed = False
        self._grown = False  # TLS's buffers are as large as its handshake
        self._shaking = False  # TLS is begun and not there yet
        self._last_words: asyncio.TimerHandle | None = None  # the client's side has ended

    # ------------------------------------------------------------------ from Twisted

    def connectionMade(self) -> None:
        """A client is there, or a load balancer that will say who is."""
        self.arrive(self._door.proxies)

    def begin(self, host: str) -> None:
        """See ``Arrival``."""
        self.link = self._door.welcome(self, host, self._door.implicit_tls)
        if self.link is None:
            # A client that expects TLS could not read it.
            if not self._door.implicit_tls:
                self.transport.write(self.full)
            self.transport.loseConnection()
            return
        if self._door.implicit_tls:
            self.start_tls()
        self.transport.registerProducer(self, True)
        if not self._door.implicit_tls:
            self.link.opened()

    def handshakeCompleted(self) -> None:
        """TLS is on. Greeted only now, a client is told what its TLS connection allows."""
        self._shaking, self._grown = False, True
        if self.link is not None and self._door.implicit_tls:
            self.link.opened()

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client, decrypted."""
        if self._fresh or self._held is not None:
            data = self.arrived(data, self.service, self._door.log)
        if data and self.link is not None:
            self._receiving, self._relaxed = True, False
            try:
                self.link.received(data)
            finally:
                self._receiving = False
                self.flush()
            if self._grown:
                # So soon that the next handshake has them.
                self._grown = False
                give_back_buffers(handle_of(self.transport))

    def readConnectionLost(self) -> None:
        """The client has ended its side, in clear; TLS in between ends both at once. It may wait
        for answers to what it has sent (RFC 9293 3.6)."""
        if self.link is None or self._last_words is not None:
            self.transport.abortConnection()
            return
        loop = asyncio.get_running_loop()
        self._last_words = loop.call_later(HALF_CLOSED_S, self.transport.abortConnection)
        self.link.ended()

    def writeConnectionLost(self) -> None:
        """Never: our side is closed with the other one."""

    def connectionLost(self, reason: Any = None) -> None:
        """The client is gone, for whatever reason."""
        self.depart()
        if self._last_words is not None:
            self._last_words.cancel()
        if self.link is not None:
            self.link.gone()

    def pauseProducing(self) -> None:
        """The transport has enough to send."""
        if self.link is not None:
            self.link.output_blocked()

    def resumeProducing(self) -> None:
        """The transport has sent it."""
        if self.link is not None:
            self.link.output_free()

    def stopProducing(self) -> None:
        """The transport died; ``connectionLost`` follows."""

    # ------------------------------------------------------------------ for the link

    def write(self, data: bytes) -> None:
        """Queue for sending."""
        if not self._unsent and not self._receiving:
            # At the latest; a command that is done by then has its whole answer sent as one.
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsent.append(data)
        if len(self._unsent) >= FLUSH_PIECES or len(data) >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is queued; the transport waits for the socket only where that is full."""
        if not self._unsent:
            return
        data = self._unsent[0] if len(self._unsent) == 1 else b"".join(self._unsent)
        self._unsent.clear()
        transport = self.transport
        # Twisted's write asks the kernel when the socket is ready, which it nearly always is:
        # three system calls for one. It keeps what it has in these two buffers.
        if (
            isinstance(transport, Connection)
            and not (transport.TLS or transport.dataBuffer or transport._tempDataBuffer)
            and not (transport.disconnecting or transport.disconnected)
        ):
            data = _sent_at_once(transport, data)
        if data:
            transport.write(data)

    def start_tls(self) -> None:
        """Begin the handshake, with the newest certificate."""
        self._shaking = True
        begin_tls(self.transport, self._door.certificates.twisted_options())

    def tunnel(self) -> Tunnel:
        """The TLS connection."""
        return OpenSslTunnel(handle_of(self.transport))

    def pause(self) -> None:
        """Stop reading from the socket."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again, unless there is nothing more to read."""
        if self._last_words is None:
            self.transport.resumeProducing()

    def relax(self) -> None:
        """Give back what TLS no longer needs; again only after the client has spoken again."""
        if not (self._relaxed or self._shaking):
            self._relaxed = True
            give_back_buffers(handle_of(self.transport))

    def close(self) -> None:
        """Send what is queued, then close."""
        if self._shaking:
            self.abort()  # nothing can be said before the handshake, and it may never end
            return
        self.flush()
        # Twisted waits for a producer to end before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()


def _sent_at_once(to: Connection, data: bytes) -> bytes:
    """Give the kernel as much as it takes now; the rest, mostly nothing."""
    # An error shows again, and is dealt with, when the reactor comes to write.
    sent = to.writeSomeData(data)
    if sent == len(data):
        return b""
    left = memoryview(data)
    while isinstance(sent, int):
        full = sent < min(len(left), to.SEND_LIMIT)
        left = left[sent:]
        if full or not left:
            break
        sent = to.writeSomeData(left)  # type: ignore[arg-type]  # any buffer will do
    return bytes(left)


class DoorFactory(Factory):
    """Makes a protocol for each connection of one listening socket."""

    noisy = False

    def __init__(self, protocol: type[DoorProtocol], door: Doorway) -> None:
        self._protocol, self._door = protocol, door

    def buildProtocol(self, addr: Any) -> Any:  # Twisted wants a type of its own
        """Called by Twisted for each connection."""
        return self._protocol(self._door)


def listen(sock: Any, protocol: type[DoorProtocol], door: Doorway) -> Any:
    """Accept on a bound and listening socket; the port, whose ``stopListening`` ends it."""
    return carrier.listen(sock, DoorFactory(protocol, door))
