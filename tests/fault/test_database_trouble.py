"""A database that answers, but not as it should: it takes no writing, no more connections, holds
rows locked, is slow or forgets connections. The running server goes on, and catches up."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.admin.setup import fill_directory
from tests.support import mariadb
from tests.support.database_user import (
    OTHER,
    USER,
    Session,
    SlowLine,
    own_mariadb,
    session,
    url,
)
from tests.support.peopled_server import DOMAIN, PASSWORD, PeopledServer, until

pytestmark = [pytest.mark.fault, pytest.mark.mariadb, pytest.mark.timeout(240)]

# One worker, so that what it has cached is what the next connection meets.
SETTINGS: dict[str, dict[str, object]] = {
    "server": {"workers": 1},
    "login": {"failure_delay_s": 0, "block_network_after": 10_000},
}
DIRECTORY: dict[str, object] = {
    "cache_s": 0.1, "cache_negative_s": 0.1, "login_cache_s": 0, "query_timeout_s": 1,
    "connect_timeout_s": 1, "usage_write_s": 0.2,
}  # fmt: skip
WITHIN_S = 60.0
STALE_S = 10
# InnoDB makes the list of its transactions anew only where nobody asked for 0.1 s.
_ASK_AGAIN_S = 0.3


@pytest.fixture
def database() -> Iterator[mariadb.MariaDb]:
    """A server for each test: what the one before did to its own is nobody else's trouble."""
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    with own_mariadb() as database:
        yield database


def _server(folder: Path, database: mariadb.MariaDb, **keys: object) -> PeopledServer:
    """Its tables are there; they are not made in the short time that questions are given here."""
    server = PeopledServer(folder, **SETTINGS, directory={"urls": [url(database)]})
    server.write()
    asyncio.run(fill_directory(server.config, DOMAIN, server.users, PASSWORD))
    server.sections["directory"].update({**DIRECTORY, **keys})
    return server


@pytest.fixture
def server(tmp_path: Path, database: mariadb.MariaDb) -> Iterator[PeopledServer]:
    server = _server(tmp_path, database)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _used(database: mariadb.MariaDb) -> dict[str, int]:
    """Messages of each user, as quota2 has them."""
    rows = database.run("SELECT username, messages FROM quota2", "d").splitlines()
    return {row.split("\t")[0]: int(row.split("\t")[1]) for row in rows}


def _mirrored(database: mariadb.MariaDb, messages: int, *users: str) -> Callable[[], bool]:
    return lambda: all(_used(database).get(user) == messages for user in users)


def _work(server: PeopledServer, seconds: float, at_least: int = 5) -> int:
    """Mail to both users, and logins of both, for so long; the number of messages each got."""
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end or sent < at_least:
        server.send(f"round {sent}", 0, 1)
        sent += 1
        for user in (0, 1):
            server.imap(user).logout()
        with server.smtp("submission") as client:
            client.login(server.users[0], PASSWORD)
        time.sleep(0.1)
    return sent


def _in_order(server: PeopledServer, database: mariadb.MariaDb, messages: int) -> None:
    until(_mirrored(database, messages, *server.users), WITHIN_S)
    for user in (0, 1):
        assert len(server.subjects(user)) == messages
    assert server.faults() == []
    server.check_store()


def _reasons(server: PeopledServer) -> list[str]:
    return [one["reason"] for one in server.events("database")]


def _remedies(server: PeopledServer) -> str:
    return " ".join(one["remedy"] for one in server.events("database"))


def _connections(database: mariadb.MariaDb) -> int:
    asked = f"SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{USER}'"
    return int(database.run(asked))


def test_a_read_only_server_takes_no_mail_away(
    server: PeopledServer, database: mariadb.MariaDb
) -> None:
    server.send("before", 0, 1)
    until(_mirrored(database, 1, *server.users), WITHIN_S)
    database.run("SET GLOBAL read_only = 1")
    try:
        sent = 1 + _work(server, 3)
        assert set(_used(database).values()) == {1}
        until(lambda: "read_only" in _remedies(server), WITHIN_S)
    finally:
        database.run("SET GLOBAL read_only = 0")
    _in_order(server, database, sent)
    # Told once, not with each attempt to write.
    assert len(_reasons(server)) <= 2, _reasons(server)


def test_a_lock_for_a_backup_keeps_nobody_from_logging_in(
    server: PeopledServer, database: mariadb.MariaDb
) -> None:
    server.send("before", 0, 1)
    until(_mirrored(database, 1, *server.users), WITHIN_S)
    with session(database, "FLUSH TABLES WITH READ LOCK"):
        sent = 1 + _work(server, 8)
        # Attempts to write are given up at the server, too, and do not pile up there.
        assert _connections(database) <= 5
        assert set(_used(database).values()) == {1}
    _in_order(server, database, sent)
    assert not any("does not answer" in reason for reason in _reasons(server))


