"""pyOpenSSL where asyncio wants an object of ``ssl``: the same octets, the same failures."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from OpenSSL import SSL

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.exporting import ExportingContext, ExportingObject
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.tls import PemCertificates


class Ends:
    """A server's object and a client of Python's ``ssl``, with the buffers between them."""

    def __init__(self, folder: Path) -> None:
        pair = make_self_signed(folder, ("localhost",), SystemClock())
        context = PemCertificates(*pair, clock=SystemClock()).asyncio_context(users=True)
        assert isinstance(context, ExportingContext)
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        self.up, self.down = ssl.MemoryBIO(), ssl.MemoryBIO()
        made: object = context.wrap_bio(self.up, self.down, server_side=True)
        assert isinstance(made, ExportingObject)
        self.server, self.client = made, trusting.wrap_bio(self.down, self.up)

    def shake(self) -> None:
        for _ in range(3):
            for side in (self.client, self.server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path)


def test_octets_go_both_ways(ends: Ends) -> None:
    ends.shake()
    assert ends.server.version() == ends.client.version() == "TLSv1.3"
    assert ends.server.cipher() == ends.client.cipher()
    ends.client.write(b"up" * 40_000)
    got, buffer = bytearray(), bytearray(4096)
    while len(got) < 80_000:
        got += buffer[: int(ends.server.read(4096, buffer))]
    assert got == b"up" * 40_000
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.read(1)
    assert ends.server.write(memoryview(b"down")) == 4
    assert ends.client.read(10) == b"down"
    ends.client.write(b"whole")
    assert ends.server.read(3) == b"who"
    assert ends.server.pending() == 2


def test_the_end_is_said_and_heard(ends: Ends) -> None:
    ends.shake()
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    ends.client.unwrap()
    ends.server.unwrap()


def test_who_has_ended_gives_no_more(ends: Ends) -> None:
    ends.shake()
    with pytest.raises(ssl.SSLWantReadError):
        ends.client.unwrap()
    assert ends.server.read(10) == b""
    assert ends.server.read(10, bytearray(10)) == 0


def test_what_is_no_tls_fails_as_with_ssl(ends: Ends) -> None:
    ends.up.write(b"EHLO me\r\n" * 20)
    with pytest.raises(ssl.SSLError) as failed:
        ends.server.do_handshake()
    assert not isinstance(failed.value, ssl.SSLWantReadError)
    assert str(failed.value)


def test_an_end_in_the_middle_is_one(ends: Ends) -> None:
    ends.shake()
    ends.up.write_eof()
    with pytest.raises(ssl.SSLEOFError):
        ends.server.read(1)


def test_it_is_a_servers_context_only() -> None:
    context = ExportingContext(ssl.PROTOCOL_TLS_SERVER)
    context.made_by = SSL.Context(SSL.TLS_SERVER_METHOD)
    with pytest.raises(ValueError, match="server's"):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO())
