"""HTTP requests to servers that the settings name.

Promises: off the event loop, in few threads; bounded in time and size; no redirects; certificates
are checked; nothing of a request's secrets is in an error.
Fails: ``Unreachable`` for whatever is no answer.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import ssl
import time
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
        self._waiting = 0

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
        """Wait for running requests, take no more."""
        self._pool.close()

    async def _send(self, request: _Request) -> Answer:
        host = urlsplit(request.url).netloc
        if self._waiting >= _WAITING:
            raise Unreachable(f"{host}: too many requests wait for it")
        self._waiting += 1
        try:
            # The thread ends by its own clock; who asked need not wait for that.
            async with asyncio.timeout(self._timeout_s):
                return await self._pool.run(self._blocking, request)
        except TimeoutError:
            raise Unreachable(f"{host}: no answer within {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"{host}: {error or type(error).__name__}") from None
        finally:
            self._waiting -= 1

    def _blocking(self, request: _Request) -> Answer:
        until = time.monotonic() + self._timeout_s
        parts = urlsplit(request.url)
        connection = self._connection(parts.scheme, parts.hostname or "", parts.port)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/json", "User-Agent": "mailnode", **request.headers}
        try:
            verb = "GET" if request.body is None else "POST"
            connection.request(verb, target, request.body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, self._body(answer, until))
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._authorities)
        return http.client.HTTPSConnection(
            host, port, timeout=self._timeout_s, context=self._context
        )

    def _body(self, answer: Any, until: float) -> bytes:
        body = bytearray()
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > self._limit_bytes:
                raise ValueError("the answer is too long")
            if time.monotonic() > until:
                raise TimeoutError("the answer is too slow")
        if answer.length:
            raise ValueError("the answer was cut off")
        return bytes(body)