def test_rows_that_others_hold_locked(server: PeopledServer, database: mariadb.MariaDb) -> None:
    server.send("before", 0, 1)
    until(_mirrored(database, 1, *server.users), WITHIN_S)
    mine = f"START TRANSACTION; SELECT * FROM quota2 WHERE username = '{server.users[0]}'"
    with session(database, f"{mine} FOR UPDATE"):
        sent = 1 + _work(server, 6)
        assert _used(database)[server.users[0]] == 1
    _in_order(server, database, sent)
    assert not any("does not answer" in reason for reason in _reasons(server))


def test_a_deadlock_is_tried_again(server: PeopledServer, database: mariadb.MariaDb) -> None:
    server.send("before", 0, 1)
    until(_mirrored(database, 1, *server.users), WITHIN_S)
    before = _deadlocks(database)
    server.change("directory", query_timeout_s=20)
    first, last = server.users
    # The other one has changed more, so that ours is the one to be rolled back.
    weight = ",".join(f"('x{number}@{DOMAIN}', 1, 1)" for number in range(200))
    begin = f"START TRANSACTION; INSERT INTO quota2 VALUES {weight};"
    lock = "SELECT * FROM quota2 WHERE username = '{}' FOR UPDATE"
    with session(database, begin + lock.format(last)) as other:
        server.send("now", 0, 1)
        until(lambda: _waiting(database), WITHIN_S, step_s=_ASK_AGAIN_S)
        other.run(lock.format(first))
        until(lambda: _deadlocks(database) > before, WITHIN_S)
        other.run("ROLLBACK")
    _in_order(server, database, 2)


def _waiting(database: mariadb.MariaDb) -> bool:
    asked = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    return database.run(asked).strip() != "0"


def _deadlocks(database: mariadb.MariaDb) -> int:
    return int(database.run("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").split()[1])


@contextlib.contextmanager
def _no_connection_left(database: mariadb.MariaDb, *, kill: bool) -> Iterator[None]:
    """Others take every connection there is; ``kill``: those of the mail server, too."""
    before = database.run("SELECT @@global.max_connections").strip()
    taken: list[Session] = []
    try:
        database.run("SET GLOBAL max_connections = 10")
        _fill(database, taken)
        while kill and _connections(database):
            database.run(f"KILL USER {USER}@localhost")
            until(lambda: not _connections(database), WITHIN_S)
            _fill(database, taken)
        yield
    finally:
        for one in taken:
            one.close()
        database.run(f"SET GLOBAL max_connections = {before}")


def _fill(database: mariadb.MariaDb, taken: list[Session]) -> None:
    for _ in range(20):
        taken.append(Session(database, OTHER))
        if "Too many connections" in taken[-1].answer("SELECT 1"):
            return
    raise AssertionError("there is always room for one more")


def _login(server: PeopledServer, user: int = 0) -> str:
    """What a client is told."""
    with imaplib.IMAP4("127.0.0.1", server.ports["imap"], timeout=120) as client:
        try:
            client.login(server.users[user], PASSWORD)
        except imaplib.IMAP4.error as error:
            return str(error)
    return "OK"


