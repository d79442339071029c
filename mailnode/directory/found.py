"""What the database at hand really has: older PostfixAdmin versions lack some columns and tables,
and a replica may lack rows.

Promises: what is missing reads as its harmless default (smtp allowed, never expired, no second
factor), and is never written; ``lacking`` names what nobody can do without.
Fails: ``Behind``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, inspect, literal, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory.schema import Tables
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.sql import rank_of

# What a missing column reads as.
DEFAULTS: dict[str, Any] = {"smtp_active": 1, "totp_secret": None, "password_expiry": None}
# What look-ups cannot do without, by table.
_NEEDED: dict[str, tuple[str, ...]] = {
    "domain": ("domain", "transport", "backupmx", "active"),
    "alias": ("address", "goto", "active"),
    "alias_domain": ("alias_domain", "target_domain", "active"),
    "mailbox": ("username", "password", "maildir", "quota", "domain", "active"),
}


class Behind(DirectoryGone):
    """A replica knows of no such thing, and may only not have heard of it yet."""


@dataclass(frozen=True, slots=True)
class Found:
    """Tables that are there, and ``table.column`` names of those we use."""

    tables: frozenset[str]
    columns: frozenset[str]

    def has(self, table: Table) -> bool:
        """Whether the table is there."""
        return table.name in self.tables

    def describes(self, table: Table) -> bool:
        """Whether its columns were asked for."""
        return any(name.startswith(f"{table.name}.") for name in self.columns)

    def has_column(self, column: Column[Any]) -> bool:
        """Whether the column is there."""
        return f"{column.table.name}.{column.name}" in self.columns

    def pick(self, column: Column[Any]) -> ColumnElement[Any]:
        """The column, or its default under the same name."""
        return column if self.has_column(column) else literal(DEFAULTS[column.name])


async def look(connection: AsyncConnection, tables: Tables) -> Found:
    """Ask the database for its tables and the columns of those that vary."""

    def ask(sync: Any) -> Found:
        inspector = inspect(sync)
        names = frozenset(inspector.get_table_names())
        columns = frozenset(
            f"{table.name}.{column['name']}"
            for table in (tables.mailbox, tables.domain, tables.admin, tables.alias)
            if table.name in names
            for column in inspector.get_columns(table.name)
        )
        return Found(names, columns)

    return await connection.run_sync(ask)


async def be_sure(connection: AsyncConnection) -> None:
    """To be called where there is no row: raises ``Behind`` unless that says something. A server
    that stands in for the preferred one and takes no writing is a replica, which may be behind."""
    if not rank_of(connection) or connection.dialect.name == "sqlite":
        return
    read_only = await connection.scalar(text("SELECT @@global.read_only"))
    if str(read_only).upper() not in ("0", "OFF"):
        raise Behind("only a replica answers, and it may not have heard of this yet")


def lacking(connection: Connection, prefix: str) -> list[str]:
    """Tables (``alias``) and columns (``alias.goto``) that are needed but not there."""
    inspector = inspect(connection)
    names, found = set(inspector.get_table_names()), []
    for table, columns in _NEEDED.items():
        name = f"{prefix}{table}"
        if name not in names:
            found.append(name)
            continue
        there = {column["name"].lower() for column in inspector.get_columns(name)}
        found += [f"{name}.{column}" for column in columns if column not in there]
    return found
