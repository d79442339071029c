"""What lies between TCP and a client's protocol under TLS."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from twisted.protocols.tls import TLSMemoryBIOFactory, _AggregateSmallWrites

from mailnode.runtime.tls_layer import TlsLayer
from tests.support.pop3_server import Pop3Server, pop3_server

LOGIN = b"USER user1\r\nPASS secret\r\n"
WAIT_S = 60.0


@pytest.fixture
def pop3() -> Iterator[Pop3Server]:
    with pop3_server() as server:
        yield server


def connected(server: Pop3Server) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client = context.wrap_socket(socket.create_connection(server.tls_address, WAIT_S))
    assert client.recv(100).startswith(b"+OK")
    return client


def instances(kind: type) -> int:
    gc.collect()
    return sum(isinstance(one, kind) for one in gc.get_objects())


def test_connections_share_what_is_no_ones_own(pop3: Pop3Server) -> None:
    # Servers of other tests in this process may have left some.
    before, factories = instances(_AggregateSmallWrites), instances(TLSMemoryBIOFactory)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(closing(connected(pop3)))
        assert instances(TlsLayer) == 5
        assert instances(TLSMemoryBIOFactory) <= factories + 1
        assert instances(_AggregateSmallWrites) == before


def test_a_client_that_reads_late_has_everything(pop3: Pop3Server) -> None:
    # More than socket and transport hold: the layer is paused, and goes on.
    pop3.deliver(b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 500_000)
    with closing(connected(pop3)) as client:
        client.sendall(LOGIN + b"RETR 1\r\n" * 2 + b"QUIT\r\n")
        got = bytearray()
        while data := client.recv(65536):
            got += data
    assert got.count(b"0123456789abcdef\r\n") == 1_000_000
    assert got.count(b"\r\n.\r\n+OK") == 2


def test_octets_that_are_no_tls_end_the_connection(pop3: Pop3Server) -> None:
    with closing(connected(pop3)) as client:
        raw = socket.socket(fileno=client.detach())
    with closing(raw):
        # RFC 8446 6: octets that are no TLS end the connection.
        raw.sendall(b"NOOP\r\n" * 10)
        raw.settimeout(WAIT_S)
        got = b""
        try:
            while data := raw.recv(4096):
                got += data
        except ConnectionResetError:
            pass
    assert b"+OK" not in got
