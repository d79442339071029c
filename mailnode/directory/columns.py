"""Kinds of columns and indexes in PostfixAdmin's tables, for MySQL and SQLite at once.

Promises: on SQLite key columns compare without regard to case, as latin1_general_ci does on MySQL.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, String, Text, text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

EPOCH = "2000-01-01 00:00:00"
NOW = "CURRENT_TIMESTAMP"
_MYSQL = ("mysql", "mariadb")
_UTF8 = {"charset": "utf8mb4", "collation": "utf8mb4_general_ci"}
_LATIN = {"charset": "latin1", "collation": "latin1_general_ci"}


def key(length: int = 255, *, latin: bool = False) -> TypeEngine[Any]:
    """Text that is looked up, whatever its case; ``latin``: although the table is not."""
    kind = mysql.VARCHAR(length, **_LATIN) if latin else mysql.VARCHAR(length)
    return String(length, collation="NOCASE").with_variant(kind, *_MYSQL)


def plain(length: int = 255) -> TypeEngine[Any]:
    """Text in the table's own character set."""
    return String(length)


def utf8(length: int = 255) -> TypeEngine[Any]:
    """Text that people see."""
    return String(length).with_variant(mysql.VARCHAR(length, **_UTF8), *_MYSQL)


def utf8_text() -> TypeEngine[Any]:
    """Long text that people see."""
    return Text().with_variant(
        mysql.TEXT(charset="utf8mb4", collation="utf8mb4_general_ci"), *_MYSQL
    )


def integer(width: int | None = None, *, unsigned: bool = False) -> TypeEngine[Any]:
    """A number of 32 bits."""
    # Where MySQL would choose 10 digits for an unsigned number, PostfixAdmin asks for 11.
    kind = mysql.INTEGER(display_width=11 if unsigned else width, unsigned=unsigned)
    return Integer().with_variant(kind, *_MYSQL)


def switch(*, unsigned: bool = False) -> TypeEngine[Any]:
    """0 or 1."""
    kind = mysql.TINYINT(display_width=1, unsigned=unsigned)
    return Integer().with_variant(kind, *_MYSQL)


def big() -> TypeEngine[Any]:
    """A number of 64 bits."""
    return BigInteger()


def stamp() -> TypeEngine[Any]:
    """A moment that MySQL keeps in UTC."""
    return DateTime().with_variant(mysql.TIMESTAMP(), *_MYSQL)


def enum(*values: str) -> TypeEngine[Any]:
    """One of a few words."""
    return String(20).with_variant(mysql.ENUM(*values), *_MYSQL)


def _default(value: str | int | None) -> Any:
    if value is None:
        return None
    return text(str(value) if isinstance(value, int) or value == NOW else f"'{value}'")


def column(name: str, kind: TypeEngine[Any], default: str | int | None = None) -> Column[Any]:
    """A column that is never NULL."""
    return Column(name, kind, nullable=False, server_default=_default(default))


def nullable(name: str, kind: TypeEngine[Any], default: str | int | None = None) -> Column[Any]:
    """A column that may be NULL."""
    return Column(name, kind, nullable=True, server_default=_default(default))


def primary(name: str, kind: TypeEngine[Any], default: str | None = None) -> Column[Any]:
    """A key, or part of one, that is text."""
    return Column(name, kind, primary_key=True, nullable=False, server_default=_default(default))


def number(*, unsigned: bool = False) -> Column[Any]:
    """The column ``id``, counted by the database."""
    return Column("id", integer(unsigned=unsigned), primary_key=True, autoincrement=True)


def dates() -> list[Column[Any]]:
    """When a row was made and last changed, in local time."""
    return [column("created", DateTime(), EPOCH), column("modified", DateTime(), EPOCH)]


def index(table: str, name: str, *columns: str) -> list[Index]:
    """An index; SQLite wants its name to be unique in the whole database."""
    found = [Index(name, *columns).ddl_if(dialect=dialect) for dialect in _MYSQL]
    return [*found, Index(f"idx_{table}_{name}", *columns).ddl_if(dialect="sqlite")]


def options(comment: str | None = None, charset: str = "latin1") -> dict[str, Any]:
    """How MySQL is to keep the table."""
    found: dict[str, Any] = {"comment": comment}
    for dialect in _MYSQL:
        found[f"{dialect}_engine"] = "InnoDB"
        found[f"{dialect}_charset"] = charset
        found[f"{dialect}_collate"] = f"{charset}_general_ci"
    return found
