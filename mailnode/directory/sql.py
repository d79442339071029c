"""The directory as the database has it at this moment, uncached.

Promises: an address is answered "no" only when the database said so; every value is bound, never
pasted into a statement; nothing in PostfixAdmin's tables is changed but quota2 and, by option, a
password hash.
Fails: ``DirectoryGone``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, case, func, literal, select, update
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory import DomainKind, Mailbox
from mailnode.directory.found import Behind, Found, be_sure, look
from mailnode.directory.gathering import Facts
from mailnode.directory.goto import parse_goto
from mailnode.directory.keys import address_key, domain_key, maildir_path, split_key
from mailnode.directory.schema import last_login_table, postfixadmin_tables, scram_table
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import Clock
from mailnode.runtime.sql import Database, Work

T = TypeVar("T")
MAX_APP_PASSWORDS = 20  # each may cost a slow hash at every failed login
_LOOK_AGAIN_S = 600.0
_QUOTA2_NAME = 100  # quota2.username is shorter than mailbox.username
_KEYS: Any = bindparam("keys", expanding=True)
_MAILBOX = ("username", "maildir", "quota", "domain", "active", "smtp_active")
_REMOTE_TRANSPORTS = ("smtp", "relay")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is judged by. Hashes stay out of the repr."""

    mailbox: Mailbox
    stored: str = field(repr=False)
    active: bool
    expired: bool
    totp: bool
    totp_exceptions: frozenset[str] = frozenset()
    app_passwords: tuple[str, ...] = field(default=(), repr=False)


