"""A client that speaks lines over TLS and knows its channel bindings; blocking, on pyOpenSSL."""

from __future__ import annotations

import socket
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from OpenSSL import SSL

_NO_EXTENDED_MASTER_SECRET = 1  # SSL_OP_…; pyOpenSSL does not name it
_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class TlsClient:
    """One connection. ``prelude``: what is said in clear before the handshake, each line with the
    answer's beginning that it waits for; without it TLS starts at once. ``resume``: go on with
    the TLS session of another. ``extended_secret``: as RFC 7627 has it, for TLS 1.2."""

    def __init__(
        self,
        address: tuple[str, int],
        *prelude: tuple[str, str],
        version: str = "1.3",
        user: Path | None = None,
        resume: TlsClient | None = None,
        extended_secret: bool = True,
    ) -> None:
        self._socket = socket.create_connection(address, 30)
        self._clear(prelude)
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(_VERSIONS[version])
        context.set_max_proto_version(_VERSIONS[version])
        if not extended_secret:
            context.set_options(_NO_EXTENDED_MASTER_SECRET)
        if user is not None:
            context.use_certificate_file(str(user))
            context.use_privatekey_file(str(user))
        self._socket.settimeout(None)
        self.context = context if resume is None else resume.context
        self.tls = SSL.Connection(self.context, self._socket)
        self.resumes = resume is not None
        if resume is not None:
            self.tls.set_session(resume.tls.get_session())
        self.tls.set_connect_state()
        try:
            self.tls.do_handshake()
        except SSL.Error:
            self.close()
            raise
        self._buffer = b""

    def _clear(self, prelude: tuple[tuple[str, str], ...]) -> None:
        for line, expected in prelude:
            if line:
                self._socket.sendall(line.encode() + b"\r\n")
            got = b""
            while not any(one.startswith(expected.encode()) for one in got.splitlines()):
                got += self._socket.recv(65536)

    def binding(self, name: str) -> bytes:
        """What this end knows of the channel."""
        if name == "tls-exporter":
            return self.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        if name == "tls-unique":
            # RFC 5929 3.1: the client's comes first, the server's where a session is resumed.
            sides = (self.tls.get_finished, self.tls.get_peer_finished)
            return sides[self.resumes]() or b""
        shown = self.tls.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        return shown.fingerprint(hashes.SHA256())

    def send(self, line: str) -> None:
        self.tls.sendall(line.encode() + b"\r\n")

    def line(self) -> str:
        """The next line."""
        while b"\r\n" not in self._buffer:
            self._buffer += self.tls.recv(65536)
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode()

    def say(self, line: str) -> str:
        """Send a line; the next one that comes."""
        self.send(line)
        return self.line()

    def hello(self) -> str:
        """Say EHLO; what AUTH offers."""
        self.send("EHLO client.test")
        lines = [self.line()]
        while lines[-1][3] == "-":
            lines.append(self.line())
        return next((line[9:] for line in lines if line[4:8] == "AUTH"), "")

    def until(self, beginning: str) -> str:
        """Skip lines up to one that begins so."""
        while not (line := self.line()).startswith(beginning):
            pass
        return line

    def close(self) -> None:
        self._socket.close()
