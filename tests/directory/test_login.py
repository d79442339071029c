"""Logins as Dovecot and PostfixAdmin judge them, on SQLite and MariaDB, also while that is gone."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from mailnode.directory import DomainKind, LoginFailure, Mailbox, Service
from mailnode.directory import login as login_module
from mailnode.directory.build import LiveDirectory, open_database, open_directory
from mailnode.directory.passwords import Match, check
from mailnode.model.address import Address
from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.model.scram import SCRAM_HASHES, derive_keys
from mailnode.runtime import cores
from mailnode.runtime.maillog import Event, ListLog, NullLog
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.sql import Database
from mailnode.runtime.tasks import Pool
from tests.directory.seed import Seed
from tests.support.hand_clock import HandClock
from tests.support.mariadb import MariaDb

IMAP, SMTP = Service.IMAP, Service.SMTP


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(4, "test")
    yield pool
    pool.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def chosen(url: str, **more: object) -> DirectorySettings:
    quick = {"connect_timeout_s": 1, "query_timeout_s": 2, "usage_write_s": 0.01}
    return DirectorySettings.model_validate({"urls": [url], **quick, **more})


@pytest.fixture
async def live(url: str, pool: Pool, clock: HandClock) -> AsyncIterator[LiveDirectory]:
    opened = await open_directory(settings=chosen(url), pool=pool, clock=clock, log=NullLog())
    yield opened
    await opened.close()


@pytest.fixture
async def database(live: LiveDirectory, url: str) -> AsyncIterator[Database]:
    opened = open_database(chosen(url), NullLog())
    yield opened
    await opened.close()


async def test_a_hash_is_computed_on_whichever_core_is_free(
    live: LiveDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    moves: list[set[int]] = []
    monkeypatch.setattr(cores, "_home", frozenset({1}))
    monkeypatch.setattr(cores, "_away", frozenset({0, 1}))
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, where: moves.append(set(where)))
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "192.0.2.1"), Mailbox)
    assert moves[:2] == [{0, 1}, {1}]


async def test_switches(live: LiveDirectory, database: Database) -> None:
    seed = (
        Seed().domain("a.test").domain("off.test", active=0).domain("old.test", password_expiry=9)
    )
    seed.mailbox("u@a.test").mailbox("off@a.test", active=0).mailbox("nosmtp@a.test", smtp_active=0)
    seed.mailbox("u@off.test").mailbox("u@old.test").mailbox("weird@a.test", "{NOPE}pw")
    seed.mailbox("fresh@old.test", password_expiry=datetime(2100, 1, 1))
    await seed.write(database)

    async def answer(user: str, password: str = "pw", service: Service = IMAP) -> object:
        found = await live.login(user, password, service, "192.0.2.1")
        return found.user if isinstance(found, Mailbox) else found

    assert await answer("u@a.test") == "u@a.test"
    assert await answer(" U@A.Test ") == "u@a.test"
    assert await answer("u@a.test", "pw ") is LoginFailure.PASSWORD
    assert await answer("u@a.test", "") is LoginFailure.PASSWORD
    assert await answer("u@a.test", "x" * 5000) is LoginFailure.PASSWORD
    assert await answer("nobody@a.test") is LoginFailure.UNKNOWN
    assert await answer("ü@a.test") is LoginFailure.UNKNOWN
    assert await answer("' OR ''='@a.test") is LoginFailure.UNKNOWN
    assert await answer("u") is LoginFailure.UNKNOWN
    assert await answer("") is LoginFailure.UNKNOWN
    assert await answer("off@a.test") is LoginFailure.INACTIVE
    assert await answer("u@off.test") is LoginFailure.INACTIVE
    assert await answer("u@old.test") is LoginFailure.EXPIRED
    assert await answer("fresh@old.test") == "fresh@old.test"
    assert await answer("nosmtp@a.test") == "nosmtp@a.test"
    assert await answer("nosmtp@a.test", service=SMTP) is LoginFailure.SMTP_OFF
    assert await answer("nosmtp@a.test", "no", service=SMTP) is LoginFailure.PASSWORD
    assert await answer("weird@a.test") is LoginFailure.WEAK


async def test_second_factor_and_app_passwords(live: LiveDirectory, database: Database) -> None:
    seed = Seed().domain("a.test").mailbox("u@a.test", totp_secret="S").mailbox("v@a.test")
    seed.app_password("u@a.test", "{PLAIN}app1").app_password("u@a.test", "{PLAIN}app2")
    seed.app_password("v@a.test", "{PLAIN}app3").app_password("v@a.test", "{NOPE}")
    seed.totp_exception("192.0.2.7", "u@a.test").totp_exception("10.0.0.0/8", None)
    await seed.write(database)

    async def answer(user: str, password: str, peer: str = "198.51.100.1") -> object:
        found = await live.login(user, password, IMAP, peer)
        return found.user if isinstance(found, Mailbox) else found

    assert await answer("u@a.test", "pw") is LoginFailure.TOTP
    assert await answer("u@a.test", "pw", "192.0.2.7") == "u@a.test"
    assert await answer("u@a.test", "pw", "::ffff:192.0.2.7") == "u@a.test"
    assert await answer("u@a.test", "pw", "10.1.2.3") == "u@a.test"
    assert await answer("u@a.test", "pw", "192.0.2.8") is LoginFailure.TOTP
    assert await answer("u@a.test", "pw", "not an address") is LoginFailure.TOTP
    assert await answer("u@a.test", "app2") == "u@a.test"
    assert await answer("v@a.test", "pw") == "v@a.test"
    assert await answer("v@a.test", "app3") == "v@a.test"
    assert await answer("v@a.test", "app1") is LoginFailure.PASSWORD


async def test_a_right_password_is_hashed_once(
    live: LiveDirectory, database: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    hashed: list[str] = []

    def counting(stored: str, password: str, user: str, rules: object) -> object:
        hashed.append(password)
        return check(stored, password, user, rules)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(login_module, "check", counting)
    for _ in range(3):
        assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    assert await live.login("u@a.test", "no", IMAP, "::1") is LoginFailure.PASSWORD
    assert hashed == ["pw", "no"]
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET password='{PLAIN}new'")))
    clock.advance(11)
    assert await live.login("u@a.test", "pw", IMAP, "::1") is LoginFailure.PASSWORD
    assert isinstance(await live.login("u@a.test", "new", IMAP, "::1"), Mailbox)
    clock.advance(301)
    await live.login("u@a.test", "new", IMAP, "::1")
    assert hashed == ["pw", "no", "pw", "new", "new"]


async def test_connections_that_come_at_once_have_one_hash(
    live: LiveDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the first of them leaves before it is made; a wrong password is no different."""
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    hashed, come = list[str](), list[tuple[str, asyncio.Task[object] | None]]()
    go_on = threading.Event()
    hash_or_wait = login_module.Logins._hashed

    async def coming(
        self: login_module.Logins, stored: str, password: str, user: str
    ) -> tuple[Match, bool]:
        come.append((password, asyncio.current_task()))
        return await hash_or_wait(self, stored, password, user)

    def slow(stored: str, password: str, user: str, rules: object) -> object:
        hashed.append(password)
        assert go_on.wait(60)
        return check(stored, password, user, rules)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(login_module, "check", slow)
    monkeypatch.setattr(login_module.Logins, "_hashed", coming)
    logins = [
        asyncio.create_task(live.login("u@a.test", password, IMAP, "::1"))
        for password in ("pw", "no")
        for _ in range(5)
    ]
    while len(come) < len(logins):
        await asyncio.sleep(0.01)
    first = next(task for password, task in come if password == "pw")
    assert first is not None
    first.cancel()
    go_on.set()
    answers = await asyncio.gather(*logins, return_exceptions=True)
    assert sum(isinstance(answer, Mailbox) for answer in answers[:5]) == 4
    assert first.cancelled()
    assert answers[5:] == [LoginFailure.PASSWORD] * 5
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    assert sorted(hashed) == ["no", "pw"]