class SqlDirectory:
    """Questions to PostfixAdmin's tables."""

    def __init__(self, database: Database, *, prefix: str, clock: Clock) -> None:
        self._database = database
        self._tables = postfixadmin_tables(prefix)
        self._last_login = last_login_table()
        self._scram = scram_table()
        self._clock = clock
        self._found: Found | None = None
        self._rows_for: tuple[Found | None, Any] = (None, None)
        self._looked_at = 0.0

    async def domain(self, name: str) -> DomainKind:
        """How we stand to a domain; inactive ones are unknown, as in Postfix's queries."""
        key = domain_key(name)
        if key is None or key == "all":  # PostfixAdmin's dummy row
            return DomainKind.UNKNOWN
        table = self._tables.domain

        async def work(connection: AsyncConnection) -> DomainKind:
            asked = select(table.c.backupmx, table.c.transport).where(table.c.domain == key)
            row = (await connection.execute(asked.where(table.c.active == 1))).mappings().first()
            if row is None:
                await be_sure(connection)
            # An alias domain has a row here too; without one Postfix would not accept it either.
            elif await connection.scalar(self._alias_of(key)) is not None:
                return DomainKind.ALIAS
            return _kind(row)

        return await self._read(work)

    def _alias_of(self, key: str) -> Any:
        table = self._tables.alias_domain
        return (
            select(table.c.target_domain)
            .where(table.c.alias_domain == key)
            .where(table.c.active == 1)
        )

    async def alias(self, key: str) -> tuple[str, ...] | None:
        """Targets of the active row for this key, or of the target domain's row."""
        local, domain = split_key(key)
        folded = address_key(local, domain)
        if folded is None:
            return None

        goto = await self._read(lambda connection: self._goto_of(connection, folded))
        return None if goto is None else parse_goto(goto)

    async def facts(self, keys: Sequence[str]) -> dict[str, Facts]:
        """Alias targets of each key as ``alias`` gives them, and its mailbox where it is found at
        once; one transaction, two statements where every key has its own rows."""
        folded = {key: address_key(*split_key(key)) for key in keys}
        asked = sorted({one for one in folded.values() if one is not None})
        if not asked:
            return {key: Facts(None, None) for key in keys}

        found = await self._known()
        values = {"keys": asked}
        rows, boxes = await self._asked(
            self._database.rows([(self._gotos, values), (self._mailbox_rows(found), values)])
        )
        gotos = {row[0].lower(): row[1] or "" for row in rows}
        gotos |= await self._other_gotos([key for key in asked if key not in gotos])
        mailboxes = _usable([dict(zip(_MAILBOX, row, strict=True)) for row in boxes])
        return {
            key: Facts(
                None if one is None or one not in gotos else parse_goto(gotos[one]),
                None if one is None else mailboxes.get(one),
            )
            for key, one in folded.items()
        }

    async def _other_gotos(self, keys: Sequence[str]) -> dict[str, str]:
        """What was not found at once: no row, an alias domain, or a row that only the database
        takes for the same."""
        if not keys:
            return {}

        async def work(connection: AsyncConnection) -> dict[str, str]:
            gotos = {key: await self._goto_of(connection, key) for key in keys}
            return {key: goto for key, goto in gotos.items() if goto is not None}

        return await self._read(work)

    @cached_property
    def _gotos(self) -> Any:
        c = self._tables.alias.c
        return select(c.address, c.goto).where(c.address.in_(_KEYS)).where(c.active == 1)

    async def _goto_of(self, connection: AsyncConnection, key: str) -> str | None:
        goto: str | None = await connection.scalar(self._goto(key))
        if goto is not None:
            return goto
        other = await self._through_alias_domain(connection, key)
        return None if other is None else await connection.scalar(self._goto(other))

    def _goto(self, key: str) -> Any:
        table = self._tables.alias
        goto = func.coalesce(table.c.goto, "")
        return select(goto).where(table.c.address == key).where(table.c.active == 1)

    async def _through_alias_domain(self, connection: AsyncConnection, key: str) -> str | None:
        """The same key in the target domain, where its domain is an alias."""
        local, domain = split_key(key)
        target = await connection.scalar(self._alias_of(domain))
        return None if target is None else address_key(local, target)

    async def mailbox(self, address: Address) -> Mailbox | None:
        """The mailbox of this exact address, through an alias domain too, active or not."""
        folded = address_key(address.local, address.domain) if address.local else None
        if folded is None:
            return None

        async def work(connection: AsyncConnection) -> RowMapping | None:
            found = await self._look(connection)
            row = (await connection.execute(self._mailbox_row(found, folded))).mappings().first()
            if row is not None:
                return row
            other = await self._through_alias_domain(connection, folded)
            if other is not None:
                asked = self._mailbox_row(found, other)
                row = (await connection.execute(asked)).mappings().first()
            if row is None:
                await be_sure(connection)
            return row

        row = await self._read(work)
        return None if row is None else _mailbox(row)

    def _mailbox_row(self, found: Found, key: str) -> Any:
        return self._mailbox_columns(found).where(self._tables.mailbox.c.username == key)

    def _mailbox_rows(self, found: Found) -> Any:
        if self._rows_for[0] is not found:
            asked = self._mailbox_columns(found).where(self._tables.mailbox.c.username.in_(_KEYS))
            self._rows_for = (found, asked)
        return self._rows_for[1]

    def _mailbox_columns(self, found: Found) -> Any:
        c = self._tables.mailbox.c
        *plain, last = _MAILBOX
        return select(*(c[name] for name in plain), found.pick(c[last]).label(last))

    async def credentials(self, user: str) -> Credentials | None:
        """All that a login of this user is judged by; ``None`` when there is no such mailbox."""
        folded = address_key(*split_key(user))
        if folded is None or folded.startswith("@"):
            return None

        async def work(connection: AsyncConnection) -> Credentials | None:
            found = await self._look(connection)
            row = (await connection.execute(self._login_row(found, folded))).mappings().first()
            if row is None:
                await be_sure(connection)
                return None
            return await self._with_extras(connection, found, folded, row)

        return await self._read(work)

    def _login_row(self, found: Found, key: str) -> Any:
        m, d = self._tables.mailbox.c, self._tables.domain.c
        expired: ColumnElement[Any] = literal(0)
        if found.has_column(m.password_expiry) and found.has_column(d.password_expiry):
            # PostfixAdmin's query lets in: m.password_expiry > now() OR d.password_expiry = 0
            never = func.coalesce(d.password_expiry, 0) == 0
            expired = case((never, 0), (m.password_expiry > func.now(), 0), else_=1)
        # Not by comparing two columns: tables made by different versions of PostfixAdmin may have
        # collations that the database does not compare with each other.
        mine = and_(d.domain == split_key(key)[1], m.domain.is_not(None))
        joined = self._tables.mailbox.join(self._tables.domain, mine, isouter=True)
        extra = (
            m.password,
            found.pick(m.totp_secret).label("totp_secret"),
            func.coalesce(d.active, 0).label("domain_active"),
            expired.label("expired"),
        )
        return self._mailbox_row(found, key).add_columns(*extra).select_from(joined)

    async def _with_extras(
        self, connection: AsyncConnection, found: Found, key: str, row: RowMapping
    ) -> Credentials:
        secrets, addresses = self._tables.app_password, self._tables.totp_exception
        apps: list[str] = []
        if found.has(secrets):
            asked = select(secrets.c.password_hash).where(secrets.c.username == key)
            rows = await connection.scalars(asked.order_by(secrets.c.id).limit(MAX_APP_PASSWORDS))
            apps = [stored for stored in rows if stored]
        exceptions: frozenset[str] = frozenset()
        if row["totp_secret"] and found.has(addresses):
            mine = (addresses.c.username == key) | addresses.c.username.is_(None)
            mine |= addresses.c.username == split_key(key)[1]
            ips = await connection.scalars(select(addresses.c.ip).where(mine))
            exceptions = frozenset(filter(None, ips))
        return Credentials(
            mailbox=_mailbox(row),
            stored=row["password"] or "",
            active=bool(row["active"]) and bool(row["domain_active"]),
            expired=bool(row["expired"]),
            totp=bool(row["totp_secret"]),
            totp_exceptions=exceptions,
            app_passwords=tuple(apps),
        )

    async def replace_hash(self, user: str, old: str, new: str) -> None:
        """Store a better hash of the same password, unless it was changed meanwhile."""
        c = self._tables.mailbox.c
        change = update(self._tables.mailbox).where(and_(c.username == user, c.password == old))
        await self._database.write(lambda conn: conn.execute(change.values(password=new)))

    async def write_usage(self, usage: Mapping[str, tuple[int, int]]) -> None:
        """Set bytes and messages in quota2; users in one order, so that writers do not deadlock."""
        rows = [
            {"username": user, "bytes": used[0], "messages": used[1]}
            for user, used in sorted(usage.items())
            if len(user) <= _QUOTA2_NAME
        ]
        await self._upsert(self._tables.quota2, rows, ("bytes", "messages"))

    async def write_last_logins(self, logins: Mapping[tuple[str, str], tuple[int, str]]) -> None:
        """Set time and address of each user's last login by each service."""
        rows = [
            {"username": user, "service": service, "at": at, "peer": peer}
            for (user, service), (at, peer) in sorted(logins.items())
        ]
        await self._upsert(self._last_login, rows, ("at", "peer"))

    async def read_scram(self, user: str, mechanism: str) -> tuple[str, str] | None:
        """Kept keys as text, and the fingerprint of the password row they belong to."""
        c = self._scram.c

        async def work(connection: AsyncConnection) -> tuple[str, str] | None:
            if not (await self._look(connection)).has(self._scram):
                return None
            asked = select(c.scram_keys, c.fingerprint)
            mine = and_(c.username == user, c.mechanism == mechanism)
            row = (await connection.execute(asked.where(mine))).first()
            return (row[0], row[1]) if row else None

        return await self._read(work)

    async def write_scram(self, user: str, keys: Mapping[str, str], fingerprint: str) -> None:
        """Keep keys by mechanism."""
        rows = [
            {"username": user, "mechanism": name, "scram_keys": text, "fingerprint": fingerprint}
            for name, text in sorted(keys.items())
        ]
        await self._upsert(self._scram, rows, ("scram_keys", "fingerprint"))

    async def _upsert(
        self, table: Any, rows: list[dict[str, Any]], changed: tuple[str, ...]
    ) -> None:
        if not rows:
            return

        async def work(connection: AsyncConnection) -> None:
            if not (await self._look(connection)).has(table):
                return
            if connection.dialect.name == "sqlite":
                lite = sqlite_insert(table)
                fresh = {name: lite.excluded[name] for name in changed}
                await connection.execute(
                    lite.on_conflict_do_update(index_elements=table.primary_key, set_=fresh), rows
                )
            else:
                big = mysql_insert(table)
                fresh = {name: big.inserted[name] for name in changed}
                await connection.execute(big.on_duplicate_key_update(**fresh), rows)

        await self._database.write(work)

    async def _read(self, work: Work[T]) -> T:
        return await self._asked(self._database.read(work))

    async def _asked(self, answer: Awaitable[T]) -> T:
        """After a failure the columns are looked at again: it may be another database by now, and
        a column that is gone would else fail every question."""
        try:
            return await answer
        except Behind:
            raise
        except DirectoryGone:
            self._found = None
            raise

    async def _known(self) -> Found:
        """The same, asking for a connection only when it is time to look."""
        if self._found is None or self._clock.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            return await self._read(self._look)
        return self._found

    async def _look(self, connection: AsyncConnection) -> Found:
        """Which columns there are, asked again from time to time: PostfixAdmin gets upgraded."""
        now = self._clock.monotonic()
        if self._found is None or now - self._looked_at > _LOOK_AGAIN_S:
            self._found = await look(connection, self._tables)
            self._looked_at = now
        return self._found


