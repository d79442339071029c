"""Channel bindings and names, apart from any connection; see also tests/conformance/rfc9266."""

from __future__ import annotations

import datetime as dt
import hashlib
import socket
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.tunnel import end_point, give_back_buffers, names_of
from tests.support.user_certificates import Authority


def certificate(
    common: str, names: list[x509.GeneralName], algorithm: hashes.HashAlgorithm | None
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm else None
    signer = key or ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(signer.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=9))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, algorithm)


def test_rfc5929_s4_1_the_end_point_is_hashed_as_it_was_signed() -> None:
    for algorithm, name in ((hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384")):
        made = certificate("x", [], algorithm)
        der = made.public_bytes(serialization.Encoding.DER)
        assert end_point(made) == hashlib.new(name, der).digest()
    # No hash function in the signature: undefined, so it is not offered.
    assert end_point(certificate("x", [], None)) is None


@pytest.mark.parametrize(
    ("common", "names", "found"),
    [
        ("Ann", [x509.RFC822Name("Ann@Example.test")], ("ann@example.test",)),
        ("b@example.test", [x509.RFC822Name("a@x.test")], ("a@x.test",)),
        ("B@example.test", [x509.DNSName("example.test")], ("b@example.test",)),
        ("Ann", [x509.DNSName("example.test")], ()),
        ("Ann", [], ()),
    ],
)
def test_names(common: str, names: list[x509.GeneralName], found: tuple[str, ...]) -> None:
    assert names_of(certificate(common, names, hashes.SHA256())) == found


def test_bad_files_are_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.server(authority.revoke())
    with pytest.raises(BadSettings, match=r"tls\.client_crl"):
        authority.server(tmp_path / "missing.pem")
    with pytest.raises(BadSettings, match="holds no PEM revocation list"):
        authority.server(authority.pem)
    authority.pem.write_text("nonsense")
    with pytest.raises(BadSettings, match="holds no PEM certificate"):
        authority.server()
    authority.pem.unlink()
    with pytest.raises(BadSettings, match=r"set tls\.client_ca$"):
        authority.server()


class Pair:
    """Server and client of one TLS connection, each with two buffers in memory."""

    def __init__(self, folder: Path, version: int = SSL.TLS1_3_VERSION) -> None:
        pair = make_self_signed(folder, ("localhost",), SystemClock())
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(version)
        context.use_certificate_file(str(pair[0]))
        context.use_privatekey_file(str(pair[1]))
        self.server = SSL.Connection(context, None)
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.server.set_accept_state()
        self.client.set_connect_state()
        for _ in range(4):
            for one, other in ((self.client, self.server), (self.server, self.client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass
                self.carry(one, other)

    def carry(self, source: SSL.Connection, target: SSL.Connection) -> None:
        try:
            while data := source.bio_read(65536):
                target.bio_write(data)
        except SSL.WantReadError:
            pass

    def tell(self, source: SSL.Connection, target: SSL.Connection, text: bytes) -> bytes:
        source.send(text)
        self.carry(source, target)
        return target.recv(65536)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_connection_goes_on_with_new_buffers(tmp_path: Path, version: int) -> None:
    pair = Pair(tmp_path, version)
    assert pair.tell(pair.client, pair.server, b"before") == b"before"
    for turn in (b"1", b"2"):
        before = pair.server._into_ssl, pair.server._from_ssl
        give_back_buffers(pair.server)
        assert pair.server._into_ssl != before[0]
        assert pair.server._from_ssl != before[1]
        assert pair.tell(pair.client, pair.server, b"asked" + turn) == b"asked" + turn
        assert pair.tell(pair.server, pair.client, b"x" * 16000) == b"x" * 16000
    pair.server.shutdown()
    pair.carry(pair.server, pair.client)
    with pytest.raises(SSL.ZeroReturnError):
        pair.client.recv(1)


def test_what_is_in_a_buffer_is_not_thrown_away(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    before = pair.server._into_ssl
    pair.client.send(b"on its way")
    pair.carry(pair.client, pair.server)
    give_back_buffers(pair.server)
    assert pair.server._into_ssl == before
    assert pair.server.recv(100) == b"on its way"
    pair.server.send(b"not sent yet")
    give_back_buffers(pair.server)
    assert pair.server._into_ssl == before
    pair.carry(pair.server, pair.client)
    assert pair.client.recv(100) == b"not sent yet"


def test_other_connections_are_left_alone() -> None:
    with socket.socket() as sock:
        give_back_buffers(sock)
        give_back_buffers(SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock))
