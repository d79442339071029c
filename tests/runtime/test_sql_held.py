"""Short questions to MariaDB: what they cost in round trips, and that whatever befalls a connection
kept in hand is nobody's trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.model.errors import DirectoryGone
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.sql import Database, Limits
from mailnode.runtime.sql_rows import Asked
from mailnode.runtime.sql_wires import Wires
from tests.support.mariadb import MariaDb

pytestmark = pytest.mark.mariadb

LIMITS = Limits(connect_timeout_s=20, query_timeout_s=30, queue_timeout_s=60)
_TABLE = Table(
    "t", MetaData(), Column("a", String(200)), Column("n", Integer), Column("at", DateTime)
)
_KEYS: Any = bindparam("keys", expanding=True)
_SEVERAL = select(_TABLE.c.a, _TABLE.c.n, literal(1)).where(_TABLE.c.a.in_(_KEYS))
_OTHERS = select(_TABLE.c.n).where(_TABLE.c.a.in_(_KEYS)).where(_TABLE.c.a != "x%s?")
_ASKED: list[Asked] = [(_SEVERAL, {"keys": ["k'\\", "ä%"]}), (_OTHERS, {"keys": ["ä%"]})]
_ROWS = [[("k'\\", 1, 1), ("ä%", None, 1)], [(None,)]]


@pytest.fixture
async def database(mysql_url: str) -> AsyncIterator[Database]:
    opened = Database([mysql_url], log=NullLog(), limits=LIMITS)
    await _fill(opened)
    yield opened
    await opened.close()


async def _fill(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            text("CREATE TABLE t (a VARCHAR(200) CHARACTER SET utf8mb4, n INT, at DATETIME)")
        )
        rows = [{"a": "k'\\", "n": 1}, {"a": "ä%", "n": None}]
        await connection.execute(_TABLE.insert(), rows)

    await database.write(work)


async def _asked(database: Database) -> list[list[tuple[Any, ...]]]:
    return [
        sorted(map(tuple, rows), key=lambda row: str(row[0]))
        for rows in await database.rows(_ASKED)
    ]


def _counted(server: MariaDb) -> dict[str, int]:
    said = server.run("SHOW GLOBAL STATUS").splitlines()
    pairs = (line.split("\t") for line in said if line.startswith(("Com_", "Bytes_")))
    return {name: int(value) for name, value in pairs}


async def test_a_question_is_one_text_and_one_answer(
    database: Database, mariadb_server: MariaDb
) -> None:
    """No ping, no ROLLBACK, nothing to begin: the statements, and what ends their transaction."""
    await _asked(database)
    before = _counted(mariadb_server)
    for _ in range(20):
        assert await _asked(database) == _ROWS
    after = _counted(mariadb_server)
    names = ("Com_select", "Com_commit", "Com_rollback", "Com_set_option", "Com_admin_commands")
    assert [after[name] - before[name] for name in names] == [
        pytest.approx(number, abs=3) for number in (40, 20, 0, 0, 0)
    ]


async def test_what_others_write_is_seen_at_the_next_question(database: Database) -> None:
    assert await _asked(database) == _ROWS
    for number in range(3):
        await database.write(lambda c, n=number: c.execute(_TABLE.update().values(n=n)))  # type: ignore[misc]
        assert [row[1] for row in (await _asked(database))[0]] == [number, number]


async def test_a_connection_that_died_is_replaced_within_the_question(
    database: Database, mariadb_server: MariaDb
) -> None:
    for _ in range(3):
        await _asked(database)
        for line in mariadb_server.run("SHOW PROCESSLIST").splitlines():
            number, _user, _host, name = line.split("\t")[:4]
            if name.startswith("t"):
                mariadb_server.run(f"KILL {number}")
        assert await _asked(database) == _ROWS


async def test_a_question_that_went_wrong_leaves_its_connection_fit(database: Database) -> None:
    await _asked(database)
    await database.write(lambda c: c.execute(text("RENAME TABLE t TO gone")))
    for _ in range(3):
        with pytest.raises(DirectoryGone, match="doesn't exist"):
            await _asked(database)
    await database.write(lambda c: c.execute(text("RENAME TABLE gone TO t")))
    assert await _asked(database) == _ROWS
    open_ones = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state <> 'RUNNING'"
    assert await database.read(lambda c: c.scalar(text(open_ones))) == 0


@pytest.mark.parametrize("size", [1, 2])
async def test_what_is_in_hand_is_there_for_others(mysql_url: str, size: int) -> None:
    """The pool's last connection is not kept from who writes, nor waited for."""
    limits = replace(LIMITS, pool_size=size)
    database = Database([mysql_url], log=NullLog(), limits=limits)
    await _fill(database)
    try:
        for _ in range(3):
            change = database.write(lambda c: c.execute(_TABLE.update().values(at=func.now())))
            questions = [_asked(database) for _ in range(3 * size)]
            async with asyncio.timeout(15):  # less than a pool waits for a connection
                _, *answers = await asyncio.gather(change, *questions)
            assert answers == [_ROWS] * 3 * size
    finally:
        await database.close()


async def test_columns_of_other_kinds_are_read_by_the_driver(database: Database) -> None:
    asked: list[Asked] = [(select(_TABLE.c.at).where(_TABLE.c.n == bindparam("n")), {"n": 1})]
    for _ in range(3):
        assert [tuple(row) for row in (await database.rows(asked))[0]] == [(None,)]
    assert await _asked(database) == _ROWS


async def test_who_takes_one_statement_at_a_time_is_asked_so(
    mysql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some proxies do; it is tried once, not with every question."""
    connect = Wires.connect
    wires = []

    async def one_at_a_time(self: Wires, *arguments: Any, **options: Any) -> Any:
        connection = await connect(self, *arguments, **options)
        # COM_SET_OPTION, MYSQL_OPTION_MULTI_STATEMENTS_OFF
        await connection._execute_command(27, b"\x01\x00")
        await connection._read_packet()
        wires.append(connection)
        return connection

    monkeypatch.setattr(Wires, "connect", one_at_a_time)
    database = Database([mysql_url], log=NullLog(), limits=LIMITS)
    await _fill(database)
    try:
        for _ in range(4):
            assert await _asked(database) == _ROWS
        assert len(wires) == 1
    finally:
        await database.close()
