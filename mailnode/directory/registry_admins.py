"""PostfixAdmin's administrators.

A superadmin is stored twice, as PostfixAdmin does it: by a flag, and by a row for the domain
``ALL``, which is the one PostfixAdmin decides by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update

from mailnode.directory.ledger import Change, Ledger, Refused, good_address, good_domain
from mailnode.directory.rows import AdminRow

_EVERY = "ALL"


class AdminRegistry(Ledger):
    """Adds, shows, changes and removes administrators."""

    async def admins(self) -> list[AdminRow]:
        """All administrators by name."""
        c, d = self._tables.admin.c, self._tables.domain_admins.c

        async def work(change: Change) -> list[AdminRow]:
            ruled: dict[str, list[str]] = {}
            for row in await change.execute(select(d.username, d.domain).order_by(d.domain)):
                ruled.setdefault(row[0].lower(), []).append(row[1])
            rows = await change.execute(select(c.username, c.active).order_by(c.username))
            return [_admin(row[0], bool(row[1]), ruled.get(row[0].lower(), [])) for row in rows]

        return await self._read(work)

    async def add_admin(
        self, user: str, stored: str, *, superadmin: bool = False, domains: Sequence[str] = ()
    ) -> None:
        """Add an administrator of these domains, or of all."""
        username = "@".join(good_address(user))
        ruled = [_EVERY] if superadmin else [good_domain(domain) for domain in domains]

        async def work(change: Change) -> None:
            c = self._tables.admin.c
            if await change.scalar(select(c.username).where(c.username == username)):
                raise Refused(f"{username} is an admin already")
            now = await change.now()
            row = {"username": username, "password": stored, "active": 1}
            row["superadmin"] = int(superadmin)
            await change.insert(self._tables.admin, [{**row, "created": now, "modified": now}])
            await self._rule(change, username, ruled)
            await change.log("create_admin", "", username)

        await self._change(work)

    async def edit_admin(
        self, user: str, *, stored: str | None = None, active: bool | None = None,
        superadmin: bool | None = None, domains: Sequence[str] | None = None,
    ) -> None:  # fmt: skip
        """Change what is not ``None``; ``domains`` replaces all, unless it is a superadmin."""
        username = "@".join(good_address(user))
        given = {"password": stored, "active": active, "superadmin": superadmin}
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        ruled = None if domains is None else [good_domain(domain) for domain in domains]
        if superadmin is not None:
            ruled = [_EVERY] if superadmin else (ruled or [])

        async def work(change: Change) -> None:
            table = self._tables.admin
            fresh = {**values, "modified": await change.now()}
            asked = update(table).where(table.c.username == username).values(**fresh)
            if not (await change.execute(asked)).rowcount:
                raise Refused(f"{username} is not an admin here; see `mailnode admin list`")
            if ruled is not None:
                await self._rule(change, username, ruled)
            await change.log("edit_admin", "", username)

        await self._change(work)

    async def delete_admin(self, user: str) -> None:
        """Remove an administrator."""
        username = "@".join(good_address(user))

        async def work(change: Change) -> None:
            table = self._tables.admin
            if not (
                await change.execute(delete(table).where(table.c.username == username))
            ).rowcount:
                raise Refused(f"{username} is not an admin here; see `mailnode admin list`")
            await self._rule(change, username, [])
            await change.log("delete_admin", "", username)

        await self._change(work)

    async def _rule(self, change: Change, username: str, domains: Sequence[str]) -> None:
        """Set the domains that ``username`` rules."""
        table, known = self._tables.domain_admins, self._tables.domain.c
        for domain in domains:
            asked = select(known.domain).where(known.domain == domain)
            if domain != _EVERY and await change.scalar(asked) is None:
                raise Refused(f"{domain} is not a domain here; see `mailnode domain list`")
        await change.execute(delete(table).where(table.c.username == username))
        row = {"username": username, "active": 1, "created": await change.now()}
        if domains:
            await change.insert(table, [{**row, "domain": domain} for domain in domains])


def _admin(username: str, active: bool, domains: list[str]) -> AdminRow:
    every = _EVERY in domains
    return AdminRow(username, every, active, () if every else tuple(domains))
