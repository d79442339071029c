"""Reading from a SQLite file in one step: all statements of a question in one turn of a thread.

Promises: the statements see one state of the file; a call costs one change of threads, where the
async driver takes one for each of its verbs (a dozen for two statements).
Fails: ``SQLAlchemyError``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

# A statement made once, and its values now: over a new one SQLAlchemy takes longer than SQLite.
Asked = tuple[Executable, Mapping[str, Any]]
Rows = list[Sequence[Row[*tuple[Any, ...]]]]


async def read_each(asked: Sequence[Asked], connection: AsyncConnection) -> Rows:
    """The rows of each statement, by the async driver."""
    return [(await connection.execute(*one)).all() for one in asked]


class FileReader:
    """Asks one file; ``make`` builds its engine at the first question, in the reading thread."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self._engine: Engine | None = None
        self._closed = False
        # Named apart from "disk": a full disk pool must not keep recipients from being looked up.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="directory")

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """The rows of each statement."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._rows, asked)

    def _rows(self, asked: Sequence[Asked]) -> Rows:
        if self._engine is None:
            self._engine = self._make()
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            # Leaving the block rolls back, which ends the reading.
            return [connection.execute(*one).all() for one in asked]

    async def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._dispose)
        self._thread.shutdown(wait=False)

    def _dispose(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
