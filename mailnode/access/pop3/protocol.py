"""The door to Twisted: transport, TLS and flow control of ``POP3``, and nothing else of it.

Promises: no rule of POP3 lives here; Twisted's command methods, its APOP and its error texts are
never reached, since ``dataReceived`` hands all octets to ``Connection``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory
from twisted.mail.pop3 import POP3
from zope.interface import implementer

from mailnode.access.arrival import Arrival, local_host
from mailnode.access.pop3.connection import Connection
from mailnode.access.pop3.session import Means
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.tls import Certificates


@implementer(IPushProducer)
class Pop3Protocol(Arrival, POP3):
    """One connection of a client."""

    transport: Any  # TCP, or TLS over it after startTLS; Twisted's own type fits neither

    def __init__(self, door: Pop3Factory) -> None:
        # Not POP3.__init__: what it sets up is for its own dispatch.
        self._door = door
        self.link: Connection | None = None

    # ------------------------------------------------------------------ from Twisted

    def connectionMade(self) -> None:
        """A client is there, or a load balancer that will say who is."""
        self.arrive(self._door.proxies)

    def begin(self, host: str) -> None:
        """See ``Arrival``."""
        self.link = self._door.welcome(self, host)
        if self.link is None:
            self._turn_away()
            return
        if hasattr(self.transport, "setTcpNoDelay"):  # not on a Unix socket
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)
        if self._door.implicit_tls:
            self.transport.startTLS(self._door.certificates.twisted_options())
        self.transport.registerProducer(self, True)
        self.link.opened()

    def _turn_away(self) -> None:
        # A client that expects TLS could not read it.
        if not self._door.implicit_tls:
            self.transport.write(b"-ERR [SYS/TEMP] too many connections\r\n")
        self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        """Octets from the client, decrypted."""
        data = self.arrived(data, "pop3", self._door.means.log)
        if data and self.link is not None:
            self.link.received(data)

    def connectionLost(self, reason: Any = None) -> None:
        """The client is gone, for whatever reason."""
        self.depart()
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

    # ------------------------------------------------------------------ for the connection

    def write(self, data: bytes) -> None:
        """Queue for sending."""
        self.transport.write(data)

    def start_tls(self) -> None:
        """Begin the handshake, with the newest certificate."""
        self.transport.startTLS(self._door.certificates.twisted_options())

    def pause(self) -> None:
        """Stop reading from the socket."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    def close(self) -> None:
        """Send what is queued, then close."""
        # Twisted waits for a producer to end before it closes.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once."""
        self.transport.abortConnection()


class Pop3Factory(Factory):
    """Makes a protocol for each connection of one listening socket."""

    noisy = False

    def __init__(
        self,
        means: Means,
        certificates: Certificates,
        implicit_tls: bool,
        admit: Callable[[str, str], bool],
        enlist: Callable[[Connection, str], None],
        strike_off: Callable[[Connection], None],
        proxies: TrustedProxies,
    ) -> None:
        self.means = means
        self.certificates = certificates
        self.implicit_tls = implicit_tls
        self._admit = admit
        self._enlist = enlist
        self._strike_off = strike_off
        self.proxies = proxies

    def buildProtocol(self, addr: Any) -> Any:  # Twisted wants a type of its own
        """Called by Twisted for each connection."""
        return Pop3Protocol(self)

    def welcome(self, wire: Pop3Protocol, host: str) -> Connection | None:
        """The connection object, or ``None`` when there are too many."""
        local = local_host(wire.transport)
        if not self._admit(host, local):
            return None
        link = Connection(self.means, wire, host, self.implicit_tls, self._strike_off)
        self._enlist(link, local)
        return link


def listen(sock: Any, factory: Pop3Factory) -> Any:
    """Accept on a bound and listening socket; the port, whose ``stopListening`` ends it."""
    from twisted.internet import reactor

    return reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
