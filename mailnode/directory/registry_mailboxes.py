"""Mailboxes and app passwords, written as PostfixAdmin writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update

from mailnode.directory.keys import maildir_path
from mailnode.directory.ledger import Change, Ledger, Refused, good_address, good_domain
from mailnode.directory.rows import AppPasswordRow, MailboxRow


class MailboxRegistry(Ledger):
    """Adds, shows, changes and removes mailboxes. Hashes come from ``passwords.hash_new``."""

    async def mailboxes(self, domain: str | None = None) -> list[MailboxRow]:
        """All mailboxes (of a domain) by name."""
        name = None if domain is None else good_domain(domain)
        return await self._read(lambda change: self._mailbox_rows(change, domain=name))

    async def mailbox(self, user: str) -> MailboxRow | None:
        """One mailbox, or ``None``."""
        username = "@".join(good_address(user))
        rows = await self._read(lambda change: self._mailbox_rows(change, username=username))
        return rows[0] if rows else None

    async def add_mailbox(
        self, user: str, stored: str, *, name: str = "", quota_bytes: int = 0,
        smtp_active: bool = True,
    ) -> None:  # fmt: skip
        """Add one mailbox with its alias row; ``stored`` is the hashed password."""
        await self.add_mailboxes(
            [user], stored, name=name, quota_bytes=quota_bytes, smtp_active=smtp_active
        )

    async def add_mailboxes(
        self, users: Sequence[str], stored: str, *, name: str = "", quota_bytes: int = 0,
        smtp_active: bool = True,
    ) -> None:  # fmt: skip
        """Add many with the same password, all or none."""
        by_domain: dict[str, list[str]] = {}
        for local, domain in map(good_address, users):
            by_domain.setdefault(domain, []).append(local)
        row = {"password": stored, "name": name, "quota": quota_bytes}
        row["smtp_active"] = int(smtp_active)

        async def work(change: Change) -> None:
            for domain, locals_ in by_domain.items():
                await self._check_limits(change, domain, len(locals_), quota_bytes)
                await self._check_free(change, domain, locals_)
                await self._insert_mailboxes(change, domain, locals_, row)

        await self._change(work)

    async def edit_mailbox(
        self, user: str, *, name: str | None = None, quota_bytes: int | None = None,
        active: bool | None = None, smtp_active: bool | None = None,
    ) -> None:  # fmt: skip
        """Change what is not ``None``; the alias row is switched with the mailbox."""
        username = "@".join(good_address(user))
        given = {"name": name, "quota": quota_bytes, "active": active, "smtp_active": smtp_active}
        values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}

        async def work(change: Change) -> None:
            table, aliases = self._tables.mailbox, self._tables.alias
            domain = await self._need_mailbox(change, username)
            if quota_bytes is not None:
                await self._check_limits(change, domain, 0, quota_bytes, leaving=username)
            fresh = {**values, "modified": await change.now()}
            await change.execute(update(table).where(table.c.username == username).values(**fresh))
            if active is not None:
                switched = update(aliases).where(aliases.c.address == username)
                await change.execute(switched.values(active=int(active)))
            action = "edit_mailbox_state" if set(values) == {"active"} else "edit_mailbox"
            await change.log(action, domain, username)

        await self._change(work)

    async def set_password(self, user: str, stored: str) -> None:
        """Replace the hashed password and start its expiry anew."""
        username = "@".join(good_address(user))

        async def work(change: Change) -> None:
            table = self._tables.mailbox
            domain = await self._need_mailbox(change, username)
            values = {"password": stored, "modified": await change.now()}
            if change.found.has_column(table.c.password_expiry):
                values["password_expiry"] = await self._expiry(change, domain)
            changed = update(table).where(table.c.username == username)
            await change.execute(changed.values(**values))
            await change.log("edit_password", domain, username)

        await self._change(work)

    async def delete_mailbox(self, user: str) -> None:
        """Remove the mailbox and all rows that belong to it. The mail on disk stays."""
        username = "@".join(good_address(user))

        async def work(change: Change) -> None:
            domain = await self._need_mailbox(change, username)
            t = self._tables
            # vacation_notification follows vacation by its foreign key
            places = [(t.fetchmail, "mailbox"), (t.vacation, "email"), (t.quota, "username")]
            places += [(t.quota2, "username"), (t.app_password, "username")]
            places += [(self._last_login, "username"), (self._scram, "username")]
            places += [(t.alias, "address")]
            for table, column in [*places, (t.mailbox, "username")]:
                if change.found.has(table):
                    await change.execute(delete(table).where(table.c[column] == username))
            await change.log("delete_mailbox", domain, username)

        await self._change(work)

    async def app_passwords(self, user: str) -> list[AppPasswordRow]:
        """The app passwords of a mailbox, oldest first."""
        username = "@".join(good_address(user))
        c = self._tables.app_password.c
        asked = select(c.id, c.username, c.description).where(c.username == username)

        async def work(change: Change) -> list[AppPasswordRow]:
            await self._need_mailbox(change, username)
            rows = await change.execute(asked.order_by(c.id))
            return [AppPasswordRow(row[0], row[1], row[2] or "") for row in rows]

        return await self._read(work)

    async def add_app_password(self, user: str, stored: str, description: str) -> None:
        """Add an app password, already hashed."""
        username = "@".join(good_address(user))
        row = {"username": username, "description": description, "password_hash": stored}

        async def work(change: Change) -> None:
            domain = await self._need_mailbox(change, username)
            if not change.found.has(self._tables.app_password):
                raise Refused("this database is of a PostfixAdmin without app passwords")
            await change.insert(self._tables.app_password, [row])
            await change.log("add_app_password", domain, username)

        await self._change(work)

    async def delete_app_password(self, user: str, number: int) -> None:
        """Remove one app password."""
        username = "@".join(good_address(user))
        table = self._tables.app_password

        async def work(change: Change) -> None:
            domain = await self._need_mailbox(change, username)
            mine = delete(table).where(table.c.username == username, table.c.id == number)
            if not (await change.execute(mine)).rowcount:
                raise Refused(f"{username} has no app password {number}")
            # PostfixAdmin knows no action of this name's own
            await change.log("edit_password", domain, f"{username} app password {number} deleted")

        await self._change(work)

    async def _mailbox_rows(
        self, change: Change, *, domain: str | None = None, username: str | None = None
    ) -> list[MailboxRow]:
        m = self._tables.mailbox.c
        asked: Any = select(
            m.username, m.name, m.domain, m.maildir, m.quota.label("quota_bytes"), m.active,
            change.found.pick(m.smtp_active).label("smtp_active"),
            change.found.pick(m.totp_secret).label("totp"),
        ).order_by(m.domain, m.local_part)  # fmt: skip
        if domain is not None:
            asked = asked.where(m.domain == domain)
        if username is not None:
            asked = asked.where(m.username == username)
        used = await self._used(change, username or (f"@{domain}" if domain else ""))
        flags = ("active", "smtp_active", "totp")
        rows = []
        for row in (await change.execute(asked)).mappings():
            size, messages = used.get(row["username"].lower(), (0, 0))
            switches = {flag: bool(row[flag]) for flag in flags}
            rows.append(MailboxRow(**{**row, **switches}, used_bytes=size, messages=messages))
        return rows

    async def _used(self, change: Change, ending: str) -> dict[str, tuple[int, int]]:
        """Bytes and messages as last reported, of users whose names end so."""
        q = self._tables.quota2.c
        if not change.found.has(self._tables.quota2):
            return {}
        asked = select(q.username, q.bytes, q.messages)
        if ending:
            mine = q.username.endswith(ending, autoescape=True)
            asked = asked.where(mine if ending.startswith("@") else q.username == ending)
        return {row[0].lower(): (row[1] or 0, row[2] or 0) for row in await change.execute(asked)}

    async def _need_mailbox(self, change: Change, username: str) -> str:
        """The mailbox's domain."""
        table = self._tables.mailbox
        asked = select(table.c.domain).where(table.c.username == username)
        domain: str | None = await change.scalar(asked)
        if domain is None:
            raise Refused(f"{username} is not a mailbox here; see `mailnode mailbox list`")
        return domain

    async def _check_limits(
        self, change: Change, domain: str, more: int, quota_bytes: int, leaving: str = ""
    ) -> None:
        """The domain's limits for number and size; ``leaving`` is not counted in the sum."""
        c, m = self._tables.domain.c, self._tables.mailbox.c
        asked = select(c.mailboxes, c.maxquota, c.quota).where(c.domain == domain)
        limits = (await change.execute(asked)).first()
        if limits is None:
            raise Refused(f"{domain} is not a domain here; add it by `mailnode domain add`")
        mine = (m.domain == domain) & (m.username != leaving)
        summed = select(func.count(), func.coalesce(func.sum(m.quota), 0)).where(mine)
        number, held = (await change.execute(summed)).one()
        if more and limits[0] and number + more > max(0, limits[0]):
            raise Refused(f"{domain} may have {max(0, limits[0])} mailboxes and has {number}")
        each, total = (limit * self._settings.quota_multiplier for limit in limits[1:])
        if each > 0 and not 0 < quota_bytes <= each:
            raise Refused(f"a mailbox of {domain} may have at most {limits[1]} MB; give --quota")
        if total > 0 and int(held) + quota_bytes * max(1, more) > total:
            raise Refused(f"the mailboxes of {domain} may have {limits[2]} MB in all")

    async def _check_free(self, change: Change, domain: str, locals_: Sequence[str]) -> None:
        wanted = {f"{local}@{domain}" for local in locals_}
        if len(wanted) < len(locals_):
            raise Refused("the same mailbox is named twice")
        for column in (self._tables.mailbox.c.username, self._tables.alias.c.address):
            for start in range(0, len(locals_), 500):
                part = sorted(wanted)[start : start + 500]
                taken = await change.scalar(select(column).where(column.in_(part)).limit(1))
                if taken is not None:
                    kind = column.table.name.removeprefix(self._settings.table_prefix)
                    raise Refused(f"{taken} exists already as {kind}")

    async def _insert_mailboxes(
        self, change: Change, domain: str, locals_: Sequence[str], row: dict[str, Any]
    ) -> None:
        now = await change.now()
        dates = {"created": now, "modified": now, "active": 1, "domain": domain}
        row = {**row, **dates, "password_expiry": await self._expiry(change, domain)}
        users = [(local, f"{local}@{domain}") for local in locals_]
        mailboxes = [
            {**row, "username": user, "local_part": local, "maildir": self._maildir(local, domain)}
            for local, user in users
        ]
        await change.insert(self._tables.mailbox, mailboxes)
        aliases = [{**dates, "address": user, "goto": user} for _, user in users]
        await change.insert(self._tables.alias, aliases)
        for _, user in users:
            await change.log("create_mailbox", domain, user)

    def _maildir(self, local: str, domain: str) -> str:
        filled = self._settings.maildir_template.format(
            local=local, domain=domain, user=f"{local}@{domain}"
        )
        path = maildir_path(filled)
        if path is None:
            raise Refused(f"maildir_template makes {filled!r}, which is not a path below the root")
        return f"{path}/"
