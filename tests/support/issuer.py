"""An issuer of access tokens on a loopback port, over real HTTP."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_JWK = {
    "RSA": jwt.algorithms.RSAAlgorithm,
    "EC": jwt.algorithms.ECAlgorithm,
    "OKP": jwt.algorithms.OKPAlgorithm,
}


def kind_of(key: Key) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "EC" if isinstance(key, ec.EllipticCurvePrivateKey) else "OKP"


class Issuer:
    """Keys, what it says of opaque tokens, and how often it was asked for what."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, Key] = {"k1": ec.generate_private_key(ec.SECP256R1())}
        self.more: list[dict[str, Any]] = []  # further members of the key set, as they are
        self.opaque: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.status = 200
        self.body: bytes | None = None  # said to every question instead
        self.delay: threading.Event | None = None  # every answer waits for it
        self.configuration: dict[str, Any] = {"issuer": url, "jwks_uri": f"{url}/keys"}

    def jwks(self) -> dict[str, Any]:
        shown = [
            {**json.loads(_JWK[kind_of(key)].to_jwk(key.public_key())), "kid": kid, "use": "sig"}
            for kid, key in self.keys.items()
        ]
        return {"keys": [*shown, *self.more]}

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": "mail", "iat": now, "nbf": now, "exp": now + 300}
        claims |= {"email": "user1@example.test", "sub": "7", "scope": "openid mail"}
        claims |= more
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str | None = "k1", algorithm: str = "ES256", **more: Any) -> str:
        """Signed; a claim of ``None`` is left out."""
        key = self.keys[kid or "k1"]
        headers = {"kid": kid} if kid else {}
        return jwt.encode(self.claims(**more), key, algorithm, headers=headers)

    def answer(self, path: str, form: dict[str, list[str]], basic: str) -> tuple[int, bytes]:
        self.asked[path] += 1
        if self.delay is not None:
            self.delay.wait(20)
        if self.body is not None:
            return self.status, self.body
        if path == "/.well-known/openid-configuration":
            return self.status, json.dumps(self.configuration).encode()
        if path == "/keys":
            return self.status, json.dumps(self.jwks()).encode()
        if path == "/introspect":
            right = "Basic " + base64.b64encode(b"mailnode:s%3A+cret").decode()
            if basic != right:
                return 401, b"{}"
            found = self.opaque.get(form["token"][0], {"active": False})
            return self.status, json.dumps(found).encode()
        return 404, b"{}"


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """One that answers until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*issuer.answer(self.path, {}, ""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            basic = self.headers.get("Authorization", "")
            self._send(*issuer.answer(self.path, parse_qs(body), basic))

        def _send(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # who asked has left

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        if issuer.delay is not None:
            issuer.delay.set()
        server.shutdown()
        thread.join()
        server.server_close()
