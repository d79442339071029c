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
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.runtime.crew import Crew

# A statement made once, and its values now: over a new one SQLAlchemy takes longer than SQLite.
Asked = tuple[Executable, Mapping[str, Any]]
Rows = list[Sequence[Row[*tuple[Any, ...]]]]


async def read_each(asked: Sequence[Asked], connection: AsyncConnection) -> Rows:
    """The rows of each statement, by the async driver."""
    return [(await connection.execute(*one)).all() for one in asked]


# SQLite asks after so many steps of its machine (about a millisecond) whether to go on.
STEPS = 100_000


def ends_at(until: float) -> Callable[[], bool]:
    """For ``set_progress_handler``: a statement still running at ``until`` (monotonic) is ended."""
    return lambda: time.monotonic() > until


class FileReader:
    """Asks one file; ``make`` builds its engine at the first question, in the reading thread."""

    def __init__(self, make: Callable[[], Engine], limit_s: float) -> None:
        self._make = make
        self._limit_s = limit_s
        self._engine: Engine | None = None
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
            if self._engine is None:
                self._engine = self._make()
            with self._engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.set_progress_handler(ends_at(until), STEPS)
                connection.exec_driver_sql("BEGIN")
                # Leaving the block rolls back, which ends the reading.
                return [connection.execute(*one).all() for one in asked]
        finally:
            self._begun = None

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
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