def _kind(row: RowMapping | None) -> DomainKind:
    if row is None:
        return DomainKind.UNKNOWN
    if row["backupmx"]:
        return DomainKind.BACKUP_MX
    transport = (row["transport"] or "").lower()
    return DomainKind.RELAY if transport.startswith(_REMOTE_TRANSPORTS) else DomainKind.LOCAL


def _usable(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mailbox]:
    """Mailboxes by address. A row that makes no sense is left for ``mailbox`` to complain of."""
    found = {}
    for row in rows:
        try:
            found[row["username"].lower()] = _mailbox(row)
        except DirectoryGone:
            continue
    return found


def _mailbox(row: Mapping[str, Any] | RowMapping) -> Mailbox:
    user = row["username"].lower()
    maildir = maildir_path(row["maildir"] or "")
    # Not a missing user: someone has to look at this row, and the mail has to wait.
    if maildir is None:
        raise DirectoryGone(f"mailbox {user}: maildir column {row['maildir']!r} is not usable")
    try:
        quota = int(row["quota"] or 0)
    except ValueError:  # SQLite takes words, too
        raise DirectoryGone(f"mailbox {user}: quota {row['quota']!r} is no number") from None
    return Mailbox(
        user=user,
        maildir=maildir,
        quota_bytes=max(0, quota),
        domain=(row["domain"] or split_key(user)[1]).lower(),
        active=bool(row["active"]),
        smtp_active=bool(row["smtp_active"]),
    )
