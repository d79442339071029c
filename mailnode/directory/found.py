"""What the database at hand really has: older PostfixAdmin versions lack some columns and tables.

Promises: what is missing reads as its harmless default (smtp allowed, never expired, no second
factor), and is never written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, inspect, literal
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory.schema import Tables

# What a missing column reads as.
DEFAULTS: dict[str, Any] = {"smtp_active": 1, "totp_secret": None, "password_expiry": None}


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
