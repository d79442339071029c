"""Accepting connections for a protocol of asyncio's, at the cost of the connection itself.

asyncio's own server makes a task and a future for each connection, only to wait until the transport
has begun, and asks the socket once more than there are connections, each time.
Promises: what ``loop.create_server`` does for a plain stream socket, errors included; where
descriptors are short no connection is taken for a second, and those that come wait in the queue.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

_BACKLOG = 100
_MOST_AT_ONCE = 100
# asyncio's own pause.
_PAUSE_S = 1.0
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """Accepts on ``sock``, bound, from now on; ``close`` stops that and closes it."""

    def __init__(self, sock: socket.socket, make: Callable[[], asyncio.BaseProtocol]) -> None:
        self._sock, self._make = sock, make
        self._loop: Any = asyncio.get_running_loop()
        self._most = 1
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        sock.listen(_BACKLOG)
        self._begin()

    def _begin(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        """Take who waits: one more than last time, or the loop would look for nothing each time."""
        for taken in range(self._most):
            try:
                connection, peer = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._most = max(1, taken)
                return
            except OSError as error:
                if error.errno not in _SHORT:
                    raise  # the loop logs it, and goes on
                self._tell("no connection can be accepted for now", error)
                self._loop.remove_reader(self._sock.fileno())
                self._pause = self._loop.call_later(_PAUSE_S, self._begin)
                return
            self._meet(connection, peer)
        self._most = min(self._most + 1, _MOST_AT_ONCE)

    def _meet(self, connection: socket.socket, peer: object) -> None:
        try:
            connection.setblocking(False)
            # Not in asyncio's documents, but what its own servers and connections are made by.
            self._loop._make_socket_transport(
                connection, self._make(), extra={"peername": peer}, server=None
            )
        except Exception as error:  # noqa: BLE001 - one connection ends, and no other
            connection.close()
            self._tell("a connection could not begin", error)

    def _tell(self, message: str, error: Exception) -> None:
        self._loop.call_exception_handler({"message": message, "exception": error})

    def close(self) -> None:
        """Accept no more. Connections go on."""
        if self._sock.fileno() < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
