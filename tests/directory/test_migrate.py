"""Tables made by us, and PostfixAdmin's left as they are."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory import migrate
from mailnode.directory.migrate import HEADS, prepare, prepare_own
from mailnode.model.errors import BadSettings
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.sql import Database, Limits, Work
from tests.support.mariadb import MariaDb

T = TypeVar("T")
HERE = Path(migrate.__file__).parent / "migrations"
REAL = json.loads((Path(__file__).parent / "postfixadmin_1856.json").read_text())


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database([url], log=NullLog(), limits=Limits(query_timeout_s=30))
    yield opened
    await opened.close()


async def tables(database: Database) -> list[str]:
    return sorted(await database.read(lambda c: c.run_sync(lambda s: inspect(s).get_table_names())))


async def run(database: Database, *statements: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        for statement in statements:
            await connection.execute(text(statement))

    await database.write(work)


async def test_an_empty_database_gets_the_schema(database: Database) -> None:
    await prepare(database, prefix="", create=True)
    assert set(REAL["tables"]) <= set(await tables(database))
    version = await database.read(
        lambda c: c.scalar(text("SELECT value FROM config WHERE name = 'version'"))
    )
    assert version == "1856"
    before = await tables(database)
    await prepare(database, prefix="", create=True)
    await prepare(database, prefix="", create=False)
    assert await tables(database) == before


async def test_an_earlier_mailnode_goes_on_with_the_tables_of_a_newer_one(
    database: Database,
) -> None:
    await prepare(database, prefix="", create=True)
    assert await prepare_own(database)
    await run(database, "UPDATE mailnode_version SET version_num = 'own_9999'")
    assert await prepare_own(database)
    version = await database.read(
        lambda c: c.scalar(text("SELECT version_num FROM mailnode_version"))
    )
    assert version == "own_9999"


async def test_own_tables_come_beside(database: Database) -> None:
    await prepare(database, prefix="pfa_", create=True)
    assert await prepare_own(database)
    assert await prepare_own(database)
    names = set(await tables(database))
    assert {"pfa_mailbox", "mailnode_last_login", "mailnode_version"} <= names
    assert "mailbox" not in names


async def test_other_peoples_tables_are_not_mixed_with_ours(database: Database) -> None:
    await run(database, "CREATE TABLE wordpress (id INTEGER)")
    with pytest.raises(BadSettings, match="table_prefix"):
        await prepare(database, prefix="", create=True)
    assert await tables(database) == ["wordpress"]


async def test_nothing_is_made_where_that_is_not_wanted(database: Database) -> None:
    with pytest.raises(BadSettings, match="create_schema"):
        await prepare(database, prefix="", create=False)
    assert await tables(database) == []


async def test_a_run_that_was_cut_off_is_finished(database: Database) -> None:
    await prepare(database, prefix="", create=True)
    await run(
        database, "DROP TABLE mailbox", "DROP TABLE config", "DELETE FROM mailnode_schema_version"
    )
    await prepare(database, prefix="", create=True)
    assert set(REAL["tables"]) <= set(await tables(database))


async def test_several_start_at_once(url: str) -> None:
    many = [Database([url], log=NullLog(), limits=Limits(query_timeout_s=30)) for _ in range(4)]
    await asyncio.gather(*(prepare(d, prefix="", create=True) for d in many))
    assert all(await asyncio.gather(*(prepare_own(d) for d in many)))
    assert "mailbox" in await tables(many[0])
    for each in many:
        await each.close()


async def test_others_see_what_was_made_before_the_lock_is_theirs(
    url: str, database: Database
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("the lock is the transaction")
    seen: list[str] = []

    class Watched(Database):
        async def write(self, work: Work[T]) -> T:
            async def and_look(connection: AsyncConnection) -> T:
                result = await work(connection)
                asked = text("SELECT version_num FROM mailnode_version")
                seen.append(await database.read(lambda c: c.scalar(asked)))
                return result

            return await super().write(and_look)

    await prepare(database, prefix="", create=True)
    watched = Watched([url], log=NullLog(), limits=Limits(query_timeout_s=30))
    assert await prepare_own(watched)
    await watched.close()
    assert seen == [HEADS["own"]]


@pytest.mark.parametrize("line", ["postfixadmin", "own"])
def test_heads_are_the_newest_versions(line: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("version_locations", str(HERE / line))
    config.set_main_option("path_separator", "newline")
    assert ScriptDirectory.from_config(config).get_heads() == [HEADS[line]]


def facts(server: MariaDb, name: str) -> dict[str, Any]:
    columns = server.run(
        "SELECT table_name, column_name, column_default, is_nullable, column_type,"
        " collation_name, column_key, extra FROM information_schema.columns"
        f" WHERE table_schema = '{name}' AND table_name NOT LIKE 'mailnode%'"
        " ORDER BY table_name, ordinal_position"
    )
    indexes = server.run(
        "SELECT table_name, index_name, seq_in_index, column_name, non_unique FROM"
        f" information_schema.statistics WHERE table_schema = '{name}'"
        " AND table_name NOT LIKE 'mailnode%' ORDER BY 1, 2, 3"
    )
    options = server.run(
        "SELECT table_name, engine, table_collation, table_comment FROM information_schema.tables"
        f" WHERE table_schema = '{name}' AND table_name NOT LIKE 'mailnode%' ORDER BY 1"
    )
    links = server.run(
        "SELECT table_name, constraint_name, referenced_table_name, delete_rule FROM"
        f" information_schema.referential_constraints WHERE constraint_schema = '{name}' ORDER BY 2"
    )
    return {
        "tables": [line.split("\t")[0] for line in options.splitlines()],
        "columns": columns.splitlines(),
        "indexes": indexes.splitlines(),
        "options": options.splitlines(),
        "links": links.splitlines(),
    }


def name_of(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[1]


@pytest.mark.mariadb
async def test_our_tables_equal_postfixadmins(mariadb_server: MariaDb, mysql_url: str) -> None:
    database = Database([mysql_url], log=NullLog(), limits=Limits(query_timeout_s=30))
    await prepare(database, prefix="", create=True)
    await database.close()
    ours = facts(mariadb_server, name_of(mysql_url))
    for kind, expected in REAL.items():
        if kind != "source":
            assert ours[kind] == expected


@pytest.mark.mariadb
async def test_a_found_database_is_never_altered(mariadb_server: MariaDb, mysql_url: str) -> None:
    name = name_of(mysql_url)
    database = Database([mysql_url], log=NullLog(), limits=Limits(query_timeout_s=30))
    await prepare(database, prefix="", create=True)
    mariadb_server.run("DROP TABLE mailnode_schema_version", name)  # now it looks found
    before = [mariadb_server.run(f"SHOW CREATE TABLE `{t}`", name) for t in REAL["tables"]]
    await prepare(database, prefix="", create=True)
    assert await prepare_own(database)
    after = [mariadb_server.run(f"SHOW CREATE TABLE `{t}`", name) for t in REAL["tables"]]
    assert after == before
    await database.close()


@pytest.mark.mariadb
async def test_a_user_who_may_only_read_is_enough(mariadb_server: MariaDb, mysql_url: str) -> None:
    name = name_of(mysql_url)
    owner = Database([mysql_url], log=NullLog(), limits=Limits(query_timeout_s=30))
    await prepare(owner, prefix="", create=True)
    await owner.close()
    mariadb_server.run("DROP TABLE mailnode_schema_version", name)
    mariadb_server.run(
        f"CREATE OR REPLACE USER reader@localhost; GRANT SELECT ON {name}.* TO reader@localhost"
    )
    reader = Database(
        [mysql_url.replace("root@", "reader@")], log=NullLog(), limits=Limits(query_timeout_s=30)
    )
    await prepare(reader, prefix="", create=True)
    assert not await prepare_own(reader)
    await reader.close()
