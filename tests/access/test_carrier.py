"""The short way from a client's socket to its session keeps what Twisted's own way promises."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from mailnode.access.door import DoorProtocol
from tests.support.imap_server import ImapServer, imap_server

WAIT_S = 30.0


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with imap_server() as server:
        yield server


def until_end(client: socket.socket) -> bytes:
    got = b""
    try:
        while data := client.recv(65536):
            got += data
    except ConnectionResetError:
        pass
    return got


def test_what_fails_in_one_connection_ends_no_other(
    imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = DoorProtocol.dataReceived

    def fails(self: DoorProtocol, data: bytes) -> None:
        if b"BREAK" in data:
            raise RuntimeError("a fault of ours")
        received(self, data)

    monkeypatch.setattr(DoorProtocol, "dataReceived", fails)
    with (
        closing(socket.create_connection(imap.address, WAIT_S)) as other,
        closing(socket.create_connection(imap.address, WAIT_S)) as client,
    ):
        client.sendall(b"a BREAK\r\n")
        assert b"a OK" not in until_end(client)
        other.sendall(b"a NOOP\r\nb LOGOUT\r\n")
        assert b"b OK" in until_end(other)


def test_who_cannot_be_served_does_not_close_the_port(
    imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: DoorProtocol, host: str) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(DoorProtocol, "begin", fails)
        with closing(socket.create_connection(imap.address, WAIT_S)) as client:
            assert until_end(client) == b""
    with closing(socket.create_connection(imap.address, WAIT_S)) as client:
        client.sendall(b"a LOGOUT\r\n")
        assert b"a OK" in until_end(client)
