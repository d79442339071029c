"""One database server: its connections, who waits for them, and whether it is believed alive.

Promises: a question's time begins when it has its turn; for that it waits ``queue_timeout_s`` at
most, in the order of coming, and no longer than until the server is found dead. Who is late loses
his own connection only. A server that let a question run out of time, or lost a connection, is
asked at once on a new one whether it lives: one locked table takes nothing from the others.
Fails: ``Trouble``, and ``Duplicate`` when a key exists already.

The MySQL driver has no read timeout, and cancelling it makes it wait for the very server that is
frozen. So a transaction runs in its own task, and when its time is up the socket beneath is cut;
every await in the driver then ends with "connection lost", and cleans up after itself. The server
is told the same limits for its own part: else what was given up would wait there for its locks,
connection by connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mailnode.model.errors import PermanentError
from mailnode.runtime.sql_faults import (
    BUSY,
    ELSEWHERE,
    FULL,
    GONE,
    Trouble,
    is_lost,
    number_of,
    plain,
    remedy_of,
)
from mailnode.runtime.sql_held import Held
from mailnode.runtime.sql_rows import STEPS, Asked, FileReader, Rows, ends_at, read_each
from mailnode.runtime.sql_wires import Wires

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_CUT_S = 1.0  # for the driver to notice that its socket was cut
_ONCE_MORE_S = 0.1  # between attempts at a server that has no connection left
_WAITING_PER_CONNECTION = 100


class Duplicate(PermanentError):
    """A row with this key exists already."""

    public = "exists already"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait and how many connections to hold, per server and worker."""

    connect_timeout_s: float = 3.0
    query_timeout_s: float = 5.0
    queue_timeout_s: float = 20.0
    pool_size: int = 4
    longest_probe_s: float = 3.0
    recycle_s: int = 1800

    @property
    def longest_s(self) -> float:
        """The most that a transaction may take once it has its turn."""
        return self.connect_timeout_s + self.query_timeout_s


@dataclass(frozen=True, slots=True)
class Engines:
    """Makes a server's engines: ``pooled`` for all, ``reader`` for a file's plain questions."""

    pooled: Callable[[Wires], AsyncEngine]
    reader: Callable[[], Engine] | None
    password: Callable[[], str | None]


