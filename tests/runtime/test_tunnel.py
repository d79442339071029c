"""Channel bindings and names, apart from any connection; see also tests/conformance/rfc9266."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from mailnode.model.errors import BadSettings
from mailnode.runtime.tunnel import end_point, names_of
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
