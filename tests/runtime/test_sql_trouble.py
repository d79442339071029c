"""Servers that answer, but not with what was asked for: what is told, and who is asked instead."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.pem import make_self_signed
from mailnode.runtime.sql import Database, Limits, parse_url
from mailnode.runtime.sql_addresses import password_now
from tests.support import mariadb
from tests.support.answers import one, until_answers
from tests.support.mariadb import MariaDb

WITHIN_S = 60.0
LIMITS = Limits(connect_timeout_s=5, query_timeout_s=5, longest_probe_s=0.25)


@asynccontextmanager
async def opened(*urls: str, limits: Limits = LIMITS) -> AsyncIterator[tuple[Database, ListLog]]:
    log = ListLog()
    database = Database(urls, log=log, limits=limits)
    try:
        yield database, log
    finally:
        await database.close()


def told(log: ListLog) -> list[tuple[str, str]]:
    return [(str(fields["reason"]), str(fields["remedy"])) for _, fields in log.events]


def _for_user(url: str, user: str, secret: str = "") -> str:
    return url.replace("root@", f"{user}:{secret}@" if secret else f"{user}@")


def _name(url: str) -> str:
    return url.split("?")[0].rsplit("/", 1)[1]


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        (lambda url: _for_user(url, "root", "wrong"), "Access denied", "password_file"),
        (lambda url: url.replace(_name(url), "nowhere"), "nowhere", "GRANT"),
        (lambda url: f"{url}&ssl_ca=/etc/ssl/certs/ca-certificates.crt", "no TLS", "ssl_ca"),
    ],
)
async def test_a_server_that_turns_us_away_is_told_and_the_next_one_asked(
    mysql_url: str, tmp_path: Path, change: object, reason: str, remedy: str
) -> None:
    assert callable(change)
    wrong = change(mysql_url)
    async with opened(wrong, f"sqlite:///{tmp_path}/spare") as (database, log):
        for _ in range(5):
            assert await database.read(one) == 1
        said = [pair for pair in told(log) if reason in pair[0]]
        assert len(said) == 1, told(log)
        assert remedy in said[0][1]
        assert "wrong" not in str(said)
    async with opened(wrong) as (database, _):
        with pytest.raises(DirectoryGone, match=reason):
            await database.read(one)
        with pytest.raises(DirectoryGone, match=reason):  # also while it is known to be dead
            await database.write(one)


@pytest.mark.mariadb
@pytest.mark.parametrize(("number", "remedy"), [(1290, "read_only"), (1047, "wsrep")])
async def test_a_server_that_does_nothing_for_us_passes_questions_on(
    mysql_url: str, tmp_path: Path, number: int, remedy: str
) -> None:
    refusal = text(f"SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'no'")

    async def where(connection: AsyncConnection) -> str:
        if connection.dialect.name != "sqlite":
            await connection.execute(refusal)
        return connection.dialect.name

    async with opened(mysql_url, f"sqlite:///{tmp_path}/spare") as (database, log):
        assert await database.read(where) == "sqlite"
        assert await database.write(where) == "sqlite"
        assert [remedy in said for _, said in told(log)] == [True]  # and only once


@pytest.mark.mariadb
async def test_a_password_that_was_changed_is_read_at_the_next_connection(
    mariadb_server: MariaDb, mysql_url: str, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("before\n")
    grant = "GRANT ALL ON *.* TO rotated@localhost IDENTIFIED BY"
    mariadb_server.run(f"{grant} 'before'")
    url = f"{_for_user(mysql_url, 'rotated')}&password_file={secret}"
    try:
        async with opened(url) as (database, log):
            assert await database.read(one) == 1
            mariadb_server.run(f"{grant} 'after'; KILL USER rotated@localhost")
            with pytest.raises(DirectoryGone, match="Access denied"):
                await database.read(one)
            secret.write_text("after\n")
            await until_answers(database, WITHIN_S)
            assert "answers again" in told(log)[-1][0]
            secret.unlink()
            assert password_now(url) is None
    finally:
        mariadb_server.run("DROP USER rotated@localhost")


@pytest.mark.parametrize(
    "greeting",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mx.example.test ESMTP\r\n",
        b"\x00\x00\x00\x00",
        b"\x0a\x00\x00\x00\x0ahello\x00abc",
        b"\xff\xff\xff\x00" + bytes(1000),
        b"\x10\x00\x00\x00" + b"\xff" * 16,
        bytes(range(256)) * 40,
        b"",
    ],
)
async def test_something_else_than_a_database_on_the_port(tmp_path: Path, greeting: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    listener = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = f"mysql://mail:hush@127.0.0.1:{port}/d"
    try:
        async with opened(url, f"sqlite:///{tmp_path}/spare") as (database, log):
            assert await database.read(one) == 1
            assert await database.write(one) == 1
            assert told(log)[0][1] not in ("", "see the reason")
            assert "hush" not in str(told(log))
    finally:
        listener.close()
        await listener.wait_closed()


class TlsMariaDb(MariaDb):
    """A server with a certificate of its own."""

    options: tuple[str, ...] = ()

    def _user(self) -> list[str]:
        return [*super()._user(), *self.options]


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsMariaDb]:
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    folder = Path(tempfile.mkdtemp(prefix="mn-tls"))
    server = TlsMariaDb(folder)
    try:
        server.install()
        certificate, key = make_self_signed(folder, ["localhost"], SystemClock())
        for path in (certificate, key):
            path.chmod(0o644)
        server.options = (f"--ssl-cert={certificate}", f"--ssl-key={key}")
        server.start()
        server.run("CREATE DATABASE d")
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


@pytest.mark.mariadb
async def test_tls_with_a_certificate_that_is_believed_or_not(
    tls_server: TlsMariaDb, tmp_path: Path
) -> None:
    good = re.sub("--ssl-cert=", "", tls_server.options[0])
    bad, _ = make_self_signed(tmp_path, ["localhost"], SystemClock())
    asked = text("SHOW STATUS LIKE 'Ssl_cipher'")
    async with opened(f"{tls_server.url('d')}&ssl_ca={good}") as (database, _log):
        cipher = (await database.read(lambda c: c.execute(asked))).one()[1]
        assert cipher
        for _ in range(3):  # of the pool, then in hand
            rows = await database.rows([(select(literal("x" * 100_000)), {})])
            assert [tuple(row) for row in rows[0]] == [("x" * 100_000,)]
    async with opened(f"{tls_server.url('d')}&ssl_ca={bad}") as (database, log):
        with pytest.raises(DirectoryGone, match=r"(?i)certificate"):
            await database.read(one)
        assert "ssl_ca" in told(log)[0][1]


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind"])
def test_a_file_of_authorities_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadSettings, match="ssl_ca cannot be used"):
        parse_url(f"mysql://u:hush@h/d?ssl_ca={file}")


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
async def test_a_question_has_its_time_from_when_it_has_its_turn(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/d"
    if kind == "mysql":
        url = request.getfixturevalue("mysql_url")

    async def long(connection: AsyncConnection) -> int:
        await asyncio.sleep(0.4)
        return await one(connection)

    # Twelve turns of 0.4 s: longer than a question's own time, and than that for a connection.
    limits = replace(LIMITS, connect_timeout_s=1, query_timeout_s=2, queue_timeout_s=60)
    async with opened(url, limits=limits) as (database, log):
        assert await asyncio.gather(*(database.read(long) for _ in range(48))) == [1] * 48
        assert told(log) == []


@pytest.mark.mariadb
async def test_who_waits_too_long_for_a_turn_is_told_and_nobody_else(mysql_url: str) -> None:
    async def long(connection: AsyncConnection) -> int:
        await asyncio.sleep(2)
        return await one(connection)

    limits = replace(LIMITS, query_timeout_s=30, queue_timeout_s=0.5, pool_size=2)
    async with opened(mysql_url, limits=limits) as (database, log):
        assert await database.read(one) == 1
        answers = await asyncio.gather(
            *(database.read(long) for _ in range(203)), return_exceptions=True
        )
        gone = [str(each) for each in answers if isinstance(each, DirectoryGone)]
        assert len(gone) >= 199
        assert 1 in answers
        assert sum("too many questions wait" in each for each in gone) == 1
        assert await database.read(one) == 1
        assert [remedy for _, remedy in told(log) if "pool_size" not in remedy] == []


@pytest.mark.mariadb
async def test_a_lock_is_waited_for_in_time_and_the_connection_stays(
    mariadb_server: MariaDb, mysql_url: str
) -> None:
    limits = replace(LIMITS, connect_timeout_s=20, query_timeout_s=1)
    async with (
        opened(mysql_url, limits=limits) as (holder, _),
        opened(mysql_url, limits=limits) as (
            database,
            log,
        ),
    ):
        await holder.write(lambda c: c.execute(text("CREATE TABLE t (k INT PRIMARY KEY)")))
        await holder.write(lambda c: c.execute(text("INSERT INTO t VALUES (1)")))
        held, go_on = asyncio.Event(), asyncio.Event()

        async def hold(connection: AsyncConnection) -> None:
            await connection.execute(text("SELECT * FROM t FOR UPDATE"))
            held.set()
            await go_on.wait()

        task = asyncio.create_task(holder.write(hold))
        await held.wait()
        mine = await database.read(lambda c: c.scalar(text("SELECT CONNECTION_ID()")))
        begun = time.monotonic()
        with pytest.raises(DirectoryGone):
            await database.write(lambda c: c.execute(text("UPDATE t SET k = 2")))
        assert time.monotonic() - begun < 15  # the server's doing: no connection was cut
        assert await database.read(lambda c: c.scalar(text("SELECT CONNECTION_ID()"))) == mine
        assert "PROCESSLIST" in told(log)[0][1]
        go_on.set()
        await task
        await database.write(lambda c: c.execute(text("UPDATE t SET k = 2")))
