"""HTTP requests to servers that the settings name.

Promises: off the event loop, in few threads; bounded in time and size; no redirects; certificates
are checked; nothing of a request's secrets is in an error. When a request's time is up its socket
is shut down, so that a server that sends an octet now and then keeps no thread either; only the
system's resolver ends by its own clock.
Fails: ``Unreachable`` for whatever is no answer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from mailnode.model.errors import TemporaryError
from mailnode.runtime.tasks import Pool

_THREADS = 2
_WAITING = 100
_PIECE = 65_536


class Unreachable(TemporaryError):
    """No whole answer came; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class _Request:
    url: str
    body: bytes | None
    headers: Mapping[str, str]


class _Line:
    """A request's socket, which another thread may cut off."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._cut = False

    def hold(self, sock: socket.socket | None) -> None:
        """This is the socket now. Raises ``TimeoutError`` if the line was cut before."""
        with self._lock:
            self._sock = sock
        if sock is not None:
            self.check()

    def check(self) -> None:
        """Raises ``TimeoutError`` if the line was cut."""
        with self._lock:
            if self._cut:
                raise TimeoutError("the time was up")

    def cut(self) -> None:
        """Whoever reads or writes hears the end."""
        with self._lock:
            self._cut = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    # Not ``SSLSocket.shutdown``, which takes the TLS from under the reader.
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


class Web:
    """A client with its own threads, so that a slow server keeps nobody from the disk."""

    def __init__(
        self, *, timeout_s: float, limit_bytes: int, authorities: Path | None = None
    ) -> None:
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._authorities = authorities
        self._context: ssl.SSLContext | None = None
        self._pool = Pool(_THREADS, "web")
        self._lines: set[_Line] = set()

    async def get(self, url: str) -> Answer:
        """GET."""
        return await self._send(_Request(url, None, {}))

    async def post(
        self, url: str, fields: Mapping[str, str], user: str = "", password: str = ""
    ) -> Answer:
        """POST a form, by HTTP Basic authentication as RFC 6749 2.3.1 has it if there is a user."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if user:
            pair = f"{quote_plus(user)}:{quote_plus(password)}".encode()
            headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        return await self._send(_Request(url, urlencode(fields).encode(), headers))

    def close(self) -> None:
        """End running requests, take no more. Waits for nothing."""
        for line in self._lines:
            line.cut()
        self._pool.leave()

    async def _send(self, request: _Request) -> Answer:
        host = urlsplit(request.url).netloc
        if len(self._lines) >= _WAITING:
            raise Unreachable(f"{host}: too many requests wait for it")
        line = _Line()
        self._lines.add(line)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._pool.run(self._blocking, request, line)
        except TimeoutError:
            raise Unreachable(f"{host}: no answer within {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{host}: {error or type(error).__name__}") from None
        finally:
            line.cut()
            self._lines.discard(line)

    def _blocking(self, request: _Request, line: _Line) -> Answer:
        parts = urlsplit(request.url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/json", "User-Agent": "mailnode", **request.headers}
        try:
            connection.sock = self._connected(connection.host, connection.port, line)
            if parts.scheme == "https":
                connection.sock = self._wrapped(connection.sock, connection.host, line)
            verb = "GET" if request.body is None else "POST"
            connection.request(verb, target, request.body, headers)
            answer = connection.getresponse()
            whole = Answer(answer.status, self._body(answer))
            line.check()  # the end of a line that was cut looks like the end of an answer
            return whole
        finally:
            line.hold(None)
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme != "https":
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._tls())

    def _wrapped(self, sock: socket.socket, host: str, line: _Line) -> ssl.SSLSocket:
        tls = self._tls().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        try:
            line.hold(tls)
            tls.do_handshake()
        except BaseException:
            line.hold(None)
            tls.close()
            raise
        return tls

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._authorities)
        return self._context

    def _connected(self, host: str, port: int, line: _Line) -> socket.socket:
        """To the first of the host's addresses that answers; each may be cut off."""
        failed: OSError = OSError("it has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._timeout_s)
                line.hold(sock)
                sock.connect(address)
                line.hold(sock)  # one that was shut down meanwhile connected to nothing
            except OSError as error:
                line.hold(None)
                sock.close()
                failed = error
            else:
                return sock
        raise failed

    def _body(self, answer: Any) -> bytes:
        body = bytearray()
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > self._limit_bytes:
                raise ValueError("the answer is too long")
        if answer.length:
            raise ValueError("the answer was cut off")
        return bytes(body)
