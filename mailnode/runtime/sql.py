"""The SQL door: engines, pools, failover and timeouts; nobody else builds an engine.

Promises: servers are tried in the order given; a dead one is left alone until a background probe
finds it alive again; no call lasts longer than ``connect_timeout_s + query_timeout_s`` a server,
also when the server is frozen, or SQLite's file is locked or hangs. Passwords appear in no text
this module makes.
Fails: ``DirectoryGone`` when no server answered, ``Duplicate`` when a key exists already,
``BadSettings`` for an address that cannot be understood.
Locks: SQLite writers take the write lock first (BEGIN IMMEDIATE), so none fails half-way.

The MySQL driver has no read timeout, and cancelling it makes it wait for the very server that is
frozen. So a transaction runs in its own task, and when its time is up the sockets beneath are
cut; every await in the driver then ends with "connection lost", and cleans up after itself.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mailnode.model.errors import BadSettings, DirectoryGone, PermanentError
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.sql_rows import STEPS, Asked, FileReader, Rows, ends_at, read_each
from mailnode.runtime.sql_wires import Wires

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_DRIVERS = {
    "mysql": "mysql+aiomysql",
    "mariadb": "mysql+aiomysql",
    "mysql+aiomysql": "mysql+aiomysql",
    "mariadb+aiomysql": "mysql+aiomysql",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}
_OPTIONS = frozenset({"unix_socket", "charset", "password_file", "password_env", "ssl_ca"})
# A server that only reads (replica, or a primary being demoted): nothing was done, ask the next.
_READ_ONLY_ERRORS = frozenset({1290, 1792, 1836})
# Lost, killed or refused connections; the 2000s are the client library's own.
_CONNECTION_ERRORS = frozenset({1040, 1053, 1077, 1129, 1203, 1927, 2002, 2003, 2006, 2013, 2014})
_FIRST_PROBE_S = 0.25
_CUT_S = 1.0  # for the driver to notice that its socket was cut


class Duplicate(PermanentError):
    """A row with this key exists already."""

    public = "exists already"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait and how many connections to hold, per server and worker."""

    connect_timeout_s: float = 3.0
    query_timeout_s: float = 5.0
    pool_size: int = 4
    longest_probe_s: float = 10.0
    recycle_s: int = 1800

    @property
    def longest_s(self) -> float:
        """The most that a transaction may take."""
        return self.connect_timeout_s + self.query_timeout_s


class _Unreachable(Exception):
    """This server did not answer; another one may be asked."""


class _ReadOnly(_Unreachable):
    """This server answers but does not write."""


def parse_url(raw_url: str) -> URL:
    """A database address, driver filled in, password fetched from its file or variable.

    ``mysql://user:password@host:port/db``, ``mysql://user@/db?unix_socket=/path``,
    ``sqlite:////absolute/path``; ``password_file=/path`` and ``password_env=NAME`` keep the
    password out of the address, ``ssl_ca=/path`` asks for TLS. Raises ``BadSettings``.
    """
    try:
        url = make_url(raw_url)
    except (ArgumentError, ValueError):
        raise BadSettings("a database address must look like mysql://user@host/name") from None
    driver = _DRIVERS.get(url.drivername)
    shown = url.render_as_string(hide_password=True)
    if driver is None:
        raise BadSettings(f"{shown}: use mysql:// or sqlite:///")
    unknown = set(url.query) - _OPTIONS
    if unknown:
        raise BadSettings(f"{shown}: unknown option {', '.join(sorted(unknown))}")
    if driver.startswith("sqlite") and url.database in (None, "", ":memory:"):
        raise BadSettings("sqlite:// needs a file: sqlite:////var/lib/mailnode/directory.db")
    return _with_password(url.set(drivername=driver), shown)


def _with_password(url: URL, shown: str) -> URL:
    file, variable = url.query.get("password_file"), url.query.get("password_env")
    try:
        if isinstance(file, str):
            url = url.set(password=Path(file).read_text(encoding="utf-8").rstrip("\r\n"))
        elif isinstance(variable, str):
            url = url.set(password=os.environ[variable])
    except OSError as error:
        raise BadSettings(f"{shown}: password_file cannot be read: {error.strerror}") from None
    except (KeyError, UnicodeDecodeError):
        raise BadSettings(f"{shown}: no usable password in password_file/password_env") from None
    return url.difference_update_query(["password_file", "password_env"])


