"""The first bytes of a connection: a trusted load balancer's PROXY header, or the client's own.

Promises: from a trusted proxy nothing is answered before its header is whole; from anybody else a
header ends the connection.
"""

from __future__ import annotations

from typing import NamedTuple

from mailnode.runtime.proxies import TrustedProxies
from mailnode.wire.proxy.header import Header, Malformed, NeedMore, looks_like_header, parse_header


class Refused(NamedTuple):
    """The connection is to end."""

    reason: str


class Own(NamedTuple):
    """``data`` is the client's own. ``host`` and ``port`` are the client's, where a proxy named
    it; else empty and 0."""

    data: bytes
    host: str = ""
    port: int = 0


class Arrival:
    """One connection's beginning. ``waits`` until the header is whole."""

    def __init__(self, proxies: TrustedProxies, host: str) -> None:
        self.waits = proxies.trusts(host)
        self._held = bytearray()
        self._fresh = True

    def take(self, data: bytes) -> Own | Refused | None:
        """What came in; ``None`` while the header is not whole."""
        if not self.waits:
            if self._fresh and looks_like_header(data):
                return Refused("PROXY header from an address that is not trusted")
            self._fresh = False
            return Own(data)
        self._held += data
        found: Header | NeedMore | Malformed = parse_header(bytes(self._held))
        if isinstance(found, NeedMore):
            return None
        if isinstance(found, Malformed):
            return Refused(found.reason)
        self.waits, self._fresh = False, False
        return Own(bytes(self._held[found.length :]), found.host, found.port)
