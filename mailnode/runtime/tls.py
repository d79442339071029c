"""Certificates for both TLS stacks: ``ssl`` for asyncio, pyOpenSSL for Twisted.

Promises: TLS 1.2 or newer, forward-secret AEAD ciphers only, no compression, no renegotiation;
a bad file never replaces a good certificate; the key's bytes are in no message.
Fails: ``BadSettings`` with file and remedy.
RFC: 8996 (no TLS below 1.2), 9325 (ciphers, renegotiation, tickets).
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from mailnode.model.errors import BadSettings
from mailnode.runtime.clock import Clock
from mailnode.runtime.exporting import ExportingContext
from mailnode.runtime.pem import (
    make_self_signed,
    read_authorities,
    read_pair,
    read_revoked,
)
from mailnode.runtime.settings.tls import TlsSettings

# RFC 9325 4.2: forward secrecy and AEAD. TLS 1.3 suites are all of that kind.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!PSK"
_NO_RENEGOTIATION = 1 << 30  # SSL_OP_NO_RENEGOTIATION; pyOpenSSL names it only in new versions
_VERSIONS = {"1.2": (ssl.TLSVersion.TLSv1_2, SSL.TLS1_2_VERSION)}
_VERSIONS["1.3"] = (ssl.TLSVersion.TLSv1_3, SSL.TLS1_3_VERSION)


class Certificates(Protocol):
    """The server's certificate and key; ``reload`` swaps them for new connections only."""

    def asyncio_context(self, *, users: bool = False) -> ssl.SSLContext:
        """A server-side context for asyncio; the same object until ``reload``. With ``users`` it
        is for those who log in: its connections can be bound to, and it asks for client
        certificates where the settings name who signs them."""

    def twisted_options(self) -> Any:
        """What ``transport.startTLS`` and ``TLSMemoryBIOFactory`` take
        (``IOpenSSLServerConnectionCreator``); always the newest certificate."""

    def reload(self) -> None:
        """Read the files again. Raises ``BadSettings`` and keeps the old ones on a bad file."""


@dataclass(frozen=True, slots=True)
class _Contexts:
    asyncio: ssl.SSLContext
    users: ssl.SSLContext
    twisted: SSL.Context


@dataclass(frozen=True, slots=True)
class Clients:
    """Whose certificates of users are believed: PEM files of the authorities and of what they
    revoked."""

    authorities: Path
    revoked: Path | None = None


class PemCertificates:
    """``Certificates`` from two PEM files.

    Built once before the workers are forked, so that they share the session ticket keys and a
    client may resume with any of them. ``warnings`` tells what a person should look at.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        clock: Clock,
        min_version: str = "1.2",
        clients: Clients | None = None,
    ) -> None:
        self._clients = clients
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self._min_version = min_version
        self._newest = _NewestContext(self)
        self.warnings: tuple[str, ...] = ()
        self.reload()

    def asyncio_context(self, *, users: bool = False) -> ssl.SSLContext:
        """See ``Certificates``."""
        return self._contexts.users if users else self._contexts.asyncio

    def twisted_options(self) -> Any:
        """A creator of server connections that always takes the newest certificate."""
        return self._newest

    def openssl_context(self) -> SSL.Context:
        """The pyOpenSSL context of the newest certificate."""
        return self._contexts.twisted

    def reload(self) -> None:
        """Read the files again. Raises ``BadSettings`` and keeps the old ones on a bad file."""
        warnings = read_pair(self._certificate, self._key, self._clock.now())
        if self._clients is not None:
            warnings += read_authorities(self._clients.authorities, self._clock.now())
        revoked = read_revoked(self._clients.revoked) if self._clients else []
        try:
            users = ExportingContext(ssl.PROTOCOL_TLS_SERVER)
            users.made_by = self._openssl_context(revoked)
            contexts = _Contexts(self._asyncio_context(), users, users.made_by)
        except (ssl.SSLError, SSL.Error, OSError) as error:
            reason = getattr(error, "reason", None) or "OpenSSL cannot use it"
            raise BadSettings(f"{self._certificate}, {self._key}: {reason}") from None
        self._contexts = contexts
        self.warnings = warnings

    def _asyncio_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[self._min_version][0]
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self._certificate, self._key, _no_passphrase)
        return context

    def _openssl_context(self, revoked: Sequence[Any]) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(_VERSIONS[self._min_version][1])
        context.set_cipher_list(CIPHERS.encode())
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_SINGLE_ECDH_USE | _NO_RENEGOTIATION)
        # An idle session gives its 34 KiB of record buffers back.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # Tickets resume sessions without a cache that grows with each client.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.use_certificate_chain_file(str(self._certificate))
        context.use_privatekey_file(str(self._key))
        context.check_privatekey()
        if self._clients is not None:
            authorities = str(self._clients.authorities).encode()
            context.load_verify_locations(authorities)
            context.load_client_ca(authorities)
            # A client may show none; one that cannot be verified ends the handshake.
            context.set_verify(SSL.VERIFY_PEER, _as_openssl_found)
            # Without one no session with a client's certificate could be resumed.
            context.set_session_id(b"mailnode")
            store: Any = context.get_cert_store()
            for one in revoked:
                store.add_crl(one)
            if revoked:
                store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
        return context


@implementer(IOpenSSLServerConnectionCreator)
class _NewestContext:
    """Gives Twisted a connection on whatever context is the newest."""

    def __init__(self, certificates: PemCertificates) -> None:
        self._certificates = certificates

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:  # noqa: N802
        return SSL.Connection(self._certificates.openssl_context(), None)


def _as_openssl_found(connection: Any, shown: Any, code: int, depth: int, good: int) -> bool:
    return bool(good)


def _no_passphrase() -> str:
    """Instead of OpenSSL asking on the terminal."""
    return ""


def open_certificates(
    settings: TlsSettings, *, hostname: str, state: Path, clock: Clock
) -> PemCertificates:
    """The certificates the settings ask for. Raises ``BadSettings``.

    With ``self_signed`` they are made in ``state / "tls"`` where missing or near their end.
    """
    made = renew_self_signed(settings, hostname=hostname, state=state, clock=clock)
    certificate, key = made or (settings.certificate, settings.key)
    authorities = settings.client_ca
    clients = Clients(authorities, settings.client_crl) if authorities is not None else None
    return PemCertificates(
        certificate, key, clock=clock, min_version=settings.min_version, clients=clients
    )


def renew_self_signed(
    settings: TlsSettings, *, hostname: str, state: Path, clock: Clock
) -> tuple[Path, Path] | None:
    """Certificate and key in ``state / "tls"``, made anew when due; ``None`` unless settings
    ask for a self-signed one. Raises ``BadSettings``."""
    if not settings.self_signed:
        return None
    try:
        return make_self_signed(state / "tls", (hostname, "localhost"), clock)
    except OSError as error:
        raise BadSettings(
            f"[server] state_dir = {state}: {error.strerror}; make it writable for the account "
            "that mailnode runs as"
        ) from None
