"""The sockets below a pool of MySQL connections, so that one that stopped answering can be cut.

Promises: a handshake ends within its time and leaves no socket behind; after ``cut`` whoever
waited on a connection hears that it is lost.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any


class Wires:
    """The raw MySQL connections of a server, to be cut when it stops answering."""

    def __init__(self, connect_timeout_s: float) -> None:
        self._timeout_s = connect_timeout_s
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        """What the pool calls for a new connection; the handshake is bounded too."""
        import aiomysql

        connection = aiomysql.Connection(*arguments, **options)
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection._connect()
        except BaseException:
            # A handshake that is cut off keeps its socket: the library closes on errors only.
            connection.close()
            raise
        self._open.add(connection)
        return connection

    def cut(self) -> None:
        """Abort every socket; whoever waits on one hears that the connection is lost."""
        for connection in list(self._open):
            writer = connection._writer
            if writer is not None:
                writer.transport.abort()
                connection.close()
        self._open.clear()
