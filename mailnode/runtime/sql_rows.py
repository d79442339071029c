"""Reading from a SQLite file in one step: all statements of a question in one turn of a thread.

Promises: the statements see one state of the file; a call costs one change of threads, where the
async driver takes one for each of its verbs (a dozen for two statements). A question takes no
longer than ``limit_s``: a statement that runs on is ended then, and where that does not help
(storage that hangs) later questions fail at once until the thread is back.
Fails: ``SQLAlchemyError``, ``TimeoutError``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Executable, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.runtime.crew import Crew

# A statement made once, and its values now: over a new one SQLAlchemy takes longer than SQLite.
Asked = tuple[Executable, Mapping[str, Any]]
# Columns in the order of the statement.
Rows = list[Sequence[Sequence[Any]]]


async def read_each(asked: Sequence[Asked], connection: AsyncConnection) -> Rows:
    """The rows of each statement, by the async driver."""
    return [(await connection.execute(*one)).all() for one in asked]


# Statements kept as texts, each for each number of values.
_MOST_TEXTS = 500
# SQLite asks after so many steps of its machine (about a millisecond) whether to go on.
STEPS = 100_000


def ends_at(until: float) -> Callable[[], bool]:
    """For ``set_progress_handler``: a statement still running at ``until`` (monotonic) is ended."""
    return lambda: time.monotonic() > until


class _Text(NamedTuple):
    """``places``: for each mark in the text the name and index of a value, else a constant."""

    text: str
    places: tuple[tuple[str, int | None] | None, ...]
    constants: tuple[Any, ...]


class Texts:
    """Statements as a database's driver takes them, each made into text once for each number of
    values: the text and the values that SQLAlchemy would hand to the driver. For one thread.

    Raises ``LookupError`` for a statement that SQLAlchemy does more for than to write its text.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._kept: dict[tuple[Executable, tuple[int, ...]], _Text | None] = {}

    def of(self, statement: Executable, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """Text and values. A list among ``values`` is for an expanding parameter."""
        counts = tuple(len(one) if isinstance(one, list) else -1 for one in values.values())
        key = (statement, counts)
        if key not in self._kept:
            if len(self._kept) >= _MOST_TEXTS:
                self._kept.clear()
            self._kept[key] = _made(self._dialect, statement, values)
        found = self._kept[key]
        if found is None:
            raise LookupError("a statement with values or results that are to be converted")
        return found.text, tuple(
            constant if place is None
            else values[place[0]] if place[1] is None
            else values[place[0]][place[1]]
            for place, constant in zip(found.places, found.constants, strict=True)
        )  # fmt: skip


def _made(dialect: Dialect, statement: Executable, values: Mapping[str, Any]) -> _Text | None:
    if not isinstance(statement, Select):
        return None
    compiled: Any = statement.compile(dialect=dialect)
    whole = compiled.construct_expanded_state(dict(values))
    converted = any(
        column.type.dialect_impl(dialect).result_processor(dialect, None) is not None
        for column in statement.selected_columns
    )
    processors = {**compiled._bind_processors, **whole.processors}
    if converted or not processors.keys().isdisjoint(whole.positiontup):
        return None
    origin: dict[str, tuple[str, int | None]] = {name: (name, None) for name in values}
    for name, parts in whole.parameter_expansion.items():
        origin |= {part: (name, at) for at, part in enumerate(parts)}
    places = tuple(map(origin.get, whole.positiontup))
    constants = tuple(
        None if place else whole.parameters[name]
        for name, place in zip(whole.positiontup, places, strict=True)
    )
    return _Text(whole.statement, places, constants)


class FileReader:
    """Asks one file; ``make`` builds its engine at the first question, in the reading thread."""

    def __init__(self, make: Callable[[], Engine], limit_s: float) -> None:
        self._make = make
        self._limit_s = limit_s
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._texts = Texts(sqlite.dialect())
        self._error: type[Exception] = OSError  # the driver's own, once it is loaded
        self._begun: float | None = None  # the question under way
        self._closed = False
        # Named apart from "disk": a full disk pool must not keep recipients from being looked up.
        self._thread = Crew(1, "directory")

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """The rows of each statement."""
        if self._closed or self._hangs():
            raise TimeoutError
        until = time.monotonic() + self._limit_s
        async with asyncio.timeout(self._limit_s):
            rows: Rows = await self._thread.submit(self._rows, asked, until)
            return rows

    def _hangs(self) -> bool:
        begun = self._begun
        return begun is not None and time.monotonic() - begun > self._limit_s

    def _rows(self, asked: Sequence[Asked], until: float) -> Rows:
        self._begun = time.monotonic()
        try:
            found = self._quick_rows(asked, until)
            return self._whole_rows(asked, until) if found is None else found
        finally:
            self._begun = None

    def _quick_rows(self, asked: Sequence[Asked], until: float) -> Rows | None:
        """The same by the driver alone, on the connection of the last question: SQLAlchemy's part
        of a short question is five times SQLite's. ``None``: not here, or it did not go well, so
        the long way is to say why."""
        if self._connection is None:
            return None
        try:
            texts = [self._texts.of(statement, values) for statement, values in asked]
            raw: Any = self._connection.connection.driver_connection
            raw.set_progress_handler(ends_at(until), STEPS)
            raw.execute("BEGIN")
            try:
                return [raw.execute(*one).fetchall() for one in texts]
            finally:
                raw.rollback()
        except (self._error, LookupError):
            return None

    def _whole_rows(self, asked: Sequence[Asked], until: float) -> Rows:
        self._let_go()
        if self._engine is None:
            self._engine = self._make()
            self._error = self._engine.dialect.loaded_dbapi.Error
        connection = self._engine.connect()
        try:
            raw: Any = connection.connection.driver_connection
            raw.set_progress_handler(ends_at(until), STEPS)
            connection.exec_driver_sql("BEGIN")
            rows: Rows = [connection.execute(*one).all() for one in asked]
            connection.rollback()  # which ends the reading
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return rows

    def _let_go(self) -> None:
        """Give the connection of the last question back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # whatever is wrong with it, the next one tells
                connection.close()

    async def close(self) -> None:
        """Close the file, unless it hangs; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(self._limit_s):
                await self._thread.submit(self._dispose)
        except TimeoutError:
            pass  # its thread ends with the process
        self._thread.shutdown(wait=False)

    def _dispose(self) -> None:
        self._let_go()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
