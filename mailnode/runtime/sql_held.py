"""Short questions to a MySQL server on connections that are kept in hand: all statements of a
question in one text, and one answer to it.

Promises: the statements see one state of the data, and leave no transaction behind; what is asked
so takes one round trip, where the pool and SQLAlchemy take a ping, one for each statement, and
COMMIT. No connection is kept longer than ``_HELD_S`` without going through the pool, which looks
whether it lives, and none that the pool needs for others.
Fails: ``DBAPIError`` where the server says why; what else goes wrong is left to the long way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.runtime.sql_faults import LOST, number_of
from mailnode.runtime.sql_packets import Answer
from mailnode.runtime.sql_rows import Asked, Rows, Texts
from mailnode.runtime.sql_wires import NONSENSE

_HELD_S = 5.0
_COM_QUERY = 3
_CHUNK = 65536
# What a proxy that takes no more than one statement at a time says: the next is no syntax.
_NO_SYNTAX = 1064
_BROKEN: tuple[type[Exception], ...] = (OSError, *NONSENSE)


@dataclass(frozen=True, slots=True)
class _One:
    connection: AsyncConnection
    raw: Any  # the driver's
    error: type[Exception]  # the driver's, too
    until: float


class Held:
    """The connections of one server that are kept for short questions; ``most`` is what its pool
    has in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: list[_One] = []
        self._texts: Texts | None = None
        self._works = True

    async def keep(self, connection: AsyncConnection) -> None:
        """Take over a connection of the pool on which no transaction runs."""
        if not self._works:
            await connection.close()
            return
        if self._texts is None:
            self._texts = Texts(connection.dialect)
        raw = (await connection.get_raw_connection()).driver_connection
        error = connection.dialect.loaded_dbapi.Error
        self._idle.append(_One(connection, raw, error, time.monotonic() + _HELD_S))

    async def rows(self, asked: Sequence[Asked]) -> Rows | None:
        """The rows of each statement; ``None``: not here, the long way is to be gone."""
        one = await self._taken() if self._works else None
        if one is None or self._texts is None:
            return None
        try:
            sql = _as_one(one.raw, self._texts, asked)
        except LookupError:
            self._idle.append(one)
            return None
        try:
            rows = await _answer(one.raw, sql, len(asked))
        except _BROKEN:
            await _drop(one)
            return None
        except LookupError:  # and so it will be with the next answer
            self._works = False
            await _drop(one)
            return None
        except one.error as error:
            await self._refused(one, error)
            return None
        except BaseException:
            await _drop(one)
            raise
        self._idle.append(one)
        return rows

    async def _taken(self) -> _One | None:
        now = time.monotonic()
        while self._idle:
            one = self._idle.pop()
            if now < one.until and not one.raw.closed:
                return one
            await one.connection.close()
        return None

    async def _refused(self, one: _One, error: Exception) -> None:
        if number_of(error) in LOST:
            await _drop(one)
            return
        try:
            await one.raw.rollback()
        except one.error:
            await _drop(one)
        except _BROKEN:
            await _drop(one)
        else:
            await one.connection.close()
        if number_of(error) != _NO_SYNTAX:
            raise DBAPIError(None, None, error, hide_parameters=True) from None
        self._works = False

    async def make_room(self, used: int) -> None:
        """Give back what the pool lacks where ``used`` of its connections are needed."""
        while self._idle and used + len(self._idle) > self._most:
            await self.give_back()

    async def give_back(self) -> bool:
        """Give one connection back to the pool; false where there is none."""
        if not self._idle:
            return False
        await self._idle.pop(0).connection.close()
        return True

    async def close(self) -> None:
        """Give back all, and keep none any more."""
        self._works = False
        while await self.give_back():
            pass


def _as_one(raw: Any, texts: Texts, asked: Sequence[Asked]) -> bytes:
    said = []
    for statement, values in asked:
        text, bound = texts.of(statement, values)
        said.append(text % tuple(map(raw.escape, bound)))
    # The driver's connections are not in autocommit mode: the first statement begins.
    said.append("COMMIT")
    sql: bytes = ";".join(said).encode(raw.encoding, "surrogateescape")
    return sql


async def _answer(raw: Any, sql: bytes, count: int) -> Rows:
    reader, answer = raw._reader, Answer(raw.encoding)
    await raw._execute_command(_COM_QUERY, sql)
    while not answer.done:
        octets = await reader.read(_CHUNK)
        if not octets:
            raise ConnectionResetError
        answer.feed(octets)
    if len(answer.rows) != count:
        raise ValueError("answers to other questions")
    return list(answer.rows)


async def _drop(one: _One) -> None:
    one.raw.close()
    await one.connection.invalidate()
    await one.connection.close()
