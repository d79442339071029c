"""Requests to servers that the settings name: certificates, bounds, and what is no answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.web import Answer, Unreachable, Web

OK = b"HTTP/1.1 200 OK\r\n"
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that says the same to everybody; its URL."""
    with contextlib.ExitStack() as stack:

        def start(said: bytes, pair: tuple[Path, Path] | None = None, hang: bool = False) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listening.getsockname()[1]
            over = threading.Event()
            thread = threading.Thread(target=_serve, args=(listening, said, pair, hang, over))
            thread.start()

            def end() -> None:
                over.set()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 5).close()
                thread.join()

            stack.callback(end)
            return f"{'https' if pair else 'http'}://127.0.0.1:{port}/x"

        yield start


def _serve(
    listening: socket.socket,
    said: bytes,
    pair: tuple[Path, Path] | None,
    hang: bool,
    over: threading.Event,
) -> None:
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
    while not over.is_set():
        plain, _ = listening.accept()
        with plain, contextlib.suppress(OSError):
            plain.settimeout(10)
            client = context.wrap_socket(plain, server_side=True) if context else plain
            client.recv(65536)
            client.sendall(said)
            if hang:
                over.wait(20)
            client.close()


@contextlib.asynccontextmanager
async def opened(**options: object):  # type: ignore[no-untyped-def]
    chosen = {"timeout_s": 5.0, "limit_bytes": 1000, "authorities": None} | options
    web = Web(**chosen)  # type: ignore[arg-type]
    try:
        yield web
    finally:
        await asyncio.to_thread(web.close)


async def test_an_answer(serve: Serve) -> None:
    async with opened() as web:
        url = serve(OK + b"Content-Length: 2\r\n\r\nhi")
        assert await web.get(url) == Answer(200, b"hi")
        assert await web.post(url, {"a": "b c"}, "user", "pass") == Answer(200, b"hi")


async def test_redirects_are_not_followed(serve: Serve) -> None:
    async with opened() as web:
        where = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        assert (await web.get(serve(where))).status == 302


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        OK + b"Content-Length: 9\r\n\r\nhi",
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
async def test_what_is_no_answer(serve: Serve, said: bytes) -> None:
    async with opened() as web:
        with pytest.raises(Unreachable):
            await web.get(serve(said))


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with opened() as web:
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
            await web.get(f"http://127.0.0.1:{port}/secret?token=x")


async def test_the_one_who_asked_does_not_wait_for_ever(serve: Serve) -> None:
    async with opened(timeout_s=0.2) as web:
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s|timed out"):
            await web.get(serve(OK, hang=True))


async def test_certificates_are_checked(serve: Serve, tmp_path: Path) -> None:
    pair = make_self_signed(tmp_path / "a", ("127.0.0.1",), SystemClock())
    other = make_self_signed(tmp_path / "b", ("issuer.example",), SystemClock())
    answer = OK + b"Content-Length: 2\r\n\r\nhi"
    async with opened(authorities=pair[0]) as web:
        assert await web.get(serve(answer, pair)) == Answer(200, b"hi")
        with pytest.raises(Unreachable):
            await web.get(serve(answer, other))
    async with opened(authorities=other[0]) as web:
        with pytest.raises(Unreachable):
            await web.get(serve(answer, other))
    async with opened() as web:
        with pytest.raises(Unreachable):
            await web.get(serve(answer, pair))
