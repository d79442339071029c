"""TCP connections of clients under Twisted's protocols, with short ways for what each command does.

Twisted's own way from a readable socket to the protocol leads through its log's contexts; its way
to the end of a connection through the poll. Both cost more than many an answer.
Promises: what Twisted's transport promises (TLS, back-pressure, half-closed connections, the order
of events); whatever is not everyday is left to it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import main, tcp
from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

_READ_BYTES = 64 * 1024
_MOST_ACCEPTED = 100  # in one go
_DONE = Failure(main.CONNECTION_DONE)  # type: ignore[no-untyped-call]  # Twisted left it so
_log = Logger()


class Carrier(tcp.Server):
    """One connection."""

    protocol: Any
    _reading = False

    def __init__(
        self, sock: socket.socket, protocol: Any, client: Any, server: Any, number: int
    ) -> None:
        # Not Server's __init__: the texts that it makes for Twisted's log cost more than the rest.
        tcp.Connection.__init__(self, sock, protocol, server.reactor)
        if len(client) != 2:
            self._addressType = IPv6Address
        self.server, self.client, self.sessionno = server, client, number
        self.hostname = client[0]
        self.logstr = self.repstr = type(protocol).__name__
        self._loop = asyncio.get_running_loop()
        self.startReading()
        self.connected = 1

    def startReading(self) -> None:
        """Have ``receive`` called by the loop itself."""
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self.fileno(), self.receive)

    def stopReading(self) -> None:
        """The opposite."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self.fileno())

    def receive(self) -> None:
        """Octets are there, or the end."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._give_up(main.CONNECTION_LOST)
            return
        if not data:
            self._give_up(main.CONNECTION_DONE)
            return
        try:
            self.protocol.dataReceived(data)
        except Exception as error:  # noqa: BLE001 - the barrier
            self._failed(error)

    def attempt(self, call: Callable[[Any], object], what: Any) -> None:
        """``call(what)``; if that fails, this connection ends and no other, as with the reactor."""
        try:
            call(what)
        except Exception as error:  # noqa: BLE001 - the barrier
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Called while ``error`` is handled."""
        _log.failure("connection ends")
        self._give_up(error)

    def _give_up(self, why: Exception) -> None:
        if self.disconnected:
            return
        self.stopReading()
        # It knows of half-closed connections.
        self.reactor._disconnectSelectable(self, why, True)

    def writeSomeData(self, data: Any) -> int | ConnectionLost:
        """See ``Connection``; with one call less."""
        try:
            return self.socket.send(
                data if len(data) <= self.SEND_LIMIT else data[: self.SEND_LIMIT]
            )
        except BlockingIOError:
            return 0
        except OSError:
            return tcp.Connection.writeSomeData(self, data)

    def loseConnection(self) -> None:
        """Where nothing is left to be sent the socket need not be asked whether it takes any."""
        waits = self.TLS or self.dataBuffer or self._tempDataBuffer or self.producer is not None
        if waits or not self.connected or self.disconnecting or self._writeDisconnected:
            super().loseConnection()  # type: ignore[no-untyped-call]  # Twisted left it so
            return
        self.stopReading()
        self.disconnecting = 1
        self._loop.call_soon(self._end)

    def _end(self) -> None:
        if not self.disconnected:
            self.connectionLost(_DONE)


class CarrierPort(tcp.Port):
    """A listening socket."""

    def doRead(self) -> None:
        """Accept who is waiting."""
        most = self.numberAccepts
        for accepted in range(most):
            try:
                sock, client = self.socket.accept()
            except BlockingIOError:
                self.numberAccepts = max(1, accepted)
                return
            except OSError:
                # It knows what to do where there are no descriptors left.
                super().doRead()  # type: ignore[no-untyped-call]  # Twisted left it so
                return
            self._begin(sock, client)
        self.numberAccepts = min(most + 1, _MOST_ACCEPTED)

    def _begin(self, sock: socket.socket, client: Any) -> None:
        if len(client) == 4:  # IPv6: with the scope in the name
            flags = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            client = (socket.getnameinfo(client, flags)[0], *client[1:])
        self.sessionno += 1
        factory: Any = self.factory
        protocol = factory.buildProtocol(None)
        carrier = Carrier(sock, protocol, client, self, self.sessionno)
        carrier.attempt(protocol.makeConnection, carrier)


def listen(sock: socket.socket, factory: Factory) -> Any:
    """Accept on a bound and listening socket; the port, whose ``stopListening`` ends it."""
    from twisted.internet import reactor

    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
    # Linux gives these to each connection that is accepted.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    adopt: Any = CarrierPort._fromListeningDescriptor
    port = adopt(reactor, sock.fileno(), sock.family, factory)
    port.startListening()
    return port
