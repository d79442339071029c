"""A load balancer in front: every listener takes its PROXY header, from trusted addresses only."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

import pytest

from mailnode.admin.setup import fill_directory
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.timeout(120)
PASSWORD = "a password of the tests"
CLIENT = "203.0.113.9"
V1 = f"PROXY TCP4 {CLIENT} 198.51.100.1 40000 25\r\n".encode()
V1_SIX = b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 25\r\n"
V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([203, 0, 113, 9, 198, 51, 100, 1]) + bytes(4)
V2_LOCAL = b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
HELLO = {"smtp": b"220", "submission": b"220", "lmtp": b"220", "imap": b"* OK", "pop3": b"+OK"}
TLS = {"submissions": b"220", "imaps": b"* OK", "pop3s": b"+OK"}
NAMES = {"smtp": "mx", "submission": "submission", "submissions": "submission", "lmtp": "lmtp",
         "imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3"}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Trusts 127.0.0.2; 127.0.0.1 is anybody."""
    folder = tmp_path_factory.mktemp("proxied")
    one = LiveServer(
        folder,
        server={"workers": 1},
        cluster={"trusted_proxies": ["127.0.0.2/32"]},
        smtp={"greeting_delay_s": 0.05},
    )
    (folder / "mail").mkdir()
    one.write()
    people = ["user1@example.test"]
    asyncio.run(fill_directory(one.config, "example.test", people, PASSWORD))
    one.start()
    yield one
    one.stop()


def connect(server: LiveServer, service: str, source: str) -> socket.socket:
    address = ("127.0.0.1", server.ports[service])
    return socket.create_connection(address, 10, source_address=(source, 0))


def tls(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


@pytest.mark.parametrize("header", [V1, V2, V1_SIX], ids=["v1", "v2", "v1 IPv6"])
@pytest.mark.parametrize("service", HELLO)
def test_client_is_who_the_proxy_says(server: LiveServer, service: str, header: bytes) -> None:
    seen = len(server.events("connected"))
    with connect(server, service, "127.0.0.2") as sock:
        # In two pieces: nothing is answered before the header is whole.
        sock.sendall(header[:9])
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(10)
        sock.sendall(header[9:])
        assert sock.recv(500).startswith(HELLO[service])
    peer = "2001:db8::9" if header is V1_SIX else CLIENT
    server.until_event("connected", service=NAMES[service], peer=peer)
    assert all(one["peer"] != "127.0.0.2" for one in server.events("connected")[seen:])


@pytest.mark.parametrize("service", TLS)
@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_header_comes_before_tls(server: LiveServer, service: str, header: bytes) -> None:
    with connect(server, service, "127.0.0.2") as sock:
        sock.sendall(header)
        with tls(sock) as tunnel:
            assert tunnel.recv(500).startswith(TLS[service])
    server.until_event("connected", service=NAMES[service], peer=CLIENT)


@pytest.mark.parametrize("service", TLS)
def test_header_and_tls_may_come_in_one_packet(server: LiveServer, service: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tunnel = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        tunnel.do_handshake()
    with connect(server, service, "127.0.0.2") as sock:
        sock.sendall(V2 + outgoing.read())
        said = b""
        while not said:
            incoming.write(sock.recv(65536))
            try:
                tunnel.do_handshake()
                sock.sendall(outgoing.read())
                said = tunnel.read(500)
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
    assert said.startswith(TLS[service])


@pytest.mark.parametrize("service", ["smtp", "imap", "pop3"])
def test_health_check_of_the_proxy_itself(server: LiveServer, service: str) -> None:
    with connect(server, service, "127.0.0.2") as sock:
        sock.sendall(V2_LOCAL)
        assert sock.recv(500).startswith(HELLO[service])


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("service", [*HELLO, *TLS])
def test_header_of_anybody_else_ends_the_connection(
    server: LiveServer, service: str, header: bytes
) -> None:
    with connect(server, service, "127.0.0.1") as sock:
        if service in HELLO:
            assert sock.recv(500).startswith(HELLO[service])
        sock.sendall(header + b"NOOP\r\n")
        assert _rest(sock).isascii() or service in TLS
    if service in HELLO:
        reason = "PROXY header from an address that is not trusted"
        server.until_event("refused", service=NAMES[service], reason=reason)


@pytest.mark.parametrize("service", [*HELLO, *TLS])
@pytest.mark.parametrize("junk", [b"EHLO x\r\n", V1[:-2] + b" x\r\n", b"PROXY " + b"x" * 300])
def test_proxy_that_sends_no_header_is_not_served(
    server: LiveServer, service: str, junk: bytes
) -> None:
    with connect(server, service, "127.0.0.2") as sock:
        sock.sendall(junk)
        assert _rest(sock) == b""


def _rest(sock: socket.socket) -> bytes:
    """What comes until the end; a reset is an end."""
    said = b""
    try:
        while data := sock.recv(4096):
            said += data
    except ConnectionResetError:
        return said
    return said


def test_received_header_login_and_throttle_are_of_the_real_client(server: LiveServer) -> None:
    with connect(server, "smtp", "127.0.0.2") as sock:
        sock.sendall(V1)
        reader = sock.makefile("rb")
        assert reader.readline().startswith(b"220")
        for line, code in (
            ("EHLO there", b"250 "),
            ("MAIL FROM:<s@example.test>", b"250 "),
            ("RCPT TO:<user1@example.test>", b"250 "),
            ("DATA", b"354 "),
            ("Subject: x\r\n\r\ntext\r\n.", b"250 "),
        ):
            sock.sendall(line.encode() + b"\r\n")
            while not (said := reader.readline()).startswith(code):
                assert said[3:4] == b"-", said
        reader.close()
    (stored,) = (server.folder / "mail").glob("**/new/*")
    text = stored.read_text()
    assert f"[{CLIENT}]" in text
    assert "127.0.0.2" not in text
    with connect(server, "pop3", "127.0.0.2") as sock:
        sock.sendall(V1)
        with tls_after(sock) as tunnel:
            tunnel.sendall(b"USER user1@example.test\r\nPASS wrong\r\n")
            _until(tunnel, b"-ERR")
    server.until_event("login-failed", service="pop3", peer=CLIENT)


def tls_after(sock: socket.socket) -> ssl.SSLSocket:
    assert sock.recv(500).startswith(b"+OK")
    sock.sendall(b"STLS\r\n")
    assert sock.recv(500).startswith(b"+OK")
    return tls(sock)


def _until(sock: socket.socket, word: bytes) -> None:
    said = b""
    while word not in said:
        data = sock.recv(4096)
        assert data, said
        said += data
