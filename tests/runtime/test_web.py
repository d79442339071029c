"""Requests to servers that the settings name: certificates, bounds, and what is no answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
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

        def start(
            said: bytes,
            pair: tuple[Path, Path] | None = None,
            hang: bool = False,
            drip: bytes = b"",
        ) -> str:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listening.getsockname()[1]
            over = threading.Event()
            thread = threading.Thread(
                target=_serve, args=(listening, said, pair, hang, drip, over), daemon=True
            )
            thread.start()

            def end() -> None:
                over.set()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 5).close()
                thread.join(30)

            stack.callback(end)
            return f"{'https' if pair else 'http'}://127.0.0.1:{port}/x"

        yield start


def _serve(
    listening: socket.socket,
    said: bytes,
    pair: tuple[Path, Path] | None,
    hang: bool,
    drip: bytes,
    over: threading.Event,
) -> None:
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
    while not over.is_set():
        plain, _ = listening.accept()
        threading.Thread(
            target=_answer, args=(plain, context, said, hang, drip, over), daemon=True
        ).start()


def _answer(
    plain: socket.socket,
    context: ssl.SSLContext | None,
    said: bytes,
    hang: bool,
    drip: bytes,
    over: threading.Event,
) -> None:
    with plain, contextlib.suppress(OSError):
        plain.settimeout(10)
        with context.wrap_socket(plain, server_side=True) if context else plain as client:
            client.recv(65536)
            client.sendall(said)
            if hang:
                over.wait(20)
            for at in range(len(drip)):
                client.sendall(drip[at : at + 1])
                if over.wait(0.05):
                    break


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


@pytest.mark.parametrize("said", [OK, OK + b"Content-Length: 99999\r\n\r\n", b""])
@pytest.mark.parametrize("https", [False, True])
async def test_a_server_that_drips_keeps_no_thread(
    serve: Serve, tmp_path: Path, said: bytes, https: bool
) -> None:
    pair = make_self_signed(tmp_path, ("127.0.0.1",), SystemClock()) if https else None
    slow = serve(said, pair, drip=b"X-Y: z\r\n" * 1000)
    good = serve(OK + b"Content-Length: 2\r\n\r\nhi", pair)
    async with opened(timeout_s=1.0, authorities=pair and pair[0]) as web:
        asked = await asyncio.gather(*(web.get(slow) for _ in range(4)), return_exceptions=True)
        assert {type(one) for one in asked} == {Unreachable}
        web._timeout_s = 20.0  # time enough, so it fails only where the threads are still kept
        assert await web.get(good) == Answer(200, b"hi")


async def test_a_handshake_that_never_ends_is_cut(tmp_path: Path) -> None:
    pair = make_self_signed(tmp_path, ("127.0.0.1",), SystemClock())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        async with opened(timeout_s=60.0, authorities=pair[0]) as web:
            asked = asyncio.create_task(web.get(url))
            client = (await asyncio.to_thread(silent.accept))[0]
            await asyncio.to_thread(client.recv, 1)
            web.close()
            with pytest.raises(Unreachable):
                await asyncio.wait_for(asked, 30)
            client.close()


async def test_close_waits_for_nobody(serve: Serve) -> None:
    url = serve(OK, hang=True)
    async with opened(timeout_s=60.0) as web:
        asked = [asyncio.create_task(web.get(url)) for _ in range(3)]  # one waits for a thread
        await asyncio.sleep(0.1)
        began = time.monotonic()
        web.close()
        assert time.monotonic() - began < 5
        said = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
        assert {type(one) for one in said} == {Unreachable}


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