class Server:
    """One database server; ``died`` is called with what a person should hear when it is found
    dead."""

    def __init__(
        self, url: URL, limits: Limits, engines: Engines, died: Callable[[Server, Trouble], None]
    ) -> None:
        self.name = url.render_as_string(hide_password=True)
        self.sqlite = url.drivername.startswith("sqlite")
        self.alive = True
        self._limits = limits
        self._engines = engines
        self._died = died
        self._why = ""
        self._engine: AsyncEngine | None = None
        self._wires = Wires(limits.connect_timeout_s, engines.password)
        self._reader = FileReader(engines.reader, limits.longest_s) if engines.reader else None
        self._held = Held(limits.pool_size)
        self._turns = asyncio.Semaphore(limits.pool_size)
        self._waiting = 0
        self._connected = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._check: asyncio.Task[None] | None = None

    def engine(self) -> AsyncEngine:
        """Made on first need, that is after the fork and on the loop that uses it."""
        if self._engine is None:
            self._engine = self._engines.pooled(self._wires)
        return self._engine

    async def answers(self) -> bool:
        """Whether it is believed alive; waits for a check that is under way."""
        if self._check is not None:
            await asyncio.wait([self._check])
        return self.alive

    async def run(self, work: Work[T], write: bool) -> T:
        """Do ``work`` in one transaction, to its end even if the caller is cancelled.

        Raises ``Trouble``, with ``elsewhere`` only if nothing was done, or asking again does no
        harm.
        """
        return await self._in_turn(lambda: self._transaction(work, write), unsure=write)

    async def _in_turn(self, do: Callable[[], Coroutine[Any, Any, T]], *, unsure: bool) -> T:
        await self._take_turn()
        task = asyncio.create_task(do())
        self._running.add(task)
        task.add_done_callback(self._ended)
        limit_s = self._limits.longest_s
        watchdog = asyncio.get_running_loop().call_later(limit_s, self._cut, task)
        task.add_done_callback(lambda _: watchdog.cancel())
        # Not wait_for and shield, which make two futures and a task more for each question.
        await asyncio.wait([task], timeout=limit_s + _CUT_S)
        if not task.done():
            raise self._judged(TimeoutError(), unsure=unsure)
        return task.result()

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """Each statement's rows, read in one transaction. Raises as ``run``."""
        if self._reader is None:
            return await self._in_turn(lambda: self._short(asked), unsure=False)
        try:
            return await self._reader.rows(asked)
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            raise self._judged(error, unsure=False) from None

    async def _take_turn(self) -> None:
        """Wait for one of ``pool_size``; the connection below it is there at once, or made."""
        if self._turns.locked():
            await self._queue()
        else:
            await self._turns.acquire()  # without waiting
        try:
            if not await self.answers():
                raise self.dead()
        except BaseException:
            self._turns.release()
            raise

    async def _queue(self) -> None:
        if self._waiting >= _WAITING_PER_CONNECTION * self._limits.pool_size:
            raise Trouble(f"{self.name}: too many questions wait", BUSY, elsewhere=True)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.queue_timeout_s):
                await self._turns.acquire()
        except TimeoutError:
            text = f"{self.name}: no connection was free in time"
            raise Trouble(text, BUSY, elsewhere=True) from None
        finally:
            self._waiting -= 1

    def dead(self) -> Trouble:
        """What to say of a server that is known not to answer."""
        return Trouble(self._why, elsewhere=True)

    def _cut(self, task: asyncio.Task[Any]) -> None:
        """Once its time is over; and again, as the pool may have given it another connection."""
        if not task.done():
            self._wires.cut(task)
            asyncio.get_running_loop().call_later(_CUT_S, self._cut, task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._turns.release()
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # heard already, unless the caller has gone

    async def _short(self, asked: Sequence[Asked]) -> Rows:
        """By a connection in hand, else by one of the pool, which then is in hand."""
        begun = time.monotonic()
        self._connected += 1
        try:
            rows = await self._held.rows(asked)
        except DBAPIError as error:
            raise self._judged(error, unsure=False) from None
        finally:
            self._connected -= 1
        if rows is not None:
            return rows
        if time.monotonic() - begun >= self._limits.longest_s:
            raise self._judged(TimeoutError(), unsure=False)
        return await self._transaction(partial(read_each, asked), False, begun=begun, keep=True)

    async def _transaction(
        self, work: Work[T], write: bool, *, begun: float = 0.0, keep: bool = False
    ) -> T:
        begun, started = begun or time.monotonic(), False
        try:
            await self._held.make_room(len(self._running))
            async with AsyncExitStack() as at_end:
                connection = await self._connection(begun)
                at_end.push_async_callback(connection.close)
                self._connected += 1
                try:
                    if self.sqlite:
                        await self._begin(connection, write)
                    started = True
                    result = await work(connection)
                    await connection.commit()
                finally:
                    self._connected -= 1
                if keep:
                    await self._held.keep(connection)
                    at_end.pop_all()
                return result
        except IntegrityError as error:
            raise Duplicate(str(error.orig)) from None
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            late = time.monotonic() - begun >= self._limits.longest_s
            raise self._judged(
                TimeoutError() if late and is_lost(error) else error,
                unsure=write and started,
                refused=not started,
            ) from None

    async def _connection(self, begun: float) -> AsyncConnection:
        """A connection of the pool. While the server has none left for us, wait for one of those
        that we have, or for others to give one back."""
        while True:
            try:
                return await self.engine().connect()
            except DBAPIError as error:
                spent_s = time.monotonic() - begun
                limits = self._limits
                most_s = limits.longest_s if self._connected else limits.connect_timeout_s
                if number_of(error) not in FULL or spent_s >= most_s:
                    raise
            if await self._held.give_back():
                continue
            await asyncio.sleep(_ONCE_MORE_S)

    async def _begin(self, connection: AsyncConnection, write: bool) -> None:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        until = time.monotonic() + self._limits.longest_s
        await raw.set_progress_handler(ends_at(until), STEPS)
        await connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def _judged(self, error: Exception, *, unsure: bool, refused: bool = False) -> Trouble:
        """``unsure``: part of a write may have happened, so no other server may repeat it;
        ``refused``: there was no connection yet, so nothing was done."""
        text = f"{self.name}: {plain(error)}"
        if self.sqlite:  # a busy or missing file may be there at the next call
            return Trouble(text, remedy_of(error))
        if isinstance(error, DBAPIError) and number_of(error) in ELSEWHERE:
            return Trouble(text, remedy_of(error), elsewhere=True)
        if refused and not isinstance(error, TimeoutError):
            trouble = self._refused(error)
            if number_of(error) not in FULL or not self._connected:
                self._die(trouble)
            return trouble
        lost = is_lost(error)
        if lost or isinstance(error, TimeoutError):
            self._doubt()
            return Trouble(text, "" if lost else BUSY, elsewhere=not unsure, again=lost)
        return Trouble(text, remedy_of(error))

    def _die(self, trouble: Trouble) -> None:
        if self.alive:
            self.alive, self._why = False, str(trouble)
            self._died(self, trouble)

    def _doubt(self) -> None:
        """See on a new connection whether the server lives."""
        if self.alive and self._check is None:
            self._check = asyncio.create_task(self._checked())

    async def _checked(self) -> None:
        try:
            trouble = await self.probe()
            if trouble is not None:
                self._die(trouble)
        finally:
            self._check = None

    async def probe(self) -> Trouble | None:
        """Greet the server as a new client does; what is wrong with it, or ``None`` (and it is
        alive again)."""
        try:
            await self._wires.greet()
        except Exception as error:  # noqa: BLE001 - barrier: who probes must not end by it
            if number_of(error) in FULL and self._connected:
                return None  # others took what we lost; what we still have goes on
            return self._refused(error)
        self.alive = True
        return None

    def _refused(self, error: Exception) -> Trouble:
        remedy = remedy_of(error, GONE)
        what = " does not answer" if remedy == GONE else ""
        return Trouble(f"{self.name}{what}: {plain(error)}", remedy, elsewhere=True)

    async def close(self) -> None:
        """Let running transactions end within their time, then close the connections. Waits for
        nothing that hangs."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._limits.longest_s + _CUT_S)
        # What does not end would bring its connection back when nobody closes it any more.
        left = [task for task in (*self._running, self._check) if task and task.cancel()]
        if left:
            await asyncio.wait(left, timeout=_CUT_S)
        if self._reader is not None:
            await self._reader.close()
        await self._held.close()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            cut = asyncio.get_running_loop().call_later(_CUT_S, self._wires.cut)
            with suppress(TimeoutError):
                await asyncio.wait_for(engine.dispose(), self._limits.longest_s)
            cut.cancel()
            self._wires.cut()
