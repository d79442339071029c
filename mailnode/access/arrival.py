"""Who has connected: read off the socket, or off the PROXY header of a trusted load balancer.

Promises: from a trusted proxy nothing is answered before its header is whole; from anybody else a
header ends the connection. The header comes before TLS, also where TLS starts with the first byte.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.proxies import HEADER_WITHIN_S, TrustedProxies
from mailnode.wire.proxy.header import Malformed, NeedMore, looks_like_header, parse_header


class Arrival(ABC):
    """Mixin of a Twisted protocol, which calls ``arrive`` and ``arrived`` and has ``begin``."""

    transport: Any
    _held: bytearray | None = None
    _late: asyncio.TimerHandle | None = None
    _fresh = True

    @abstractmethod
    def begin(self, host: str) -> None:
        """The client is known: greet it, or start TLS."""

    def arrive(self, proxies: TrustedProxies) -> None:
        """The connection is there."""
        host = getattr(self.transport.getPeer(), "host", "local")
        if not proxies.trusts(host):
            self.begin(host)
            return
        self._held = bytearray()
        loop = asyncio.get_running_loop()
        self._late = loop.call_later(HEADER_WITHIN_S, self.transport.abortConnection)

    def arrived(self, data: bytes, service: str, log: MailLog) -> bytes:
        """What of the bytes is the client's own."""
        if self._held is not None:
            self._read_header(data, service, log)
            return b""
        if self._fresh:
            self._fresh = False
            if looks_like_header(data):
                self._refuse(service, log, "PROXY header from an address that is not trusted")
                return b""
        return data

    def depart(self) -> None:
        """The connection is gone."""
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _read_header(self, data: bytes, service: str, log: MailLog) -> None:
        assert self._held is not None
        self._held += data
        found = parse_header(bytes(self._held))
        if isinstance(found, NeedMore):
            return
        self.depart()
        if isinstance(found, Malformed):
            self._refuse(service, log, found.reason)
            return
        rest, self._held = bytes(self._held[found.length :]), None
        carrier = self.transport
        self.begin(found.host or carrier.getPeer().host)
        if rest and not carrier.disconnecting:
            # Twisted has put TLS in between by now, where it is to start with the first byte.
            carrier.protocol.dataReceived(rest)

    def _refuse(self, service: str, log: MailLog, reason: str) -> None:
        peer = getattr(self.transport.getPeer(), "host", "local")
        log.event(Event.REFUSED, service=service, peer=peer, reason=reason)
        self.transport.abortConnection()


def local_host(transport: Any) -> str:
    """The local address a connection came in on; empty for a unix socket."""
    return str(getattr(transport.getHost(), "host", ""))