async def test_hashing_that_fails_when_all_have_gone_is_no_complaint_of_the_loop(
    live: LiveDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    begun, go_on = threading.Event(), threading.Event()
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    def failing(*_: object) -> Match:
        begun.set()
        assert go_on.wait(60)
        raise MemoryError

    monkeypatch.setattr(login_module, "check", failing)
    login = asyncio.create_task(live.login("u@a.test", "pw", IMAP, "::1"))
    await asyncio.to_thread(begun.wait, 60)
    login.cancel()
    with pytest.raises(asyncio.CancelledError):
        await login
    running = live._logins._running
    assert len(running) == 1
    go_on.set()
    while running:
        await asyncio.sleep(0.01)
    gc.collect()
    assert complaints == []


async def test_who_was_just_let_in_is_let_in_again(
    live: LiveDirectory, database: Database, clock: HandClock
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test", smtp_active=0).write(database)

    async def let_in(password: str, service: Service = IMAP) -> bool:
        return isinstance(await live.login("u@a.test", password, service, "::1"), Mailbox)

    assert await let_in("pw")
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET active=0")))
    assert await let_in("pw"), "within login_cache_s the database is not asked"
    assert await live.login("u@a.test", "pw", Service.SMTP, "::1") is LoginFailure.INACTIVE
    assert not await let_in("pw"), "what the database said then counts for everything"
    await database.write(
        lambda c: c.execute(text("UPDATE mailbox SET active=1, password='{PLAIN}a'"))
    )
    assert await let_in("a")
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET password='{PLAIN}b'")))
    assert await let_in("b"), "another password is judged by what the database says now"
    assert not await let_in("a")
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET password='{PLAIN}c'")))
    clock.advance(11)
    assert not await let_in("b")


async def test_a_refusal_ends_what_was_remembered(live: LiveDirectory, database: Database) -> None:
    """A proof of the password (SCRAM) hears what the database says; a password hears it then."""
    await Seed().domain("a.test").mailbox("u@a.test").mailbox("v@a.test").write(database)
    for user in ("u@a.test", "v@a.test"):
        assert isinstance(await live.login(user, "pw", IMAP, "::1"), Mailbox)
    change = text("UPDATE mailbox SET active=0 WHERE username='u@a.test'")
    await database.write(lambda c: c.execute(change))
    assert await live.admit("u@a.test", IMAP, "::1") is LoginFailure.INACTIVE
    assert await live.login("u@a.test", "pw", IMAP, "::1") is LoginFailure.INACTIVE
    gone = text("DELETE FROM mailbox WHERE username='v@a.test'")
    await database.write(lambda c: c.execute(gone))
    assert await live.admit("v@a.test", IMAP, "::1", by_password=False) is LoginFailure.UNKNOWN
    assert await live.login("v@a.test", "pw", IMAP, "::1") is LoginFailure.UNKNOWN


async def test_a_reload_asks_anew(
    live: LiveDirectory, database: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET active=0")))
    clock.advance(1)
    live.forget()
    assert await live.login("u@a.test", "pw", IMAP, "::1") is LoginFailure.INACTIVE
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET active=1")))
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    live.forget()

    async def gone(key: str) -> None:
        raise DirectoryGone("no database")

    monkeypatch.setattr(live._logins._inner, "credentials", gone)
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox), "stale_s goes on"


async def test_what_was_asked_before_a_reload_counts_as_old(
    live: LiveDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    ask = live._logins._inner.credentials

    async def reloaded_meanwhile(key: str) -> object:
        found = await ask(key)
        live.forget()
        return found

    monkeypatch.setattr(live._logins._inner, "credentials", reloaded_meanwhile)
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    monkeypatch.undo()
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET active=0")))
    assert await live.login("u@a.test", "pw", IMAP, "::1") is LoginFailure.INACTIVE


async def test_without_a_login_cache_a_change_counts_at_once(
    url: str, pool: Pool, clock: HandClock
) -> None:
    settings = chosen(url, login_cache_s=0)
    live = await open_directory(settings=settings, pool=pool, clock=clock, log=NullLog())
    database = open_database(settings, NullLog())
    try:
        await Seed().domain("a.test").mailbox("u@a.test").write(database)
        assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
        await database.write(lambda c: c.execute(text("UPDATE mailbox SET password='{PLAIN}b'")))
        assert await live.login("u@a.test", "pw", IMAP, "::1") is LoginFailure.PASSWORD
        assert isinstance(await live.login("u@a.test", "b", IMAP, "::1"), Mailbox)
    finally:
        await database.close()
        await live.close()


async def test_rehash_by_option(url: str, pool: Pool, clock: HandClock) -> None:
    settings = chosen(url, rehash_at_login=True)
    live = await open_directory(settings=settings, pool=pool, clock=clock, log=NullLog())
    database = open_database(settings, NullLog())
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    stored = await database.read(lambda c: c.scalar(text("SELECT password FROM mailbox")))
    assert stored.startswith("{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$")
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    assert await live.login("u@a.test", "no", IMAP, "::1") is LoginFailure.PASSWORD
    await database.close()
    await live.close()


async def test_use_and_last_login_are_written(live: LiveDirectory, database: Database) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    await live.login("u@a.test", "pw", IMAP, "192.0.2.9")
    for size in range(50):
        await live.record_use("u@a.test", size, 1)
    await live.close()
    used = await database.read(lambda c: c.scalar(text("SELECT bytes FROM quota2")))
    seen = await database.read(lambda c: c.scalar(text("SELECT peer FROM mailnode_last_login")))
    assert (used, seen) == (49, "192.0.2.9")


async def test_scram_keys_are_made_beside_a_password(
    live: LiveDirectory, database: Database
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").mailbox("v@a.test").write(database)
    decoy = await live.scram_keys("u@a.test", "SCRAM-SHA-256")
    assert (await live.scram_keys("u@a.test", "SCRAM-SHA-256")).salt == decoy.salt
    assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
    for name, algorithm in SCRAM_HASHES.items():
        keys = await live.scram_keys(" U@A.test", name)
        assert keys == derive_keys("pw", keys.salt, keys.iterations, algorithm)
    # A changed password ends them.
    change = text("UPDATE mailbox SET password = '{SHA}x' WHERE username = 'u@a.test'")
    await database.write(lambda c: c.execute(change))
    assert (await live.scram_keys("u@a.test", "SCRAM-SHA-256")).salt == decoy.salt


async def test_a_password_beyond_ascii_is_right_in_either_form(
    live: LiveDirectory, database: Database
) -> None:
    """RFC 5802 2.2, 4013: keys are of the prepared password, whatever the login that made them
    spelt; hashes that were made of another form stay good."""
    composed, decomposed = "gr\u00fc\u00df dich", "gru\u0308\u00df dich"
    seed = Seed().domain("a.test").mailbox("u@a.test", "{PLAIN.HEX}" + composed.encode().hex())
    seed.mailbox("v@a.test", "{PLAIN.HEX}" + decomposed.encode().hex())
    await seed.write(database)
    for user in ("u@a.test", "v@a.test"):
        assert await live.login(user, "gru\u00df dich", IMAP, "::1") is LoginFailure.PASSWORD
        for typed in (decomposed, composed):
            assert isinstance(await live.login(user, typed, IMAP, "::1"), Mailbox)
        for name, algorithm in SCRAM_HASHES.items():
            keys = await live.scram_keys(user, name)
            assert keys == derive_keys(composed, keys.salt, keys.iterations, algorithm)


async def test_scram_keys_of_a_row_that_holds_them(live: LiveDirectory, database: Database) -> None:
    keys = derive_keys("pw", b"salt", 4096, "sha256")
    stored = "{SCRAM-SHA-256}" + keys.text()
    await Seed().domain("a.test").mailbox("u@a.test", stored).write(database)
    assert await live.scram_keys("u@a.test", "SCRAM-SHA-256") == keys
    assert (await live.scram_keys("u@a.test", "SCRAM-SHA-1")).salt != b"salt"


async def test_who_has_proved_to_know_the_password_is_judged_all_the_same(
    live: LiveDirectory, database: Database
) -> None:
    seed = Seed().domain("a.test").mailbox("u@a.test", smtp_active=0)
    seed.mailbox("off@a.test", active=0).mailbox("two@a.test", totp_secret="x")
    await seed.write(database)
    assert isinstance(await live.admit("u@a.test", IMAP, "::1"), Mailbox)
    assert await live.admit("u@a.test", SMTP, "::1") is LoginFailure.SMTP_OFF
    assert await live.admit("off@a.test", IMAP, "::1") is LoginFailure.INACTIVE
    assert await live.admit("two@a.test", IMAP, "::1") is LoginFailure.TOTP
    assert await live.admit("none@a.test", IMAP, "::1") is LoginFailure.UNKNOWN


async def test_who_needs_no_password_is_not_judged_by_it(
    live: LiveDirectory, database: Database
) -> None:
    seed = Seed().domain("a.test").mailbox("two@a.test", totp_secret="x", smtp_active=0)
    await seed.mailbox("off@a.test", active=0).write(database)

    async def admit(user: str, service: Service = IMAP) -> Mailbox | LoginFailure:
        return await live.admit(user, service, "::1", by_password=False)

    assert isinstance(await admit("two@a.test"), Mailbox)
    assert await admit("two@a.test", SMTP) is LoginFailure.SMTP_OFF
    assert await admit("off@a.test") is LoginFailure.INACTIVE
    assert await admit("none@a.test") is LoginFailure.UNKNOWN
    assert await admit("@") is LoginFailure.UNKNOWN


async def test_too_many_logins_are_told_to_wait(
    live: LiveDirectory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    monkeypatch.setattr(login_module, "_WAITING_PER_SLOT", 0)
    with pytest.raises(DirectoryGone) as caught:
        await live.login("u@a.test", "pw", IMAP, "::1")
    assert caught.value.public == "server is busy, try later"


@pytest.mark.fault
@pytest.mark.mariadb
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_known_users_go_on_without_a_database(
    tmp_path: Path, pool: Pool, clock: HandClock, how: str
) -> None:
    server = MariaDb(tmp_path)
    server.install()
    server.start()
    server.run("CREATE DATABASE d")
    settings = chosen(server.url("d"), connect_timeout_s=1, query_timeout_s=1)
    live = await open_directory(settings=settings, pool=pool, clock=clock, log=NullLog())
    database = open_database(settings, NullLog())
    seed = (
        Seed()
        .domain("a.test")
        .mailbox("u@a.test")
        .mailbox("v@a.test")
        .alias("x@a.test", "u@a.test")
    )
    await seed.write(database)
    await database.close()
    try:
        await live.login("u@a.test", "pw", IMAP, "::1")
        assert await live.domain("a.test") is DomainKind.LOCAL
        assert await live.alias("x@a.test") == ("u@a.test",)
        assert await live.alias("u@a.test") is None
        assert await live.mailbox(Address("u", "a.test")) is not None
        assert await live.mailbox(Address("nobody", "a.test")) is None
        server.kill() if how == "killed" else server.freeze()
        clock.advance(1800)
        assert await live.domain("a.test") is DomainKind.LOCAL
        assert await live.alias("x@a.test") == ("u@a.test",)
        assert await live.alias("u@a.test") is None
        assert await live.mailbox(Address("u", "a.test")) is not None
        assert isinstance(await live.login("u@a.test", "pw", IMAP, "::1"), Mailbox)
        assert isinstance(await live.admit("u@a.test", IMAP, "::1", by_password=False), Mailbox)
        for unknown in (
            live.admit("u@a.test", IMAP, "::1"),
            live.admit("v@a.test", IMAP, "::1", by_password=False),
            live.mailbox(Address("nobody", "a.test")),
            live.mailbox(Address("other", "a.test")),
            live.domain("other.test"),
            live.login("u@a.test", "no", IMAP, "::1"),
            live.login("v@a.test", "pw", IMAP, "::1"),
        ):
            with pytest.raises(DirectoryGone):
                await unknown
        clock.advance(2000)
        with pytest.raises(DirectoryGone):
            await live.login("u@a.test", "pw", IMAP, "::1")
    finally:
        server.thaw() if how == "frozen" else None
        await live.close()
        server.kill()


@pytest.mark.fault
@pytest.mark.mariadb
async def test_starting_before_the_database(
    tmp_path: Path, pool: Pool, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailnode.directory.build._TRY_AGAIN_S", 0.05)
    server = MariaDb(tmp_path)
    server.install()
    log = ListLog()
    settings = chosen(server.url("d"), connect_timeout_s=1)
    live = await open_directory(settings=settings, pool=pool, clock=clock, log=log)
    try:
        assert log.events[-1][0] is Event.DATABASE
        with pytest.raises(DirectoryGone):
            await live.domain("a.test")
        server.start()
        server.run("CREATE DATABASE d")
        assert live._preparing is not None
        await live._preparing
        assert "mailbox" in server.run("SHOW TABLES", "d")
    finally:
        await live.close()
        server.kill()


async def test_a_wrong_database_is_told(tmp_path: Path, pool: Pool, clock: HandClock) -> None:
    settings = chosen(f"sqlite:///{tmp_path}/d", create_schema=False)
    with pytest.raises(BadSettings, match="create_schema"):
        await open_directory(settings=settings, pool=pool, clock=clock, log=NullLog())
