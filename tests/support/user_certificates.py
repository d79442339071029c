"""An authority that signs certificates of mail users, and clients that show them."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailnode.runtime.clock import SystemClock
from mailnode.runtime.settings.tls import TlsSettings
from mailnode.runtime.tls import PemCertificates, open_certificates

_NOW = dt.datetime.now(dt.UTC)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    """Signs; its own certificate is in ``folder / "ca.pem"``."""

    folder: Path
    common: str = "users of example.test"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = (
            self._builder(self.common, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self.folder / "ca.pem"
        self.pem.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def _builder(self, common: str, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(common))
            .issuer_name(_name(self.common))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - dt.timedelta(days=1))
            .not_valid_after(_NOW + dt.timedelta(days=2))
        )

    def issue(self, common: str, emails: Sequence[str] = ()) -> Path:
        """A user's certificate with its key, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(common, key.public_key()).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if emails:
            names = x509.SubjectAlternativeName([x509.RFC822Name(email) for email in emails])
            builder = builder.add_extension(names, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        path = self.folder / f"{signed.serial_number}.pem"
        path.write_bytes(
            signed.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path

    def revoke(self, *users: Path) -> Path:
        """A revocation list of these certificates."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.common))
            .last_update(_NOW - dt.timedelta(days=1))
            .next_update(_NOW + dt.timedelta(days=1))
        )
        for user in users:
            gone = x509.RevokedCertificateBuilder().serial_number(int(user.stem))
            builder = builder.add_revoked_certificate(gone.revocation_date(_NOW).build())
        path = self.folder / "crl.pem"
        crl = builder.sign(self._key, hashes.SHA256())
        path.write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, revoked: Path | None = None) -> PemCertificates:
        """A server's certificate that asks users for theirs."""
        settings = TlsSettings(self_signed=True, client_ca=self.pem, client_crl=revoked)
        return open_certificates(
            settings, hostname="localhost", state=self.folder / "server", clock=SystemClock()
        )


def client_context(user: Path | None = None, version: str = "1.3") -> ssl.SSLContext:
    """A client that trusts any server, speaks one version of TLS and shows ``user``."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    wanted = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    context.minimum_version = context.maximum_version = wanted
    if user is not None:
        context.load_cert_chain(user)
    return context
