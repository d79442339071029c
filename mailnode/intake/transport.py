"""What a session asks of its transport: who is there, on which address, under which cipher."""

from __future__ import annotations

import asyncio
import socket
from typing import Any


async def feed_tls(transport: Any, data: bytes) -> None:
    """Give a TLS layer that starts now the bytes that came in before it was there."""
    # One turn until it has taken the transport over, one until it has begun; only after another
    # could it read from the socket by itself.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    layer = transport.get_protocol()
    while data:
        room = layer.get_buffer(len(data))
        taken = min(len(room), len(data))
        room[:taken] = data[:taken]
        layer.buffer_updated(taken)
        data = data[taken:]


def local_host(transport: asyncio.BaseTransport) -> str:
    """The address the client connected to; empty for a unix socket."""
    name = transport.get_extra_info("sockname")
    return str(name[0]).partition("%")[0] if isinstance(name, tuple) else ""


def send_at_once(transport: asyncio.BaseTransport) -> None:
    """Replies leave in one write, so Nagle's algorithm could only hold back the last one (40 ms).

    asyncio turns it off for sockets that know they are TCP; those accepted on a socket made
    with protocol 0 do not.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def peer_of(transport: asyncio.BaseTransport) -> tuple[str, int]:
    """The client's address and port; empty and 0 for a unix socket."""
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple) and len(name) >= 2:
        # An IPv4 client of a dual-stack socket is an IPv4 client.
        host = str(name[0]).partition("%")[0]
        return host.removeprefix("::ffff:") if "." in host else host, int(name[1])
    return "", 0


def cipher_of(transport: asyncio.BaseTransport) -> str:
    """Protocol version and cipher, for the Received header."""
    cipher = transport.get_extra_info("cipher") or ("unknown", "TLS", 0)
    tunnel = transport.get_extra_info("ssl_object")
    version = tunnel.version() if tunnel is not None else cipher[1]
    return f"{version} {cipher[0]}"