def _mysql_engine(url: URL, limits: Limits, wires: Wires) -> AsyncEngine:
    connect: dict[str, Any] = {"async_creator_fn": wires.connect, "charset": "utf8mb4"}
    ca = url.query.get("ssl_ca")
    if isinstance(ca, str):
        connect["ssl"] = ssl.create_default_context(cafile=ca)
    return create_async_engine(
        url.difference_update_query(["ssl_ca", "charset"]),
        connect_args=connect,
        pool_size=limits.pool_size,
        max_overflow=0,
        pool_timeout=limits.connect_timeout_s,
        pool_pre_ping=True,
        pool_recycle=limits.recycle_s,
        hide_parameters=True,
    )


def _sqlite_engine(url: URL, limits: Limits, _wires: Wires) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=limits.pool_size, max_overflow=0, **_sqlite_options(limits)
    )
    event.listen(engine.sync_engine, "do_connect", _make_private)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _sqlite_reader(url: URL, limits: Limits) -> Engine:
    """The same file without the async driver around it."""
    engine = create_engine(url.set(drivername="sqlite"), pool_size=1, **_sqlite_options(limits))
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _sqlite_options(limits: Limits) -> dict[str, Any]:
    # isolation_level None: the driver opens no transaction behind our back.
    return {
        "connect_args": {"isolation_level": None, "timeout": limits.query_timeout_s},
        "pool_timeout": limits.connect_timeout_s,
        "hide_parameters": True,
    }


