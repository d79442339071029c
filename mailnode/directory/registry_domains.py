"""Domains and alias domains, written as PostfixAdmin writes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select, update

from mailnode.directory.ledger import Change, Ledger, Refused, good_domain, good_target
from mailnode.directory.rows import AliasDomainRow, DomainRow

_AT_ONCE = 500  # names in one statement
DEFAULT_ALIASES = ("abuse", "hostmaster", "postmaster", "webmaster")


class DomainRegistry(Ledger):
    """Adds, shows, changes and removes domains."""

    async def domains(self) -> list[DomainRow]:
        """All domains by name, PostfixAdmin's dummy ``ALL`` left out."""
        return await self._read(lambda change: self._domain_rows(change, None))

    async def domain(self, name: str) -> DomainRow | None:
        """One domain, or ``None``."""
        rows = await self._read(lambda change: self._domain_rows(change, good_domain(name)))
        return rows[0] if rows else None

    async def add_domain(
        self,
        name: str,
        *,
        description: str = "",
        aliases: int = 0,
        mailboxes: int = 0,
        maxquota_mb: int = 0,
        quota_mb: int = 0,
        transport: str = "virtual",
        backupmx: bool = False,
        password_expiry_days: int = 0,
        aliases_to: str = "",
    ) -> None:
        """Add a domain; with ``aliases_to``, also postmaster@ and its kin, leading there."""
        domain = good_domain(name)
        target = good_target(aliases_to) if aliases_to else ""
        values: dict[str, Any] = {
            "description": description,
            "aliases": aliases,
            "mailboxes": mailboxes,
            "maxquota": maxquota_mb,
            "quota": quota_mb,
            "transport": transport,
            "backupmx": int(backupmx),
            "password_expiry": password_expiry_days,
        }

        async def work(change: Change) -> None:
            if await self._has_domain(change, domain):
                raise Refused(f"{domain} is a domain already")
            await self._insert_domain(change, domain, values)
            if target:
                await self._default_aliases(change, domain, target)

        await self._change(work)

    async def edit_domain(self, name: str, **changed: Any) -> None:
        """Change columns by their names in ``DomainRow``; values of ``None`` are left alone."""
        domain = good_domain(name)
        columns = {"maxquota_mb": "maxquota", "quota_mb": "quota"}
        columns["password_expiry_days"] = "password_expiry"
        values = {columns.get(key, key): value for key, value in changed.items()}
        values = {key: value for key, value in values.items() if value is not None}

        async def work(change: Change) -> None:
            await self._need_domain(change, domain)
            table = self._tables.domain
            fresh = {**values, "modified": await change.now()}
            await change.execute(update(table).where(table.c.domain == domain).values(**fresh))
            action = "edit_domain_state" if set(values) == {"active"} else "edit_domain"
            await change.log(action, domain, domain)

        await self._change(work)

    async def delete_domain(self, name: str, *, with_content: bool = False) -> None:
        """Remove a domain; one that has mailboxes or aliases only ``with_content``.

        The mail on disk stays.
        """
        domain = good_domain(name)

        async def work(change: Change) -> None:
            await self._need_domain(change, domain)
            await self._check_unused(change, domain, with_content)
            await self._delete_content(change, domain)
            table = self._tables.domain
            await change.execute(delete(table).where(table.c.domain == domain))
            await change.log("delete_domain", domain, domain)

        await self._change(work)

    async def alias_domains(self) -> list[AliasDomainRow]:
        """All alias domains by name."""
        table = self._tables.alias_domain
        asked = select(table.c.alias_domain, table.c.target_domain, table.c.active)

        async def work(change: Change) -> list[AliasDomainRow]:
            rows = await change.execute(asked.order_by(table.c.alias_domain))
            return [AliasDomainRow(row[0], row[1], bool(row[2])) for row in rows]

        return await self._read(work)

    async def add_alias_domain(self, name: str, target: str) -> None:
        """Make all addresses of ``target`` valid in ``name`` too, a domain of ours from then on."""
        domain, other = good_domain(name), good_domain(target)
        if domain == other:
            raise Refused(f"{domain} cannot be an alias of itself")

        async def work(change: Change) -> None:
            await self._need_domain(change, other)
            table = self._tables.alias_domain
            # One hop only: neither may stand on the other side of another alias domain.
            chained = (table.c.target_domain == domain) | (table.c.alias_domain == other)
            if await change.scalar(select(func.count()).select_from(table).where(chained)):
                raise Refused(f"{other} is an alias domain itself, or {domain} is a target of one")
            if not await self._has_domain(change, domain):
                await self._insert_domain(change, domain, {"description": f"alias of {other}"})
            now = await change.now()
            row = {"alias_domain": domain, "target_domain": other, "created": now, "modified": now}
            await change.insert(table, [{**row, "active": 1}])
            await change.log("create_alias_domain", domain, f"{domain} -> {other}")

        await self._change(work)

    async def delete_alias_domain(self, name: str) -> None:
        """End the aliasing; the domain itself stays."""
        domain = good_domain(name)

        async def work(change: Change) -> None:
            table = self._tables.alias_domain
            done = await change.execute(delete(table).where(table.c.alias_domain == domain))
            if not done.rowcount:
                raise Refused(f"{domain} is not an alias domain")
            await change.log("delete_alias_domain", domain, domain)

        await self._change(work)

    async def _domain_rows(self, change: Change, name: str | None) -> list[DomainRow]:
        c = self._tables.domain.c
        expiry = change.found.pick(c.password_expiry).label("password_expiry_days")
        asked = select(
            c.domain, c.description, c.aliases, c.mailboxes, c.maxquota.label("maxquota_mb"),
            c.quota.label("quota_mb"), c.transport, c.backupmx, c.active, expiry,
        ).where(c.domain != "ALL").order_by(c.domain)  # fmt: skip
        if name is not None:
            asked = asked.where(c.domain == name)
        return [_domain_row(dict(row)) for row in (await change.execute(asked)).mappings()]

    async def _has_domain(self, change: Change, domain: str) -> bool:
        table = self._tables.domain
        asked = select(table.c.domain).where(table.c.domain == domain)
        return await change.scalar(asked) is not None

    async def _need_domain(self, change: Change, domain: str) -> None:
        if not await self._has_domain(change, domain):
            raise Refused(f"{domain} is not a domain here; see `mailnode domain list`")

    async def _insert_domain(self, change: Change, domain: str, values: dict[str, Any]) -> None:
        now = await change.now()
        row = {"domain": domain, "transport": "virtual", "active": 1, **values}
        await change.insert(self._tables.domain, [{**row, "created": now, "modified": now}])
        await change.log("create_domain", domain, domain)

    async def _default_aliases(self, change: Change, domain: str, target: str) -> None:
        now = await change.now()
        names = [f"{local}@{domain}" for local in DEFAULT_ALIASES if f"{local}@{domain}" != target]
        row = {"goto": target, "domain": domain, "active": 1, "created": now, "modified": now}
        await change.insert(self._tables.alias, [{"address": name, **row} for name in names])

    async def _check_unused(self, change: Change, domain: str, with_content: bool) -> None:
        t = self._tables
        asked = select(func.count()).select_from(t.alias_domain)
        if await change.scalar(asked.where(t.alias_domain.c.target_domain == domain)):
            raise Refused(f"{domain} is the target of an alias domain; delete that first")
        held = select(func.count()).select_from(t.mailbox).where(t.mailbox.c.domain == domain)
        number = await change.scalar(held)
        if number and not with_content:
            raise Refused(f"{domain} has {number} mailboxes; --with-mailboxes deletes them too")

    async def _delete_content(self, change: Change, domain: str) -> None:
        """Everything that names the domain, as PostfixAdmin removes it; app passwords as well."""
        t = self._tables
        asked = select(t.mailbox.c.username).where(t.mailbox.c.domain == domain)
        users = sorted(await change.folded(asked))
        tables = (t.app_password, t.quota, t.quota2, self._last_login, self._scram)
        columns = [*(table.c.username for table in tables), t.fetchmail.c.mailbox]
        for column in columns:
            if change.found.has(column.table):
                for start in range(0, len(users), _AT_ONCE):
                    part = users[start : start + _AT_ONCE]
                    await change.execute(delete(column.table).where(column.in_(part)))
        for table in (t.vacation, t.alias, t.mailbox, t.domain_admins):
            await change.execute(delete(table).where(table.c.domain == domain))
        table = t.alias_domain
        await change.execute(delete(table).where(table.c.alias_domain == domain))


def _domain_row(row: dict[str, Any]) -> DomainRow:
    row["password_expiry_days"] = int(row["password_expiry_days"] or 0)
    return DomainRow(**{**row, "backupmx": bool(row["backupmx"]), "active": bool(row["active"])})