def _at_once(act: Callable[[], str], number: int) -> list[str]:
    """What each of so many is told, all at the same time."""
    told: list[str] = []
    threads = [
        threading.Thread(target=lambda: told.append(act()), daemon=True) for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    assert len(told) == number
    return told


def test_too_many_connections_of_others(server: PeopledServer, database: mariadb.MariaDb) -> None:
    server.send("before", 0, 1)
    assert _login(server) == "OK"
    with _no_connection_left(database, kill=False):
        # It has one or more, and makes do with them.
        assert set(_at_once(lambda: _login(server), 20)) == {"OK"}
        server.send("meanwhile", 0, 1)
    _in_order(server, database, 2)


def test_not_one_connection_is_to_be_had(server: PeopledServer, database: mariadb.MariaDb) -> None:
    server.send("before", 0)
    until(_mirrored(database, 1, server.users[0]), WITHIN_S)
    assert _login(server) == "OK"
    with _no_connection_left(database, kill=True):
        server.send("meanwhile", 0)
        assert _login(server) == "OK"  # known by what the database said before
        assert "[UNAVAILABLE]" in _login(server, 1)
        with server.smtp() as client, pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
            client.sendmail("x@elsewhere.test", f"nobody@{DOMAIN}", "Subject: x\r\n\r\n")
        ((code, text),) = caught.value.recipients.values()
        assert (code, text[:5]) == (451, b"4.4.3")
        until(lambda: "max_connections" in _remedies(server), WITHIN_S)
    until(lambda: _login(server, 1) == "OK", WITHIN_S)
    server.send("after", 1)
    until(lambda: _used(database) == {server.users[0]: 2, server.users[1]: 1}, WITHIN_S)
    assert server.faults() == []


def test_connections_that_died_while_idle(server: PeopledServer, database: mariadb.MariaDb) -> None:
    database.run("SET GLOBAL wait_timeout = 1; KILL USER mail@localhost")
    try:
        for _ in range(3):
            assert set(_at_once(lambda: _login(server), 6)) == {"OK"}
            until(lambda: _connections(database) == 0, WITHIN_S)  # ended by the server
        # Ended under the hands of one who asks, as by a person or a proxy.
        stop = threading.Event()
        killer = threading.Thread(target=_kill_until, args=(database, stop), daemon=True)
        killer.start()
        try:
            told = [_login(server, number % 2) for number in range(30)]
        finally:
            stop.set()
            killer.join(60)
        assert told.count("OK") >= 25, told
    finally:
        database.run("SET GLOBAL wait_timeout = 28800")
    assert server.faults() == []


def _kill_until(database: mariadb.MariaDb, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        database.run("KILL USER mail@localhost")


def test_a_server_that_was_restarted(tmp_path: Path) -> None:
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    with own_mariadb() as database:
        server = _server(tmp_path, database)
        server.start()
        try:
            server.send("before", 0, 1)
            assert set(_at_once(lambda: _login(server), 6)) == {"OK"}  # some connections
            database.kill()
            database.start()
            # At once, unless somebody asked while it was away.
            until(lambda: _login(server, 1) == "OK", WITHIN_S)
            assert set(_at_once(lambda: _login(server, 1), 6)) == {"OK"}
            server.send("after", 0, 1)
            _in_order(server, database, 2)
        finally:
            server.stop()


@contextlib.contextmanager
def _unless_late(asked: float) -> Iterator[None]:
    """On a machine that is slow enough, answers are too old already."""
    try:
        yield
    except (AssertionError, smtplib.SMTPRecipientsRefused):
        if time.monotonic() - asked < STALE_S:
            raise


def test_an_outage_longer_than_answers_are_kept(tmp_path: Path) -> None:
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    with own_mariadb() as database:
        server = _server(tmp_path, database, stale_s=STALE_S)
        server.start()
        try:
            asked = time.monotonic()
            server.send("before", 0)
            assert _login(server) == "OK"
            database.kill()
            subjects = ["before"]
            with _unless_late(asked):
                server.send("meanwhile", 0)
                subjects.append("meanwhile")
                assert _login(server) == "OK"
            until(lambda: "[UNAVAILABLE]" in _login(server), WITHIN_S)
            with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
                server.send("too late", 0)
            assert [code for code, _ in caught.value.recipients.values()] == [451]
            database.start()
            until(lambda: _login(server) == "OK", WITHIN_S)
            server.send("after", 0)
            subjects.append("after")
            until(_mirrored(database, len(subjects), server.users[0]), WITHIN_S)
            assert server.subjects(0) == subjects
            assert server.faults() == []
        finally:
            server.stop()


@pytest.fixture
def slow(database: mariadb.MariaDb) -> Iterator[SlowLine]:
    line = SlowLine(database.socket)
    try:
        yield line
    finally:
        line.close()


def test_fifty_logins_at_once_at_a_slow_server(
    tmp_path: Path, database: mariadb.MariaDb, slow: SlowLine
) -> None:
    # A question takes longer than the time for a connection, and all of them much longer.
    server = _server(
        tmp_path, database, urls=[url(database, slow.path)], query_timeout_s=20,
        connect_timeout_s=3, queue_timeout_s=100,
    )  # fmt: skip
    server.start()
    try:
        assert _login(server) == "OK"
        slow.delay_s = 0.2
        told = _at_once(lambda: _login(server), 50)
        assert set(told) == {"OK"}, told
        slow.delay_s = 0.0
        server.change("directory", queue_timeout_s=1)
        assert _login(server) == "OK"
        slow.delay_s = 0.5  # so the first is not yet known when the others have waited too long
        told = _at_once(lambda: _login(server, 1), 50)
        assert any("[UNAVAILABLE]" in one for one in told)  # whoever would wait too long
        slow.delay_s = 0.0
        assert _login(server, 1) == "OK"
        assert not any("does not answer" in reason for reason in _reasons(server))
        assert server.faults() == []
    finally:
        slow.delay_s = 0.0
        server.stop()


def test_a_table_that_is_locked_holds_up_its_own_questions_only(
    server: PeopledServer, database: mariadb.MariaDb
) -> None:
    server.send("before", 0, 1)
    assert _login(server) == "OK"
    with session(database, "LOCK TABLES mailbox WRITE"):
        told = _at_once(lambda: _login(server), 10)  # from what was known
        assert set(told) == {"OK"}
        assert "[UNAVAILABLE]" in _login(server, 1)
        server.send("meanwhile", 0, 1)
    assert _login(server, 1) == "OK"
    _in_order(server, database, 2)
    assert not any("does not answer" in reason for reason in _reasons(server))
