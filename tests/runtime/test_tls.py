"""Certificates: made, checked, swapped; both stacks serve them."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.settings.tls import TlsSettings
from mailnode.runtime.tls import PemCertificates, open_certificates

DAY_S = 86400.0


class At(SystemClock):
    """A clock so many days from now."""

    def __init__(self, days: float) -> None:
        self.days = days

    def now(self) -> float:
        return super().now() + self.days * DAY_S


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_self_signed(tmp_path, ("mail.example.test", "::1"), SystemClock())


def _open(pair: tuple[Path, Path], days: float = 0) -> PemCertificates:
    return PemCertificates(*pair, clock=At(days))


def _handshake(server: ssl.SSLContext, version: ssl.TLSVersion) -> str | None:
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        with client.wrap_socket(ours) as session:
            return session.version()
    finally:
        ours.close()
        thread.join()


def test_made_key_is_private_and_certificate_names_hosts(pair: tuple[Path, Path]) -> None:
    certificate, key = pair
    assert os.stat(key).st_mode & 0o777 == 0o600
    command = ["openssl", "x509", "-in", str(certificate), "-noout", "-text"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "DNS:mail.example.test, IP Address:0:0:0:0:0:0:0:1" in text
    assert "prime256v1" in text


def test_made_pair_is_kept_until_it_is_due(pair: tuple[Path, Path]) -> None:
    folder, before = pair[0].parent, pair[0].read_bytes()
    names = ("mail.example.test", "::1")
    make_self_signed(folder, names, At(790))
    assert pair[0].read_bytes() == before
    make_self_signed(folder, names, At(800))
    renewed = pair[0].read_bytes()
    assert renewed != before
    make_self_signed(folder, ("other.example.test",), At(800))
    assert pair[0].read_bytes() != renewed


@pytest.mark.parametrize(
    ("version", "spoken"),
    [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
def test_asyncio_context_speaks(
    pair: tuple[Path, Path], version: ssl.TLSVersion, spoken: str
) -> None:
    assert _handshake(_open(pair).asyncio_context(), version) == spoken


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_below_tls_1_2(pair: tuple[Path, Path]) -> None:
    with pytest.raises(OSError):
        _handshake(_open(pair).asyncio_context(), ssl.TLSVersion.TLSv1_1)


def test_twisted_gets_connections_on_the_newest_context(pair: tuple[Path, Path]) -> None:
    certificates = _open(pair)
    options = certificates.twisted_options()
    assert IOpenSSLServerConnectionCreator.providedBy(options)
    before = options.serverConnectionForTLS(None).get_context()
    assert before is options.serverConnectionForTLS(None).get_context()
    certificates.reload()
    assert options is certificates.twisted_options()
    assert options.serverConnectionForTLS(None).get_context() is not before


def test_twisted_context_shakes_hands_and_frees_idle_buffers(pair: tuple[Path, Path]) -> None:
    certificates = _open(pair)
    assert certificates.openssl_context().set_mode(0) & SSL.MODE_RELEASE_BUFFERS
    server = certificates.twisted_options().serverConnectionForTLS(None)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = client.wrap_bio(to_client, to_server)
    server.set_accept_state()
    for _ in range(4):
        for step in (session.do_handshake, server.do_handshake):
            try:
                step()
            except (ssl.SSLWantReadError, SSL.WantReadError):
                pass
            if pending := to_server.read():
                server.bio_write(pending)
            try:
                to_client.write(server.bio_read(65536))
            except SSL.WantReadError:
                pass
    assert session.version() == "TLSv1.3"


def test_asyncio_context_is_the_same_until_reload(pair: tuple[Path, Path]) -> None:
    certificates = _open(pair)
    before = certificates.asyncio_context()
    assert certificates.asyncio_context() is before
    certificates.reload()
    assert certificates.asyncio_context() is not before


def test_bad_file_keeps_the_old_certificate(pair: tuple[Path, Path]) -> None:
    certificates = _open(pair)
    before = certificates.asyncio_context()
    pair[0].write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    with pytest.raises(BadSettings, match="holds no PEM certificate"):
        certificates.reload()
    assert certificates.asyncio_context() is before


def test_missing_files_are_named_with_a_remedy(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"none\.pem: no such file; set tls\.certificate"):
        PemCertificates(tmp_path / "none.pem", pair[1], clock=SystemClock())
    with pytest.raises(BadSettings, match=r"none\.key: no such file; set tls\.key"):
        PemCertificates(pair[0], tmp_path / "none.key", clock=SystemClock())


def test_key_of_another_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    _, other = make_self_signed(tmp_path / "other", ("a.test",), SystemClock())
    with pytest.raises(BadSettings, match="does not belong to the key"):
        PemCertificates(pair[0], other, clock=SystemClock())


def test_key_with_a_passphrase_is_refused_without_asking(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(pair[1]), "-aes128", "-passout", "pass:x"]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    with pytest.raises(BadSettings, match="has a passphrase; take it off"):
        PemCertificates(pair[0], locked, clock=SystemClock())


def test_expired_certificate_serves_with_a_warning(pair: tuple[Path, Path]) -> None:
    assert _open(pair).warnings == ()
    assert "expired 16 days ago" in _open(pair, days=840).warnings[0]
    assert "not valid yet" in _open(pair, days=-5).warnings[0]


def test_settings_choose_self_signed_or_files(pair: tuple[Path, Path], tmp_path: Path) -> None:
    state = tmp_path / "state"
    clock = SystemClock()
    made = TlsSettings(self_signed=True)
    open_certificates(made, hostname="a.test", state=state, clock=clock)
    assert (state / "tls" / "self-signed.key").exists()
    shutil.rmtree(state)
    named = TlsSettings(certificate=pair[0], key=pair[1], min_version="1.3")
    context = open_certificates(named, hostname="a.test", state=state, clock=clock)
    assert context.asyncio_context().minimum_version == ssl.TLSVersion.TLSv1_3
    assert not state.exists()
    with pytest.raises(BadSettings, match="state_dir"):
        open_certificates(made, hostname="a.test", state=pair[0], clock=clock)
