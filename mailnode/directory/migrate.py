"""Makes PostfixAdmin's tables in an empty database, and our own tables in any.

Promises: a database that holds PostfixAdmin's tables already is used as found; nothing of it is
ever altered. Two starting at once do not disturb each other. A run cut off half-way is finished
by the next. Versions only add tables, columns with defaults, and indexes, so that an earlier
mailnode goes on beside a newer one: tables of a version it does not know it uses as they are.
Fails: ``BadSettings`` when the database holds tables but not those of PostfixAdmin, or of one that
is too old; ``DirectoryGone``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, column, inspect, select, table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory.found import lacking
from mailnode.directory.schema import OWN_PREFIX
from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.sql import Database

_HERE = Path(__file__).parent / "migrations"
_MADE_BY_US = f"{OWN_PREFIX}schema_version"
_OWN_VERSION = f"{OWN_PREFIX}version"
_LOCK_S = 30
# The newest version of each line in ``migrations/``.
HEADS = {"postfixadmin": "pfa_1856", "own": "own_0002"}


async def prepare(database: Database, *, prefix: str, create: bool) -> None:
    """Have PostfixAdmin's tables there: make them if the database is empty and ``create``."""

    async def work(connection: AsyncConnection) -> None:
        await _alone(connection, _prepare, prefix, create)

    await database.write(work)


async def prepare_own(database: Database) -> bool:
    """Bring our own tables up to date; false where the database does not let us."""

    async def work(connection: AsyncConnection) -> None:
        await _alone(connection, _upgrade, "own", _OWN_VERSION, "")

    try:
        await database.write(work)
    except DirectoryGone:
        return False
    return True


async def _alone(connection: AsyncConnection, make: Callable[..., None], *args: object) -> None:
    """SQLite: the write transaction is the lock already. MySQL: a lock with our name, kept until
    what was made is committed, as the next one who has it looks for that."""
    if connection.dialect.name == "sqlite":
        await connection.run_sync(make, *args)
        return
    asked = text("SELECT GET_LOCK(CONCAT('mailnode ', DATABASE()), :wait_s)")
    if await connection.scalar(asked, {"wait_s": _LOCK_S}) != 1:
        raise DirectoryGone("another mailnode is still making tables")
    try:
        await connection.run_sync(make, *args)
        await connection.execute(text("COMMIT"))
    finally:
        # A server that the connection to was lost has given the lock back; what was lost is told.
        with suppress(SQLAlchemyError):
            await connection.execute(text("SELECT RELEASE_LOCK(CONCAT('mailnode ', DATABASE()))"))


def _prepare(connection: Connection, prefix: str, create: bool) -> None:
    names = {name for name in inspect(connection).get_table_names() if name != _OWN_VERSION}
    ours = _MADE_BY_US in names
    if f"{prefix}domain" in names and not (ours and create):
        _check(connection, prefix)
        return
    if not create:
        raise BadSettings(
            f"the database has no table {prefix}domain; check [directory] table_prefix, "
            "or set create_schema = true to have the tables made"
        )
    if names and not ours:
        raise BadSettings(
            f"the database holds other tables but no {prefix}domain; check [directory] "
            "table_prefix, or give an empty database"
        )
    _upgrade(connection, "postfixadmin", _MADE_BY_US, prefix)


def _check(connection: Connection, prefix: str) -> None:
    missing = lacking(connection, prefix)
    if missing:
        raise BadSettings(
            f"the database lacks {', '.join(missing)}: its PostfixAdmin is too old or was upgraded "
            "half-way; bring the tables up to date (open its setup.php), then start again"
        )


def _upgrade(connection: Connection, line: str, version_table: str, prefix: str) -> None:
    there: str | None = None
    if inspect(connection).has_table(version_table):
        asked: Any = select(column("version_num")).select_from(table(version_table))
        there = connection.scalar(asked)
        if there == HEADS[line]:
            return  # the usual case, without loading Alembic
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={})
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("version_locations", str(_HERE / line).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    known = {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()}
    if there is not None and there not in known:
        return  # a newer mailnode was here, see the promises
    config.attributes.update(connection=connection, version_table=version_table, prefix=prefix)
    command.upgrade(config, "head")
