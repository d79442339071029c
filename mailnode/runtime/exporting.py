"""pyOpenSSL below asyncio's TLS: what Python's ``ssl`` gives, and keying material besides.

Python's ``ssl`` has no exporter, without which no login can be bound to a connection of TLS 1.3
(RFC 9266 3: who binds there must know tls-exporter). asyncio asks a context for an object between
two buffers in memory; this one's are pyOpenSSL connections.
Promises: the object fails as an ``ssl.SSLObject`` does.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, TypeVar, cast

from OpenSSL import SSL

_PIECE_BYTES = 65536
T = TypeVar("T")


class ExportingContext(ssl.SSLContext):
    """A server's context; set ``made_by`` before its first connection."""

    made_by: SSL.Context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """One connection between two buffers."""
        if not server_side:
            raise ValueError("this context is a server's")
        made = ExportingObject(SSL.Connection(self.made_by, None), incoming, outgoing)
        return cast(ssl.SSLObject, made)


class ExportingObject:
    """The verbs of ``ssl.SSLObject`` that asyncio's loops need; ``connection`` for the rest."""

    def __init__(
        self, connection: SSL.Connection, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        connection.set_accept_state()
        self.connection = connection
        self._incoming, self._outgoing = incoming, outgoing

    def do_handshake(self) -> None:
        """One step of the handshake."""
        self._run(self.connection.do_handshake)

    def read(self, size: int = 1024, buffer: Any = None) -> int | bytes:
        """Octets, or into ``buffer`` and how many; none once the client has ended TLS."""
        try:
            if buffer is None:
                return self._run(self.connection.recv, size)
            return self._run(self.connection.recv_into, buffer, size)
        except SSL.ZeroReturnError:
            return b"" if buffer is None else 0

    def write(self, data: Any) -> int:
        """How many octets were taken."""
        return self._run(self.connection.send, data)

    def unwrap(self) -> None:
        """End TLS, and wait until the client does."""
        try:
            # The first says so, the second hears the answer.
            if not self._run(self.connection.shutdown):
                self._run(self.connection.shutdown)
        except SSL.ZeroReturnError:
            pass

    def pending(self) -> int:
        """Octets that can be read at once."""
        return self.connection.pending()

    def version(self) -> str:
        """E.g. ``TLSv1.3``."""
        return self.connection.get_protocol_version_name()

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, version and secret bits."""
        name = self.connection.get_cipher_name()
        if name is None:
            return None
        version = self.connection.get_cipher_version() or ""
        return name, version, self.connection.get_cipher_bits() or 0

    def compression(self) -> None:
        """There is none."""

    def getpeercert(self, binary_form: bool = False) -> None:
        """Told by ``OpenSslTunnel`` instead."""

    def _run(self, verb: Callable[..., T], *args: Any) -> T:
        if self._incoming.pending:
            self.connection.bio_write(self._incoming.read())
        try:
            return verb(*args)
        except SSL.WantReadError:
            if self._incoming.eof:
                raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the client left within TLS") from None
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more is needed") from None
        except SSL.SysCallError:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the client left within TLS") from None
        except SSL.ZeroReturnError:
            raise
        except SSL.Error as error:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, _reason(error)) from None
        finally:
            self._carry_out()

    def _carry_out(self) -> None:
        while True:
            try:
                self._outgoing.write(self.connection.bio_read(_PIECE_BYTES))
            except SSL.WantReadError:
                return


def _reason(error: SSL.Error) -> str:
    told = error.args[0] if error.args else ()
    return str(told[-1][2]) if told else "TLS failed"
