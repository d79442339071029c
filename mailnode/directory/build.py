"""Opens the directory of a worker: database, cache, logins, mirror.

Fails: ``BadSettings`` for a database that cannot be the right one. A database that is merely
gone is waited for in the background; until it answers, questions raise ``DirectoryGone``.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import literal, select

from mailnode.directory import DomainKind, LoginFailure, Mailbox, Service
from mailnode.directory.cache import CachedDirectory, Lifetimes
from mailnode.directory.login import Logins
from mailnode.directory.migrate import prepare, prepare_own
from mailnode.directory.mirror import Mirror
from mailnode.directory.sql import SqlDirectory
from mailnode.model.address import Address
from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.model.scram import ScramKeys
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog, NullLog
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.sql import Database, Limits
from mailnode.runtime.tasks import Pool

_TRY_AGAIN_S = 2.0
_MIGRATION_S = 60.0
_ANYTHING = select(literal(1))


def open_database(settings: DirectorySettings, log: MailLog, query_s: float = 0) -> Database:
    """The servers named in the settings; nothing is connected yet."""
    limits = Limits(
        connect_timeout_s=settings.connect_timeout_s,
        query_timeout_s=query_s or settings.query_timeout_s,
        queue_timeout_s=settings.queue_timeout_s,
        pool_size=settings.pool_size,
    )
    return Database(settings.urls, log=log, limits=limits)


async def prepare_database(settings: DirectorySettings, log: MailLog) -> None:
    """Have all tables there. Raises ``BadSettings`` or ``DirectoryGone``."""
    database = open_database(settings, log, query_s=_MIGRATION_S)
    try:
        await prepare(database, prefix=settings.table_prefix, create=settings.create_schema)
        if settings.own_tables:
            await prepare_own(database)
    finally:
        await database.close()


class LiveDirectory:
    """The directory as routing, intake and access see it (``Directory``), plus the mirror."""

    def __init__(
        self, database: Database, *, settings: DirectorySettings, pool: Pool, clock: Clock,
        log: MailLog,
    ) -> None:  # fmt: skip
        self._database = database
        self._settings = settings
        self._clock = clock
        self._log = log
        inner = SqlDirectory(database, prefix=settings.table_prefix, clock=clock)
        self._cached = CachedDirectory(inner, clock=clock, lifetimes=_lifetimes(settings))
        self._logins = Logins(inner, settings=settings, pool=pool, clock=clock)
        self._mirror = Mirror(inner, period_s=settings.usage_write_s)
        self._preparing: asyncio.Task[None] | None = None

    async def domain(self, name: str) -> DomainKind:
        """See ``Directory.domain``."""
        return await self._cached.domain(name)

    async def alias(self, key: str) -> tuple[str, ...] | None:
        """See ``Directory.alias``."""
        return await self._cached.alias(key)

    async def mailbox(self, address: Address) -> Mailbox | None:
        """See ``Directory.mailbox``."""
        return await self._cached.mailbox(address)

    async def login(
        self, user: str, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        """See ``Directory.login``."""
        answer = await self._logins.login(user, password, service, peer)
        if isinstance(answer, Mailbox) and self._settings.own_tables:
            self._mirror.login(answer.user, service.value, self._clock.now(), peer)
        return answer

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """See ``Directory.scram_keys``."""
        return await self._logins.scram_keys(user, mechanism)

    async def admit(
        self, user: str, service: Service, peer: str, *, by_password: bool = True
    ) -> Mailbox | LoginFailure:
        """See ``Directory.admit``."""
        answer = await self._logins.admit(user, service, peer, by_password=by_password)
        if isinstance(answer, Mailbox) and self._settings.own_tables:
            self._mirror.login(answer.user, service.value, self._clock.now(), peer)
        return answer

    async def record_use(self, user: str, used_bytes: int, messages: int) -> None:
        """Tell quota2 what ``user`` has now; written within ``usage_write_s``."""
        self._mirror.use(user, used_bytes, messages)

    async def health(self) -> dict[str, object]:
        """For the node's monitor: does a database answer, and if not, how many are known?"""
        try:
            await self._database.rows([(_ANYTHING, {})])
        except DirectoryGone:
            return {"answers": False, "cached": self._cached.known()}
        return {"answers": True}

    def forget(self) -> None:
        """Drop remembered answers, and ask anew at each login (reload)."""
        self._cached.forget()
        self._logins.forget()

    def prepare_later(self) -> None:
        """Make the tables as soon as the database answers."""
        self._preparing = asyncio.create_task(self._prepare_until_done())

    async def _prepare_until_done(self) -> None:
        while True:
            await asyncio.sleep(_TRY_AGAIN_S)
            try:
                # What is wrong was told at the start, and is by those who ask.
                await prepare_database(self._settings, NullLog())
                return
            except DirectoryGone:
                continue
            except BadSettings as error:
                self._log.event(Event.DATABASE, reason=str(error), remedy="see the reason")
                return

    async def close(self) -> None:
        """Write what waits, then end all connections."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self._mirror.close()
        await self._database.close()


def _lifetimes(settings: DirectorySettings) -> Lifetimes:
    return Lifetimes(
        settings.cache_s, settings.cache_negative_s, settings.stale_s, settings.cache_entries
    )


async def open_directory(
    *, settings: DirectorySettings, pool: Pool, clock: Clock, log: MailLog
) -> LiveDirectory:
    """The directory of this worker; call it after the fork, on the worker's loop."""
    database = open_database(settings, log)
    live = LiveDirectory(database, settings=settings, pool=pool, clock=clock, log=log)
    try:
        await prepare_database(settings, log)
    except DirectoryGone as error:
        log.event(
            Event.DATABASE,
            reason=str(error),
            remedy="start the database; until then mail is deferred",
        )
        live.prepare_later()
    return live
