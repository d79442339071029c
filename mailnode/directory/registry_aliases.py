"""Aliases and catch-alls, written as PostfixAdmin writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update

from mailnode.directory.goto import parse_goto
from mailnode.directory.ledger import (
    Change,
    Ledger,
    Refused,
    good_alias,
    good_domain,
    good_target,
)
from mailnode.directory.rows import AliasRow


class AliasRegistry(Ledger):
    """Adds, shows, changes and removes aliases."""

    async def aliases(
        self, domain: str | None = None, *, with_mailboxes: bool = False
    ) -> list[AliasRow]:
        """All aliases (of a domain) by name; those that only belong to a mailbox by request."""
        name = None if domain is None else good_domain(domain)
        rows = await self._read(lambda change: self._alias_rows(change, domain=name))
        return [row for row in rows if with_mailboxes or not _only_itself(row)]

    async def alias_row(self, address: str) -> AliasRow | None:
        """One alias, or ``None``."""
        key = "@".join(good_alias(address))
        rows = await self._read(lambda change: self._alias_rows(change, key=key))
        return rows[0] if rows else None

    async def add_alias(self, address: str, targets: Sequence[str]) -> None:
        """Add an alias, or a catch-all for ``@domain``."""
        local, domain = good_alias(address)
        key, goto = f"{local}@{domain}", _goto(targets)

        async def work(change: Change) -> None:
            table = self._tables.alias
            await self._check_number(change, domain)
            if await change.scalar(select(table.c.address).where(table.c.address == key)):
                raise Refused(f"{key} is an alias already; change it by `mailnode alias edit`")
            now = await change.now()
            row = {"address": key, "goto": goto, "domain": domain, "active": 1}
            await change.insert(table, [{**row, "created": now, "modified": now}])
            await change.log("create_alias", domain, f"{key} -> {goto}"[:60_000])

        await self._change(work)

    async def edit_alias(
        self, address: str, *, targets: Sequence[str] | None = None, active: bool | None = None
    ) -> None:
        """Replace the targets, or switch the alias on or off."""
        local, domain = good_alias(address)
        key = f"{local}@{domain}"
        values: dict[str, Any] = {} if active is None else {"active": int(active)}
        if targets is not None:
            values["goto"] = _goto(targets)

        async def work(change: Change) -> None:
            table = self._tables.alias
            fresh = {**values, "modified": await change.now()}
            asked = update(table).where(table.c.address == key).values(**fresh)
            if not (await change.execute(asked)).rowcount:
                raise Refused(f"{key} is not an alias here; see `mailnode alias list`")
            action = "edit_alias_state" if set(values) == {"active"} else "edit_alias"
            await change.log(action, domain, key)

        await self._change(work)

    async def delete_alias(self, address: str) -> None:
        """Remove an alias; a mailbox keeps its own."""
        local, domain = good_alias(address)
        key = f"{local}@{domain}"

        async def work(change: Change) -> None:
            table, boxes = self._tables.alias, self._tables.mailbox
            if await change.scalar(select(boxes.c.username).where(boxes.c.username == key)):
                raise Refused(f"{key} belongs to a mailbox; delete that, or edit the alias")
            if not (await change.execute(delete(table).where(table.c.address == key))).rowcount:
                raise Refused(f"{key} is not an alias here; see `mailnode alias list`")
            await change.log("delete_alias", domain, key)

        await self._change(work)

    async def _alias_rows(
        self, change: Change, *, domain: str | None = None, key: str | None = None
    ) -> list[AliasRow]:
        a, m = self._tables.alias.c, self._tables.mailbox.c
        asked, owners = select(a.address, a.goto, a.domain, a.active), select(m.username)
        if domain is not None:
            asked, owners = asked.where(a.domain == domain), owners.where(m.domain == domain)
        if key is not None:
            asked, owners = asked.where(a.address == key), owners.where(m.username == key)
        boxes = await change.folded(owners)
        return [
            AliasRow(
                row[0], parse_goto(row[1] or ""), row[2], bool(row[3]), row[0].lower() in boxes
            )
            for row in await change.execute(asked.order_by(a.domain, a.address))
        ]

    async def _check_number(self, change: Change, domain: str) -> None:
        """The domain's limit; as in PostfixAdmin the mailboxes' own rows do not count."""
        c, a, m = self._tables.domain.c, self._tables.alias.c, self._tables.mailbox.c
        limit = await change.scalar(select(c.aliases).where(c.domain == domain))
        if limit is None:
            raise Refused(f"{domain} is not a domain here; add it by `mailnode domain add`")
        if not limit:
            return
        own = await change.folded(select(m.username).where(m.domain == domain))
        number = len(await change.folded(select(a.address).where(a.domain == domain)) - own)
        if number + 1 > max(0, limit):
            raise Refused(f"{domain} may have {max(0, limit)} aliases and has {number}")


def _only_itself(row: AliasRow) -> bool:
    return row.mailbox and [each.lower() for each in row.targets] == [row.address.lower()]


def _goto(targets: Sequence[str]) -> str:
    goto = ",".join(dict.fromkeys(good_target(target) for target in targets))
    if not goto:
        raise Refused("an alias needs at least one target")
    if len(goto) > 65_000:
        raise Refused("too many targets: the column holds 65000 characters")
    return goto
