"""PEM files: checked before they are used, and made where none are wanted.

Promises: a private key made here is readable by its owner only, from its first byte on.
Fails: ``BadSettings`` with file and remedy.
RFC: 5280 (certificates), 9525 (names are in subjectAltName).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import Clock

SELF_SIGNED_DAYS = 825  # the longest that Apple's clients accept
RENEW_DAYS = 30
_DAY_S = 86400


def read_pair(certificate: Path, key: Path, now: float) -> tuple[str, ...]:
    """Check that both files can serve together; warnings for people (expiry).

    Raises ``BadSettings`` when a file is missing, unreadable, no PEM, or they do not match.
    """
    chain = _certificates(certificate)
    if _public(_private_key(key)) != _public(chain[0]):
        raise BadSettings(
            f"{certificate}: does not belong to the key {key}; "
            "put the server's own certificate first in the file, or name the right key"
        )
    left_days = (chain[0].not_valid_after_utc.timestamp() - now) / _DAY_S
    if left_days < 0:
        return (f"{certificate}: expired {-left_days:.0f} days ago, renew it; clients will warn",)
    if chain[0].not_valid_before_utc.timestamp() > now:
        return (f"{certificate}: not valid yet, look at the clock; clients will warn",)
    return ()


def read_authorities(path: Path, now: float) -> tuple[str, ...]:
    """Check the certificates that sign our users'; warnings for people (expiry). Raises
    ``BadSettings``."""
    ended = [one for one in _certificates(path, "client_ca") if _end_of(one) < now]
    return (f"{path}: holds a certificate that has expired, renew it",) if ended else ()


def read_revoked(path: Path | None) -> list[x509.CertificateRevocationList]:
    """The lists in a PEM file, one behind the other; none for ``None``. Raises ``BadSettings``."""
    if path is None:
        return []
    text = _read(path, "client_crl")
    blocks = re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", text, re.DOTALL)
    try:
        found = [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError:
        found = []
    if not found:
        raise BadSettings(f"{path}: holds no PEM revocation list (-----BEGIN X509 CRL)")
    return found


def _end_of(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def _public(holder: object) -> bytes:
    public = holder.public_key()  # type: ignore[attr-defined]  # certificates and keys both have it
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    der: bytes = public.public_bytes(serialization.Encoding.DER, form)
    return der


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        trial = "" if what.startswith("client") else ", or tls.self_signed = true for a trial"
        raise BadSettings(f"{path}: no such file; set tls.{what}{trial}") from None
    except OSError as error:
        raise BadSettings(
            f"{path}: {error.strerror}; let the account that mailnode runs as read it"
        ) from None


def _certificates(path: Path, setting: str = "certificate") -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path, setting))
    except ValueError:
        raise BadSettings(f"{path}: holds no PEM certificate (-----BEGIN CERTIFICATE)") from None


def _private_key(path: Path) -> object:
    try:
        return serialization.load_pem_private_key(_read(path, "key"), None)
    except TypeError:
        raise BadSettings(
            f"{path}: the key has a passphrase; take it off with `openssl pkey -in … -out …`"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadSettings(f"{path}: holds no usable PEM private key") from None


def make_self_signed(folder: Path, hostnames: Sequence[str], clock: Clock) -> tuple[Path, Path]:
    """Certificate and key in ``folder`` for these names; kept while they fit and last.

    ECDSA P-256, 825 days, made anew when fewer than 30 days are left or the names changed.
    """
    certificate, key = folder / "self-signed.pem", folder / "self-signed.key"
    if not _still_good(certificate, key, hostnames, clock.now()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        private = ec.generate_private_key(ec.SECP256R1())
        form = serialization.PrivateFormat.PKCS8
        encoding, bare = serialization.Encoding.PEM, serialization.NoEncryption()
        _replace(key, private.private_bytes(encoding, form, bare), 0o600)
        _replace(certificate, _signed(private, hostnames, clock.now()), 0o644)
    return certificate, key


def _still_good(certificate: Path, key: Path, hostnames: Sequence[str], now: float) -> bool:
    try:
        read_pair(certificate, key, now)
        found = _certificates(certificate)[0]
    except BadSettings:
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    left_s = found.not_valid_after_utc.timestamp() - now
    return set(names) == set(_alt_names(hostnames)) and left_s > RENEW_DAYS * _DAY_S


def _alt_names(hostnames: Sequence[str]) -> list[x509.GeneralName]:
    return [_alt_name(name) for name in dict.fromkeys(hostnames)]


def _alt_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signed(private: ec.EllipticCurvePrivateKey, hostnames: Sequence[str], now: float) -> bytes:
    start = dt.datetime.fromtimestamp(now, dt.UTC)
    # RFC 5280 A.1: a common name has at most 64 characters; the whole name is in subjectAltName.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostnames[0][:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - dt.timedelta(days=1))
        .not_valid_after(start + dt.timedelta(days=SELF_SIGNED_DAYS - 1))
        .add_extension(x509.SubjectAlternativeName(_alt_names(hostnames)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write beside and rename, so that no reader meets half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.rename(beside, path)
