"""Engines, failover and timeouts, on SQLite and a real MariaDB that is killed and frozen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.sql import Database, Duplicate, Limits, parse_url
from mailnode.runtime.sql_rows import FileReader
from tests.support.answers import one, until_answers
from tests.support.mariadb import MariaDb

QUICK = Limits(connect_timeout_s=0.5, query_timeout_s=0.5, longest_probe_s=0.25)


@pytest.fixture
async def log() -> ListLog:
    return ListLog()


@pytest.fixture
async def database(url: str, log: ListLog) -> AsyncIterator[Database]:
    opened = Database([url], log=log, limits=QUICK)
    yield opened
    await opened.close()


async def test_reads_and_writes(database: Database) -> None:
    async def make(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE t (k VARCHAR(9) PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO t VALUES ('a')"))

    async def again(connection: AsyncConnection) -> None:
        await connection.execute(text("INSERT INTO t VALUES ('b')"))
        await connection.execute(text("INSERT INTO t VALUES ('a')"))

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("SELECT COUNT(*) FROM t"))).scalar_one())

    await database.write(make)
    with pytest.raises(Duplicate):
        await database.write(again)
    assert await database.read(count) == 1  # the half transaction is gone


@pytest.mark.parametrize("first", ["reader", "writer"])
async def test_a_new_file_is_private_with_what_lies_beside_it(
    tmp_path: Path, log: ListLog, first: str
) -> None:
    async def make(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE t (k VARCHAR(9) PRIMARY KEY)"))

    before = os.umask(0)  # as lax as can be
    opened = Database([f"sqlite:///{tmp_path}/d.db"], log=log, limits=QUICK)
    try:
        if first == "reader":
            await opened.rows([(text("SELECT 1"), {})])
        await opened.write(make)
        found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        await opened.close()
        os.umask(before)
    assert "d.db-wal" in found
    assert set(found.values()) == {0o600}, found


async def test_a_wrong_statement_is_an_unknown_state(database: Database) -> None:
    async def bad(connection: AsyncConnection) -> None:
        await connection.execute(text("SELECT * FROM missing WHERE x = :x"), {"x": "s3cret"})

    with pytest.raises(DirectoryGone) as caught:
        await database.read(bad)
    assert "s3cret" not in str(caught.value)
    assert await database.read(one) == 1


async def test_sqlite_writers_wait_for_each_other(tmp_path: Path) -> None:
    first = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=Limits())
    second = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=Limits())

    async def make(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE n (v INTEGER)"))
        await connection.execute(text("INSERT INTO n VALUES (0)"))

    async def bump(connection: AsyncConnection) -> None:
        value = (await connection.execute(text("SELECT v FROM n"))).scalar_one()
        await connection.execute(text("UPDATE n SET v = :v"), {"v": value + 1})

    async def value(connection: AsyncConnection) -> int:
        return int((await connection.execute(text("SELECT v FROM n"))).scalar_one())

    await first.write(make)
    await asyncio.gather(*(d.write(bump) for _ in range(10) for d in (first, second)))
    assert await first.read(value) == 20
    mode = await first.read(lambda c: c.scalar(text("PRAGMA journal_mode")))
    assert mode == "wal"
    await first.close()
    await second.close()


ENDLESS = text("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM c")


def _reader(database: Database) -> FileReader:
    reader = database._servers[0]._reader
    assert reader is not None
    return reader


async def test_a_statement_without_end_is_ended_and_the_file_read_again(tmp_path: Path) -> None:
    database = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=QUICK)
    with pytest.raises(DirectoryGone):
        await asyncio.wait_for(database.rows([(ENDLESS, {})]), 60)
    with pytest.raises(DirectoryGone):
        await asyncio.wait_for(database.read(lambda c: c.execute(ENDLESS)), 60)
    with pytest.raises(DirectoryGone):
        await asyncio.wait_for(database.write(lambda c: c.execute(ENDLESS)), 60)
    assert [list(each) for each in await database.rows([(text("SELECT 1"), {})])] == [[(1,)]]
    assert await database.read(one) == 1
    await asyncio.wait_for(database.close(), 60)


async def test_a_locked_file_costs_one_timeout_however_many_ask(tmp_path: Path) -> None:
    limits = replace(QUICK, query_timeout_s=2.0)
    database = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=limits)
    await database.write(lambda c: c.execute(text("CREATE TABLE t (k INTEGER)")))
    asked = [(text("SELECT k FROM t"), {})]
    other = sqlite3.connect(tmp_path / "d", isolation_level=None)
    await database.close()
    other.execute("PRAGMA journal_mode=DELETE")
    other.execute("BEGIN EXCLUSIVE")
    database = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=limits)
    begun = time.monotonic()
    said = await asyncio.gather(*(database.rows(asked) for _ in range(20)), return_exceptions=True)
    assert {type(one) for one in said} == {DirectoryGone}
    assert time.monotonic() - begun < 20  # not 40: they do not wait one after the other
    other.execute("ROLLBACK")
    other.close()
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(DirectoryGone):
                assert await database.rows(asked) == [[]]
                break
            await asyncio.sleep(0.05)
    await database.close()


async def test_a_file_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    database = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=QUICK)
    asked = [(text("SELECT 1"), {})]
    go_on, reader = threading.Event(), _reader(database)
    make = reader._make

    def hang() -> Engine:
        go_on.wait(120)
        return make()

    reader._make = hang
    with pytest.raises(DirectoryGone, match="no answer in time"):
        await asyncio.wait_for(database.rows(asked), 60)
    reader._limit_s = 60.0  # so that waiting once more would be seen
    reader._begun = time.monotonic() - 61
    with pytest.raises(DirectoryGone):
        await asyncio.wait_for(database.rows(asked), 30)
    go_on.set()
    async with asyncio.timeout(60):
        while reader._hangs():
            await asyncio.sleep(0.01)
    assert [list(each) for each in await database.rows(asked)] == [[(1,)]]
    await database.close()


async def test_a_file_that_hangs_is_left_behind_at_the_end(tmp_path: Path) -> None:
    database = Database([f"sqlite:///{tmp_path}/d"], log=ListLog(), limits=QUICK)
    go_on = threading.Event()
    asked = [(text("SELECT 1"), {})]
    reader = _reader(database)
    reader._make = lambda: go_on.wait(120) or pytest.fail("unreached")  # type: ignore[assignment,return-value]  # it hangs
    with pytest.raises(DirectoryGone):
        await asyncio.wait_for(database.rows(asked), 60)
    await asyncio.wait_for(database.close(), 60)
    for _ in range(2):
        with pytest.raises(DirectoryGone):
            await database.rows(asked)
        with pytest.raises(DirectoryGone):
            await database.read(one)
        await database.close()
    go_on.set()


@pytest.fixture
def frozen(mariadb_server: MariaDb) -> Iterator[MariaDb]:
    yield mariadb_server
    mariadb_server.thaw()


@pytest.mark.mariadb
@pytest.mark.fault
async def test_a_frozen_server_costs_one_timeout(mysql_url: str, frozen: MariaDb) -> None:
    log = ListLog()
    database = Database([mysql_url], log=log, limits=QUICK)
    assert await database.read(one) == 1
    frozen.freeze()
    begun = time.monotonic()
    results = await asyncio.gather(*(database.read(one) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, DirectoryGone) for result in results)
    assert time.monotonic() - begun < 4
    begun = time.monotonic()
    with pytest.raises(DirectoryGone):
        await database.read(one)
    assert time.monotonic() - begun < 0.1  # known to be dead: nobody waits
    frozen.thaw()
    await until_answers(database)
    assert [fields["reason"] for _, fields in log.events][-1].endswith("again")  # type: ignore[attr-defined]  # str
    await database.close()


@pytest.mark.mariadb
@pytest.mark.fault
async def test_failover_and_return(tmp_path: Path) -> None:
    server = MariaDb(tmp_path)
    server.install()
    server.start()
    server.run("CREATE DATABASE d")
    spare = f"sqlite:///{tmp_path}/spare"
    database = Database([server.url("d"), spare], log=ListLog(), limits=QUICK)

    async def which(connection: AsyncConnection) -> str:
        return connection.dialect.name

    try:
        assert await database.read(which) == "mysql"
        server.kill()
        assert await database.read(which) == "sqlite"
        assert await database.write(which) == "sqlite"
        server.start()
        async with asyncio.timeout(20):
            while await database.read(which) != "mysql":
                await asyncio.sleep(0.05)
    finally:
        await database.close()
        server.kill()


@pytest.mark.mariadb
async def test_a_read_only_server_passes_writes_on(
    mariadb_server: MariaDb,
    mysql_url: str,
    tmp_path: Path,
) -> None:
    name = mysql_url.split("?")[0].rsplit("/", 1)[1]
    mariadb_server.run(
        f"CREATE TABLE {name}.t (k INT); CREATE OR REPLACE USER plain@localhost;"
        "GRANT SELECT,INSERT ON *.* TO plain@localhost; SET GLOBAL read_only=1"
    )
    spare = Database([f"sqlite:///{tmp_path}/s"], log=ListLog(), limits=QUICK)
    await spare.write(lambda c: c.execute(text("CREATE TABLE t (k INT)")))
    await spare.close()
    replica = mysql_url.replace("root@", "plain@")
    both = Database([replica, f"sqlite:///{tmp_path}/s"], log=ListLog(), limits=QUICK)
    try:

        async def insert(connection: AsyncConnection) -> str:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            return connection.dialect.name

        assert await both.write(insert) == "sqlite"
        assert await both.read(one) == 1
    finally:
        mariadb_server.run("SET GLOBAL read_only=0")
        await both.close()


@pytest.mark.parametrize(
    "raw_url",
    [
        "postgresql://u:hush@h/d",
        "nonsense",
        "mysql://u:hush@h/d?autocommit=1",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:hush@h/d?password_file=/nonexistent",
        "mysql://u@h/d?password_env=NO_SUCH_VARIABLE_HERE",
        "mysql://u:hush@h:port/d",
    ],
)
def test_wrong_addresses_are_named_without_password(raw_url: str) -> None:
    with pytest.raises(BadSettings) as caught:
        parse_url(raw_url)
    assert "hush" not in str(caught.value)


def test_password_from_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pw").write_text("fr0m file\n")
    monkeypatch.setenv("MN_TEST_PW", "fr0m env")
    assert parse_url(f"mysql://u@h/d?password_file={tmp_path}/pw").password == "fr0m file"
    parsed = parse_url("mysql://u@h:3307/d?password_env=MN_TEST_PW&unix_socket=/s")
    assert parsed.password == "fr0m env"
    assert parsed.port == 3307
    assert dict(parsed.query) == {"unix_socket": "/s"}
    database = Database(["mysql://u:hush@h/d"], log=ListLog(), limits=QUICK)
    assert "hush" not in repr(database)


async def test_a_handshake_that_never_comes_leaves_no_socket(log: ListLog) -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    database = Database([f"mysql://root@127.0.0.1:{port}/d"], log=log, limits=QUICK)
    try:
        with pytest.raises(DirectoryGone):
            await database.read(one)
        await asyncio.wait_for(gone.wait(), 20)  # While the database is still open.
    finally:
        await database.close()
        listener.close()
        await listener.wait_closed()
