"""``Tunnel``: channel bindings, and who the client's certificate names.

Promises: a channel binding is offered only where its RFC allows it; nothing here raises for a
connection that is already gone.
RFC: 5929 3 (tls-unique), 4 (tls-server-end-point); 7627 (why TLS 1.2 needs more care); 9266
(tls-exporter); 5280 4.2.1.6 (names).
"""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

UNIQUE, END_POINT, EXPORTER = "tls-unique", "tls-server-end-point", "tls-exporter"
_EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
_EXPORTER_BYTES = 32
_NAMES = 20
# pyOpenSSL has no public verbs for what TLS 1.2 needs; where these are missing, too, the answer
# is "no".
_LIBRARY: Any = getattr(SSL, "_lib", None)
_FOREIGN: Any = getattr(SSL, "_ffi", None)
_BUFFER_VERBS = ("BIO_get_mem_data", "BIO_new", "BIO_s_mem", "SSL_set_bio")


def give_back_buffers(connection: Any) -> None:
    """Let go what an idle pyOpenSSL connection's two memory buffers have grown to in the handshake,
    some KiB. They are replaced by empty ones; not while anything is in them."""
    parts = [getattr(connection, name, None) for name in ("_ssl", "_into_ssl", "_from_ssl")]
    missing = [name for name in _BUFFER_VERBS if not hasattr(_LIBRARY, name)]
    if None in parts or missing or _FOREIGN is None:
        return  # on a socket of its own, or of a pyOpenSSL that has other insides
    ssl, *old = parts
    start = _FOREIGN.new("char **")
    if any(_LIBRARY.BIO_get_mem_data(one, start) for one in old):
        return
    fresh = [_LIBRARY.BIO_new(_LIBRARY.BIO_s_mem()) for _ in old]
    if _FOREIGN.NULL in fresh:
        raise MemoryError
    # They are the connection's own: this frees the old ones.
    _LIBRARY.SSL_set_bio(ssl, *fresh)
    connection._into_ssl, connection._from_ssl = fresh


class OpenSslTunnel:
    """A pyOpenSSL connection, as Twisted has it, and asyncio by ``runtime.exporting``."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def bindings(self) -> tuple[str, ...]:
        """See ``Tunnel``."""
        names = (END_POINT,) if self.binding(END_POINT) else ()
        version = self._connection.get_protocol_version_name()
        if version == "TLSv1.3":
            return (EXPORTER, *names)
        # RFC 9266 4.2, 7627 1: in TLS 1.2 neither is unique without extended_master_secret.
        if self._has_extended_secret():
            return (UNIQUE, EXPORTER, *names)
        # RFC 7677 4: and no binding at all to a session that was resumed.
        return names if self._is_resumed() is False else ()

    def binding(self, name: str) -> bytes | None:
        """See ``Tunnel``."""
        if name == END_POINT:
            own = self._connection.get_certificate(as_cryptography=True)
            return None if own is None else end_point(own)
        if name not in self.bindings():
            return None
        if name == EXPORTER:
            # RFC 9266 2: no context, which in TLS 1.3 equals an empty one.
            material: bytes = self._connection.export_keying_material(
                _EXPORTER_LABEL, _EXPORTER_BYTES, b""
            )
            return material
        return self._first_finished()

    def _has_extended_secret(self) -> bool:
        ask = getattr(_LIBRARY, "SSL_get_extms_support", None)
        return ask is not None and ask(self._connection._ssl) == 1

    def _first_finished(self) -> bytes | None:
        """RFC 5929 3.1: the client's in a whole handshake, the server's in a resumed one."""
        resumed = self._is_resumed()
        if resumed is None:
            return None
        sides = (self._connection.get_peer_finished, self._connection.get_finished)
        found: bytes | None = sides[resumed]()
        return found

    def _is_resumed(self) -> bool | None:
        """``None`` where that cannot be told."""
        reused = getattr(_LIBRARY, "SSL_session_reused", None)
        return None if reused is None else bool(reused(self._connection._ssl))

    def client_names(self) -> tuple[str, ...]:
        """See ``Tunnel``."""
        shown = self._connection.get_peer_certificate(as_cryptography=True)
        return () if shown is None else names_of(shown)


def end_point(certificate: x509.Certificate) -> bytes | None:
    """RFC 5929 4.1: the certificate's hash, by its signature's own function unless that is weak;
    ``None`` where the signature has none (Ed25519)."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    if algorithm is None:
        return None
    weak = isinstance(algorithm, (hashes.MD5, hashes.SHA1))
    return certificate.fingerprint(hashes.SHA256() if weak else algorithm)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Mail addresses of a client: those in subjectAltName, else the one in the common name."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = extension.value.get_values_for_type(x509.RFC822Name)
    except (x509.ExtensionNotFound, ValueError):
        found = []
    if not found:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        found = [str(one.value) for one in common if "@" in str(one.value)]
    return tuple(dict.fromkeys(name.strip().lower() for name in found[:_NAMES] if name.strip()))
