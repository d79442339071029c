"""Where a service listens: a TCP address or the path of a unix socket.

Promises: ``str()`` of an endpoint parses back to the same endpoint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# sun_path holds 108 bytes with its closing NUL (unix(7)).
UNIX_PATH_MAX_BYTES = 107

_SHAPE = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``host`` and ``port``, or ``path``. Host ``*`` is every address, IPv4 and IPv6;
    port 0 lets the kernel choose."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return self.path
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_endpoint(text: str) -> Endpoint:
    """``host:port``, ``[IPv6]:port``, ``*:port`` or ``/path.sock``. Raises ``ValueError``."""
    if text.startswith("/"):
        if len(text.encode()) > UNIX_PATH_MAX_BYTES:
            raise ValueError(f"socket path is longer than {UNIX_PATH_MAX_BYTES} bytes")
        return Endpoint(path=text)
    found = _SHAPE.fullmatch(text)
    if not found:
        raise ValueError('bad address, write "host:port", "[::1]:port", "*:port" or "/path.sock"')
    port = int(found["port"])
    if port > 65535:
        raise ValueError("port is larger than 65535")
    return Endpoint(found["six"] or found["host"], port)
