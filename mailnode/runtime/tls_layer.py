"""TLS over a client's TCP connection: Twisted's protocol, less what it would keep for each client.

Twisted's own ``startTLS`` makes a factory for each connection, a list of protocols in that, a
buffer that collects small writes (the door does that before), and names on the transport. What
waits here are mostly thousands of clients that say nothing.
Promises: bytes, errors and back-pressure as with ``startTLS``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol


class TlsLayer(TLSMemoryBIOProtocol):
    """Between the transport and the client's protocol, which is connected already."""

    def __init__(self, factory: TLSMemoryBIOFactory, above: Any) -> None:
        super().__init__(factory, above, False)  # type: ignore[no-untyped-call]  # Twisted left it so


class _Layers(TLSMemoryBIOFactory):
    """What the layers call their factory; one for all connections of a creator."""

    protocol = TlsLayer

    def __init__(self, creator: Any) -> None:
        super().__init__(creator, False, None)  # type: ignore[arg-type]  # it wraps no factory

    def registerProtocol(self, p: Any) -> None:  # noqa: N802
        """The transport alone keeps it."""

    def unregisterProtocol(self, p: Any) -> None:  # noqa: N802
        """See above."""


def begin_tls(transport: Any, creator: Any) -> None:
    """Put a layer between a connected TCP transport and its protocol, and shake hands. ``creator``:
    see ``Certificates.twisted_options``."""
    producer, streaming = transport.producer, transport.streamingProducer
    if producer is not None:
        transport.unregisterProducer()
    layer = TlsLayer(_layers(creator), transport.protocol)
    transport.protocol = layer
    # From now on Twisted's transports give to the layer what is written to them.
    transport.TLS = True
    layer.makeConnection(_Below(transport))  # type: ignore[no-untyped-call]  # Twisted left it so
    if producer is not None:
        transport.registerProducer(producer, streaming)


@lru_cache(maxsize=4)
def _layers(creator: Any) -> _Layers:
    return _Layers(creator)


class _Below:
    """The transport as the layer sees it: what is written here goes to the socket as it is."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        FileDescriptor.write(self._transport, data)

    def writeSequence(self, pieces: Any) -> None:  # noqa: N802
        FileDescriptor.writeSequence(self._transport, pieces)

    def loseConnection(self) -> None:  # noqa: N802
        FileDescriptor.loseConnection(self._transport)  # type: ignore[no-untyped-call]  # as above

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: N802
        FileDescriptor.registerProducer(self._transport, producer, streaming)

    def unregisterProducer(self) -> None:  # noqa: N802
        FileDescriptor.unregisterProducer(self._transport)


def handle_of(transport: Any) -> Any:
    """The pyOpenSSL connection, once ``begin_tls`` was called for this transport; else ``None``."""
    above = transport.protocol
    return above._tlsConnection if isinstance(above, TlsLayer) else None
