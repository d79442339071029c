"""What every change to PostfixAdmin's tables has in common: one transaction, one row in its log.

Promises: a change and its log row are written together or not at all.
Fails: ``Refused`` for what the rules forbid, ``DirectoryGone``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Table, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory.found import Found, look
from mailnode.directory.keys import domain_key
from mailnode.directory.schema import last_login_table, postfixadmin_tables, scram_table
from mailnode.model.errors import PermanentError
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.sql import Database, Duplicate

T = TypeVar("T")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_DOMAIN = 190  # with 64 octets and "@" it fits the columns, which hold 255
# RFC 5321 4.1.2 Dot-string without "/": the local part becomes part of a path.
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+=?^_`{|}~-]+)*")


class Refused(PermanentError):
    """The change breaks a rule; the text is one line for the person who asked for it."""

    def __init__(self, text: str) -> None:
        super().__init__(text, text)


class Change:
    """One running transaction, with what the database has."""

    def __init__(self, connection: AsyncConnection, found: Found, log: Table, actor: str) -> None:
        self.connection = connection
        self.found = found
        self._log = log
        self._actor = actor

    async def execute(self, statement: Any, rows: list[dict[str, Any]] | None = None) -> Any:
        """Run a statement."""
        return await self.connection.execute(statement, rows)

    async def scalar(self, statement: Any) -> Any:
        """The first column of the first row, or ``None``."""
        return await self.connection.scalar(statement)

    async def folded(self, statement: Any) -> set[str]:
        """The first column of all rows, in lower case: for comparing with another table's, which
        the database may refuse (tables of different ages have different collations)."""
        return {row[0].lower() for row in await self.connection.execute(statement)}

    async def insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Add rows (all with the same columns), leaving out columns an older schema lacks."""
        known = [
            name
            for name in rows[0]
            if self.found.has_column(table.c[name]) or not self.found.describes(table)
        ]
        await self.execute(insert(table), [{name: row[name] for name in known} for row in rows])

    async def now(self) -> datetime:
        """The database's own idea of the time, as PostfixAdmin writes it."""
        found = await self.scalar(select(func.now()))
        return found if isinstance(found, datetime) else datetime.fromisoformat(str(found))

    async def log(self, action: str, domain: str, data: str) -> None:
        """Add a row to PostfixAdmin's log; ``action`` is one that it knows."""
        row = {
            "timestamp": await self.now(),
            "username": self._actor,
            "domain": domain,
            "action": action,
            "data": data,
        }
        await self.execute(insert(self._log).values(**row))


class Ledger:
    """Base of the registry's parts."""

    def __init__(self, database: Database, settings: DirectorySettings, actor: str) -> None:
        self._database = database
        self._settings = settings
        self._actor = actor
        self._tables = postfixadmin_tables(settings.table_prefix)
        self._last_login = last_login_table()
        self._scram = scram_table()

    async def _change(self, work: Callable[[Change], Awaitable[T]]) -> T:
        """Run ``work`` in one writing transaction."""

        async def run(connection: AsyncConnection) -> T:
            return await work(await self._begun(connection))

        try:
            return await self._database.write(run)
        except Duplicate as error:
            raise Refused(f"exists already ({error})") from None

    async def _read(self, work: Callable[[Change], Awaitable[T]]) -> T:
        async def run(connection: AsyncConnection) -> T:
            return await work(await self._begun(connection))

        return await self._database.read(run)

    async def _begun(self, connection: AsyncConnection) -> Change:
        found = await look(connection, self._tables)
        return Change(connection, found, self._tables.log, self._actor)

    async def _expiry(self, change: Change, domain: str) -> datetime:
        """When a password set now runs out, by the domain's ``password_expiry`` (days)."""
        days = 0
        table = self._tables.domain
        if change.found.has_column(table.c.password_expiry):
            asked = select(table.c.password_expiry).where(table.c.domain == domain)
            days = int(await change.scalar(asked) or 0)
        return await change.now() + timedelta(days=days)


def good_domain(raw: str) -> str:
    """The domain as it is stored. Raises ``Refused``."""
    name = domain_key(raw.strip())
    if name is None or not _DOMAIN.fullmatch(name) or name == "all" or len(name) > _MAX_DOMAIN:
        raise Refused(f"{raw!r} is not a domain name")
    return name


def good_address(raw: str) -> tuple[str, str]:
    """Local part and domain as they are stored. Raises ``Refused``."""
    local, found, domain = raw.strip().rpartition("@")
    folded = local.lower()
    if not found or not _LOCAL.fullmatch(folded) or len(folded) > 64:
        raise Refused(f"{raw!r} is not an address that can be stored; it looks like user@domain")
    return folded, good_domain(domain)


def good_alias(raw: str) -> tuple[str, str]:
    """The same for an alias: ``@domain`` or ``*@domain`` is the catch-all (empty local part)."""
    local, found, domain = raw.strip().rpartition("@")
    if found and local in ("", "*"):
        return "", good_domain(domain)
    return good_address(raw)


def good_target(raw: str) -> str:
    """One target of an alias: an address anywhere, or ``@domain``. Raises ``Refused``."""
    target = raw.strip()
    local, found, domain = target.rpartition("@")
    if not found or "," in local or any(sign.isspace() or not sign.isprintable() for sign in local):
        raise Refused(f"{raw!r} is not a target; it looks like user@domain")
    if not local.isascii() or len(target) > 320:
        raise Refused(f"{raw!r} cannot be stored: the database holds ASCII addresses only")
    return f"{local}@{good_domain(domain)}"
