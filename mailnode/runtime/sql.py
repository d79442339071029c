"""The SQL door: engines, pools, failover and timeouts; nobody else builds an engine.

Promises: servers are tried in the order given; a dead one is left alone until a background probe
finds it alive again; no call lasts longer than ``queue_timeout_s`` for its turn and then
``connect_timeout_s + query_timeout_s`` a server, also when the server is frozen, or SQLite's file
is locked or hangs. Passwords appear in no text this module makes. What a person should hear of is
logged, the same at most every ``_QUIET_S``.
Fails: ``DirectoryGone`` when no server answered, ``Duplicate`` when a key exists already,
``BadSettings`` for an address that cannot be understood.
Locks: SQLite writers take the write lock first (BEGIN IMMEDIATE), so none fails half-way.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.sql_addresses import parse_url, password_now, trust
from mailnode.runtime.sql_faults import Trouble
from mailnode.runtime.sql_rows import Asked, Rows
from mailnode.runtime.sql_server import Duplicate, Engines, Limits, Server, Work
from mailnode.runtime.sql_wires import Wires

__all__ = ["RANK", "Database", "Duplicate", "Limits", "Work", "parse_url", "rank_of"]

T = TypeVar("T")
# The execution option that says whose connection it is: 0 for the preferred server.
RANK = "mailnode_rank"
_FIRST_PROBE_S = 0.25
_QUIET_S = 600.0


def rank_of(connection: AsyncConnection) -> int:
    """Which of the servers this connection leads to; 0 is the preferred one."""
    found = connection.sync_connection
    return int(found.get_execution_options().get(RANK, 0)) if found is not None else 0


def _mysql_engine(url: URL, limits: Limits, rank: int, wires: Wires) -> AsyncEngine:
    connect: dict[str, Any] = {
        "async_creator_fn": wires.connect, "charset": "utf8mb4", "init_command": _bounds(limits)
    }  # fmt: skip
    trusted = trust(url)
    if trusted is not None:
        connect["ssl"] = trusted
    return create_async_engine(
        url.difference_update_query(["ssl_ca", "charset"]),
        connect_args=connect,
        pool_size=limits.pool_size,
        max_overflow=0,
        pool_timeout=limits.connect_timeout_s,
        pool_pre_ping=True,
        pool_recycle=limits.recycle_s,
        # What SQLAlchemy began it ends; a ROLLBACK more at each return would find nothing.
        pool_reset_on_return=None,
        hide_parameters=True,
        execution_options={RANK: rank},
    )


def _bounds(limits: Limits) -> str:
    """What was given up here must not go on there: it would wait for its locks with a connection
    each. Only MariaDB has a limit for whole statements, and only it reads such a comment."""
    wait_s = max(1, int(limits.query_timeout_s))
    locks = f"lock_wait_timeout = {wait_s}, innodb_lock_wait_timeout = {wait_s}"
    return f"SET SESSION {locks} /*M!100101 , max_statement_time = {limits.query_timeout_s} */"


def _sqlite_engine(url: URL, limits: Limits, rank: int, _wires: Wires) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=limits.pool_size, max_overflow=0, execution_options={RANK: rank},
        **_sqlite_options(limits),
    )  # fmt: skip
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


def _server(
    raw_url: str, rank: int, limits: Limits, died: Callable[[Server, Trouble], None]
) -> Server:
    url = parse_url(raw_url)
    sqlite = url.drivername.startswith("sqlite")
    engines = Engines(
        pooled=partial(_sqlite_engine if sqlite else _mysql_engine, url, limits, rank),
        reader=partial(_sqlite_reader, url, limits) if sqlite else None,
        password=partial(password_now, raw_url),
    )
    return Server(url, limits, engines, died)


class Database:
    """Several servers that hold the same data, the preferred one first."""

    def __init__(self, raw_urls: Sequence[str], *, log: MailLog, limits: Limits) -> None:
        self._servers = [
            _server(raw_url, rank, limits, self._mourn) for rank, raw_url in enumerate(raw_urls)
        ]
        if not self._servers:
            raise BadSettings("no database address is given")
        self._log = log
        self._limits = limits
        self._probes: dict[Server, asyncio.Task[None]] = {}
        self._said: dict[tuple[Server, str], float] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"Database({', '.join(server.name for server in self._servers)})"

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on the first server that answers; it may run again, there or elsewhere."""
        return await self._run(lambda server: server.run(work, write=False), again=True)

    async def rows(self, asked: Sequence[Asked]) -> Rows:
        """The rows of each statement, all of one moment: the cheapest way to ask several things."""
        return await self._run(lambda server: server.rows(asked), again=True)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction; never repeated once its first statement was sent."""
        return await self._run(lambda server: server.run(work, write=True), again=False)

    async def _run(self, ask: Callable[[Server], Awaitable[T]], *, again: bool) -> T:
        if self._closed:
            raise DirectoryGone("the database is closed")
        cause = ""
        for server in self._servers:
            try:
                return await _asked(server, ask, again)
            except Trouble as trouble:
                cause = str(trouble)
                self._tell(server, trouble)
                if not trouble.elsewhere:
                    break
        raise DirectoryGone(cause)

    def _tell(self, server: Server, trouble: Trouble) -> None:
        """What a person can do something about; not with every question."""
        now, key = time.monotonic(), (server, trouble.remedy)
        if not trouble.remedy or now - self._said.get(key, float("-inf")) < _QUIET_S:
            return
        self._said[key] = now
        self._log.event(Event.DATABASE, reason=str(trouble), remedy=trouble.remedy)

    def _mourn(self, server: Server, trouble: Trouble) -> None:
        if server in self._probes or self._closed:
            return
        self._said[server, trouble.remedy] = time.monotonic()
        self._log.event(Event.DATABASE, reason=str(trouble), remedy=trouble.remedy)
        self._probes[server] = asyncio.create_task(self._revive(server))

    async def _revive(self, server: Server) -> None:
        wait_s = _FIRST_PROBE_S
        while True:
            await asyncio.sleep(wait_s)
            trouble = await server.probe()
            if trouble is None:
                break
            self._tell(server, trouble)  # the server is back, say, but not its database
            wait_s = min(wait_s * 2, self._limits.longest_probe_s)
        del self._probes[server]
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


async def _asked(server: Server, ask: Callable[[Server], Awaitable[T]], again: bool) -> T:
    """Ask; once more where the connection was lost but the server turns out to live."""
    while True:
        if not await server.answers():
            raise server.dead()
        try:
            return await ask(server)
        except Trouble as trouble:
            if not again or not trouble.again:
                raise
            again = False