def _make_private(_dialect: object, _record: object, where: Sequence[str], _how: object) -> None:
    """SQLite would make a file that all may read; what it makes beside it has the file's mode."""
    with suppress(OSError):  # there already, or SQLite says what is wrong
        os.close(os.open(where[0], os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _error_number(error: DBAPIError) -> int:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


class _Server:
    """One database server: an engine made at first use, and whether it is believed alive."""

    def __init__(self, url: URL, limits: Limits) -> None:
        self.url = url
        self.name = url.render_as_string(hide_password=True)
        self.sqlite = url.drivername.startswith("sqlite")
        self.alive = True
        self._limits = limits
        self._engine: AsyncEngine | None = None
        self._wires = Wires(limits.connect_timeout_s)
        self._reader = (
            FileReader(lambda: _sqlite_reader(url, limits), limits.longest_s)
            if self.sqlite
            else None
        )
        self._running: set[asyncio.Task[Any]] = set()

    def engine(self) -> AsyncEngine:
        """Made on first need, that is after the fork and on the loop that uses it."""
        if self._engine is None:
            make = _sqlite_engine if self.sqlite else _mysql_engine
            self._engine = make(self.url, self._limits, self._wires)
        return self._engine

    async def run(self, work: Work[T], write: bool) -> T:
        """Do ``work`` in one transaction, to its end even if the caller is cancelled.

        Raises ``_Unreachable`` only if nothing was done, or asking again does no harm.
        """
        task = asyncio.create_task(self._transaction(work, write))
        self._running.add(task)
        task.add_done_callback(self._forget)
        limit_s = self._limits.longest_s
        watchdog = asyncio.get_running_loop().call_later(limit_s, self._wires.cut)
        task.add_done_callback(lambda _: watchdog.cancel())
        try:
            return await asyncio.wait_for(asyncio.shield(task), limit_s + _CUT_S)
        except TimeoutError as error:
            raise self._judged(error, unsure=write) from None

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """Each statement's rows, read in one transaction. Raises as ``run``."""
        if self._reader is None:
            return await self.run(partial(read_each, asked), write=False)
        try:
            return await self._reader.rows(asked)
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            raise self._judged(error, unsure=False) from None

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # heard already, unless the caller has gone

    async def _transaction(self, work: Work[T], write: bool) -> T:
        started = False
        try:
            async with self.engine().connect() as connection:
                if self.sqlite:
                    await self._begin(connection, write)
                started = True
                result = await work(connection)
                await connection.commit()
                return result
        except IntegrityError as error:
            raise Duplicate(str(error.orig)) from None
        except (TimeoutError, OSError, SQLAlchemyError) as error:
            raise self._judged(error, unsure=write and started) from None

    async def _begin(self, connection: AsyncConnection, write: bool) -> None:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        until = time.monotonic() + self._limits.longest_s
        await raw.set_progress_handler(ends_at(until), STEPS)
        await connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    def _judged(self, error: Exception, unsure: bool) -> Exception:
        """``unsure``: part of a write may have happened, so no other server may repeat it."""
        cause = f"{self.name}: {_plain(error)}"
        if isinstance(error, DBAPIError) and _error_number(error) in _READ_ONLY_ERRORS:
            return _ReadOnly(cause)
        if self._is_lost(error):
            self.alive = False
            return DirectoryGone(cause) if unsure else _Unreachable(cause)
        return DirectoryGone(cause)

    def _is_lost(self, error: Exception) -> bool:
        if self.sqlite:
            return False  # a busy or missing file may be there at the next call
        if not isinstance(error, DBAPIError):
            return isinstance(error, (TimeoutError, OSError, SQLAlchemyError))
        return error.connection_invalidated or _error_number(error) in _CONNECTION_ERRORS

    async def probe(self) -> bool:
        """Ask the server for one row; true (and alive again) when it answers."""
        try:
            await self.run(_select_one, write=False)
        except (_Unreachable, DirectoryGone):
            return False
        self.alive = True
        return True

    async def close(self) -> None:
        """Let running transactions end within their time, then close the connections. Waits for
        nothing that hangs."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._limits.longest_s + _CUT_S)
        # What does not end would bring its connection back when nobody closes it any more.
        left = [task for task in self._running if task.cancel()]
        if left:
            await asyncio.wait(left, timeout=_CUT_S)
        if self._reader is not None:
            await self._reader.close()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            cut = asyncio.get_running_loop().call_later(_CUT_S, self._wires.cut)
            with suppress(TimeoutError):
                await asyncio.wait_for(engine.dispose(), self._limits.longest_s)
            cut.cancel()
            self._wires.cut()


async def _select_one(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


def _plain(error: Exception) -> str:
    """The driver's own words, without statement or parameters."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, DBAPIError):
        return str(error.orig)
    return str(error) or type(error).__name__


class Database:
    """Several servers that hold the same data, the preferred one first."""

    def __init__(self, raw_urls: Sequence[str], *, log: MailLog, limits: Limits) -> None:
        self._servers = [_Server(parse_url(raw_url), limits) for raw_url in raw_urls]
        if not self._servers:
            raise BadSettings("no database address is given")
        self._log = log
        self._limits = limits
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"Database({', '.join(server.name for server in self._servers)})"

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on the first server that answers; it may run again on another one."""
        return await self._run(lambda server: server.run(work, write=False))

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """The rows of each statement, all of one moment: the cheapest way to ask several things."""
        return await self._run(lambda server: server.rows(asked))

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction; never repeated once its first statement was sent."""
        return await self._run(lambda server: server.run(work, write=True))

    async def _run(self, ask: Callable[[_Server], Awaitable[T]]) -> T:
        if self._closed:
            raise DirectoryGone("the database is closed")
        cause = "no database server is alive"
        for server in self._servers:
            if not server.alive:
                continue
            try:
                return await ask(server)
            except _Unreachable as error:
                cause = str(error)
            finally:
                if not server.alive:
                    self._mourn(server)
        raise DirectoryGone(cause)

    def _mourn(self, server: _Server) -> None:
        if server.name in self._probes:
            return
        self._log.event(
            Event.DATABASE,
            reason=f"{server.name} does not answer",
            remedy="check that the database server runs; known users go on from the cache",
        )
        self._probes[server.name] = asyncio.create_task(self._revive(server))

    async def _revive(self, server: _Server) -> None:
        wait_s = _FIRST_PROBE_S
        while True:
            await asyncio.sleep(wait_s)
            if await server.probe():
                break
            wait_s = min(wait_s * 2, self._limits.longest_probe_s)
        del self._probes[server.name]
        self._log.event(Event.DATABASE, reason=f"{server.name} answers again", remedy="")

    async def close(self) -> None:
        """End probes and connections; whoever asks later gets ``DirectoryGone``."""
        self._closed = True
        for probe in list(self._probes.values()):
            probe.cancel()
        await asyncio.gather(*self._probes.values(), return_exceptions=True)
        self._probes.clear()
        for server in self._servers:
            await server.close()
