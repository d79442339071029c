"""Connections are accepted as asyncio's own server does, whatever goes wrong with one."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest

from mailnode.runtime.acceptor import Acceptor

_WITHIN_S = 60


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        assert (
            transport.get_extra_info("peername") == transport.get_extra_info("socket").getpeername()
        )
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


async def hello(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    return said


async def test_everybody_who_waits_is_met(listening: socket.socket) -> None:
    address = listening.getsockname()
    acceptor = Acceptor(listening, Greeter)
    for count in (1, 60, 3):
        met = asyncio.gather(*(hello(address) for _ in range(count)))
        assert await asyncio.wait_for(met, _WITHIN_S) == [b"hello"] * count
    acceptor.close()
    acceptor.close()
    with pytest.raises(OSError, match="onnect"):
        await hello(address)


async def test_one_that_cannot_begin_ends_no_other(listening: socket.socket) -> None:
    address = listening.getsockname()
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: told.append(about))
    faults = [RuntimeError("half-written")]

    def make() -> asyncio.BaseProtocol:
        if faults:
            raise faults.pop()
        return Greeter()

    acceptor = Acceptor(listening, make)
    assert await asyncio.wait_for(hello(address), _WITHIN_S) == b""
    assert await asyncio.wait_for(hello(address), _WITHIN_S) == b"hello"
    assert [str(one["exception"]) for one in told] == ["half-written"]
    acceptor.close()


class Short(socket.socket):
    """A listening socket for which there are no descriptors left, some times."""

    faults = 2

    def accept(self) -> tuple[socket.socket, object]:
        if self.faults:
            self.faults -= 1
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


async def test_where_descriptors_are_short_they_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailnode.runtime.acceptor._PAUSE_S", 0.01)
    told: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, about: told.append(about))
    sock = Short()
    sock.bind(("127.0.0.1", 0))
    acceptor = Acceptor(sock, Greeter)
    assert await asyncio.wait_for(hello(sock.getsockname()), _WITHIN_S) == b"hello"
    assert len(told) == 2
    acceptor.close()


async def test_closed_while_it_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _about: told.set())
    sock = Short()
    sock.bind(("127.0.0.1", 0))
    acceptor = Acceptor(sock, Greeter)
    with socket.create_connection(sock.getsockname()):
        await asyncio.wait_for(told.wait(), _WITHIN_S)
    acceptor.close()
    assert sock.fileno() < 0
