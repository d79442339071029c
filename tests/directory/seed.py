"""Rows as PostfixAdmin writes them, for tests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory.schema import Tables, postfixadmin_tables
from mailnode.runtime.sql import Database


class Seed:
    """Collects rows and writes them at once."""

    def __init__(self, prefix: str = "") -> None:
        self.tables: Tables = postfixadmin_tables(prefix)
        self.rows: list[tuple[Any, dict[str, Any]]] = []

    def domain(self, name: str, **columns: Any) -> Seed:
        row = {"domain": name, "description": "", "transport": "virtual", **columns}
        self.rows.append((self.tables.domain, row))
        return self

    def mailbox(self, user: str, password: str = "{PLAIN}pw", **columns: Any) -> Seed:
        local, _, domain = user.partition("@")
        row = {
            "username": user,
            "password": password,
            "name": "",
            "maildir": f"{domain}/{local}/",
            "local_part": local,
            "domain": domain.lower(),
            **columns,
        }
        self.rows.append((self.tables.mailbox, row))
        return self

    def alias(self, address: str, goto: str, **columns: Any) -> Seed:
        row = {"address": address, "goto": goto, "domain": address.rpartition("@")[2], **columns}
        self.rows.append((self.tables.alias, row))
        return self

    def alias_domain(self, name: str, target: str, **columns: Any) -> Seed:
        row = {"alias_domain": name, "target_domain": target, **columns}
        self.rows.append((self.tables.alias_domain, row))
        return self

    def app_password(self, user: str, stored: str) -> Seed:
        self.rows.append((self.tables.app_password, {"username": user, "password_hash": stored}))
        return self

    def totp_exception(self, ip: str, user: str | None) -> Seed:
        self.rows.append((self.tables.totp_exception, {"ip": ip, "username": user}))
        return self

    async def write(self, database: Database) -> None:
        async def work(connection: AsyncConnection) -> None:
            for table, row in self.rows:
                await connection.execute(insert(table).values(**row))

        await database.write(work)
        self.rows = []
