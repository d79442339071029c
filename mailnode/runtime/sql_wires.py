"""The sockets below a pool of MySQL connections, so that one that stopped answering can be cut.

Promises: a handshake ends within its time and leaves no socket behind; after ``cut`` whoever
waited on a connection hears that it is lost. Where TLS is asked for, nothing is said without it.
Octets that are no MySQL end as the driver's errors do.
"""

from __future__ import annotations

import asyncio
import struct
import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_CLIENT_SSL = 0x800  # of the server's capabilities
_HANDSHAKE, _NO_TLS, _MALFORMED = 2012, 2026, 2027  # the client library's numbers
# What the driver's parser raises over octets that are no MySQL.
NONSENSE: tuple[type[Exception], ...] = (
    IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error, AssertionError,
    RuntimeError,
)  # fmt: skip


class Wires:
    """The raw MySQL connections of a server, to be cut when it stops answering.

    ``password`` is asked at each new connection; ``None`` leaves the one of the address.
    """

    def __init__(self, connect_timeout_s: float, password: Callable[[], str | None]) -> None:
        self._timeout_s = connect_timeout_s
        self._password = password
        self._how: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    async def connect(self, *arguments: Any, **options: Any) -> Any:
        """What the pool calls for a new connection; the handshake is bounded too."""
        self._how = arguments, dict(options)
        fresh = self._password()
        if fresh is not None:
            options["password"] = fresh
        connection = _wire()(*arguments, **options)
        try:
            async with asyncio.timeout(self._timeout_s):
                await _shake_hands(connection)
        except BaseException:
            # A handshake that is cut off keeps its socket: the library closes on errors only.
            connection.close()
            raise
        self._open.add(connection)
        return connection

    async def greet(self) -> None:
        """Make one more connection as the last one was asked for, and end it; that it was made
        says that the server answers. Raises what ``connect`` raises, as an ``OSError`` or
        ``TimeoutError``."""
        from aiomysql import Error

        if self._how is None:
            return
        arguments, options = self._how
        try:
            connection = await self.connect(*arguments, **options)
        except Error as error:
            raise OSError(*error.args) from None
        connection.close()

    def cut(self, task: asyncio.Task[Any] | None = None) -> None:
        """Abort the sockets that ``task`` last used, or all; whoever waits on one hears that the
        connection is lost."""
        for connection in list(self._open):
            if task is not None and connection.asker() is not task:
                continue
            writer = connection._writer
            if writer is not None:
                writer.transport.abort()
                connection.close()
            self._open.discard(connection)


async def _shake_hands(connection: Any) -> None:
    from aiomysql import InternalError, OperationalError

    try:
        await connection._connect()
    except OperationalError as error:
        # The library hides why: a certificate that is not believed is no matter of the network.
        if isinstance(error.__cause__, OSError):
            tls = "certificate" in str(error.__cause__).lower() or "ssl" in str(error.__cause__)
            number = _NO_TLS if tls else error.args[0]
            raise OperationalError(number, f"{error.args[1]}: {error.__cause__}") from None
        raise
    except (InternalError, *NONSENSE) as error:
        text = f"what listens there is no MySQL server ({error})"
        raise OperationalError(_HANDSHAKE, text) from None


def raise_refusal(packet: bytes) -> None:
    """Raise what the driver does for a packet in which the server says what is wrong."""
    from aiomysql.connection import MysqlPacket

    MysqlPacket(packet, "utf-8").raise_for_error()


@lru_cache(maxsize=1)
def _wire() -> Any:
    """The driver's connection, knowing who uses it. Loaded when a server is met."""
    from aiomysql import Connection, OperationalError

    class Wire(Connection):  # type: ignore[misc]  # the driver has no types
        asker: Callable[[], object] = staticmethod(lambda: None)

        async def _execute_command(self, command: int, sql: Any) -> None:
            task = asyncio.current_task()
            if task is not None:
                self.asker = weakref.ref(task)
            await super()._execute_command(command, sql)

        async def _request_authentication(self) -> None:
            # The driver would go on in plain text, as whoever sits between could have it do.
            if self._ssl_context and not self.server_capabilities & _CLIENT_SSL:
                raise OperationalError(_NO_TLS, "the database server offers no TLS")
            await super()._request_authentication()

        async def _read_query_result(self, unbuffered: bool = False) -> None:
            try:
                await super()._read_query_result(unbuffered)
            except NONSENSE as error:
                self.close()
                text = f"the answer is not MySQL: {type(error).__name__}"
                raise OperationalError(_MALFORMED, text) from None

    return Wire
