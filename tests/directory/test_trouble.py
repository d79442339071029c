"""Databases of old, databases in bits and pieces, replicas that are behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mailnode.directory import DomainKind, Mailbox, Service
from mailnode.directory.build import LiveDirectory, prepare_database
from mailnode.directory.migrate import prepare
from mailnode.directory.mirror import Mirror
from mailnode.directory.registry import open_registry
from mailnode.directory.sql import SqlDirectory
from mailnode.model.address import Address
from mailnode.model.errors import BadSettings, DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.sql import Database, Limits
from mailnode.runtime.tasks import Pool
from tests.directory.seed import Seed
from tests.support.mariadb import MariaDb

LIMITS = Limits(connect_timeout_s=20, query_timeout_s=30)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database([url], log=NullLog(), limits=LIMITS)
    yield opened
    await opened.close()


async def run(database: Database, *statements: str) -> None:
    for one in statements:
        await database.write(lambda c, one=one: c.execute(text(one)))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TABLE alias_domain", r"lacks alias_domain: .*setup\.php"),
        ("ALTER TABLE alias DROP COLUMN goto", r"lacks alias\.goto: .*setup\.php"),
        ("ALTER TABLE domain DROP COLUMN backupmx", r"lacks domain\.backupmx: .*setup\.php"),
        ("ALTER TABLE mailbox DROP COLUMN quota", r"lacks mailbox\.quota: .*setup\.php"),
    ],
)
async def test_what_is_missing_in_an_old_database_is_named(
    database: Database, change: str, said: str
) -> None:
    await prepare(database, prefix="", create=True)
    await run(database, "DROP TABLE mailnode_schema_version", change)
    with pytest.raises(BadSettings, match=said):
        await prepare(database, prefix="", create=True)


async def test_what_came_later_may_be_missing(database: Database) -> None:
    await prepare(database, prefix="", create=True)
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    drop = [
        ("mailbox", "smtp_active"), ("mailbox", "totp_secret"), ("mailbox", "password_expiry"),
        ("domain", "password_expiry"),
    ]  # fmt: skip
    await run(
        database,
        *(f"ALTER TABLE {table} DROP COLUMN {column}" for table, column in drop),
        *(f"DROP TABLE {table}" for table in ("quota2", "quota", "mailbox_app_password")),
        "DROP TABLE totp_exception_address",
        "DROP TABLE mailnode_schema_version",
    )
    await prepare(database, prefix="", create=True)
    directory = SqlDirectory(database, prefix="", clock=SystemClock())
    found = await directory.credentials("u@a.test")
    assert found is not None
    assert (found.active, found.expired, found.totp, found.mailbox.smtp_active) == (
        True, False, False, True,
    )  # fmt: skip
    await directory.write_usage({"u@a.test": (1, 1)})


# As tables come to be that PostfixAdmin has altered since its first versions, on servers that
# changed their defaults meanwhile, or that were restored under another one.
ODDITIES = [
    {"domain": "latin1 COLLATE latin1_swedish_ci", "mailbox": "latin1 COLLATE latin1_general_ci"},
    {"domain": "utf8mb3 COLLATE utf8mb3_unicode_ci", "alias": "latin1 COLLATE latin1_german1_ci"},
    {
        "domain": "utf8mb4 COLLATE utf8mb4_unicode_ci",
        "mailbox": "utf8mb4 COLLATE utf8mb4_general_ci",
        "alias": "utf8mb4 COLLATE utf8mb4_unicode_520_ci",
        "quota2": "utf8mb4 COLLATE utf8mb4_bin",
    },
    {"mailbox": "utf8mb3 COLLATE utf8mb3_bin", "alias": "utf8mb3 COLLATE utf8mb3_general_ci"},
]


@pytest.mark.mariadb
@pytest.mark.parametrize("tables", ODDITIES)
async def test_tables_of_different_collations(
    mysql_url: str, tables: dict[str, str], pool: Pool
) -> None:
    settings = DirectorySettings(urls=(mysql_url,), connect_timeout_s=20, query_timeout_s=30)
    await prepare_database(settings, NullLog())
    database = Database([mysql_url], log=NullLog(), limits=LIMITS)
    live = LiveDirectory(database, settings=settings, pool=pool, clock=SystemClock(), log=NullLog())
    try:
        await run(database, "DROP TABLE dkim_signing", "DROP TABLE dkim")  # they came late
        for table, charset in tables.items():
            await run(database, f"ALTER TABLE {table} CONVERT TO CHARACTER SET {charset}")
        async with open_registry(settings) as registry:
            await registry.add_domain("a.test", aliases_to="u@a.test")
            await registry.add_domain("b.test")
            await registry.add_alias_domain("b.test", "a.test")
            await registry.add_mailbox("u@a.test", "{PLAIN}pw", name="Jürgen")
            await registry.add_alias("info@a.test", ["u@a.test"])
        assert await live.domain("a.test") is DomainKind.LOCAL
        assert await live.domain("b.test") is DomainKind.ALIAS
        assert await live.alias("INFO@a.test") == ("u@a.test",)
        assert await live.alias("info@b.test") == ("u@a.test",)
        found = await live.mailbox(Address("u", "b.test"))
        assert found is not None
        assert isinstance(await live.login("U@a.test", "pw", Service.IMAP, "192.0.2.1"), Mailbox)
        await live.record_use("u@a.test", 10, 1)
    finally:
        await live.close()
    async with open_registry(settings) as registry:
        (row,) = await registry.mailboxes()
        assert (row.used_bytes, row.messages) == (10, 1)
        rows = {row.address: row for row in await registry.aliases(with_mailboxes=True)}
        assert rows["u@a.test"].mailbox
        assert not rows["info@a.test"].mailbox
        await registry.delete_domain("b.test")
        await registry.delete_domain("a.test", with_content=True)
        assert list(await registry.mailboxes()) == []


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(2, "test")
    yield pool
    pool.close()


@pytest.mark.mariadb
async def test_no_of_a_replica_is_not_for_good(mariadb_server: MariaDb, mysql_url: str) -> None:
    name = mysql_url.split("?")[0].rsplit("/", 1)[1]
    mariadb_server.run(
        f"CREATE OR REPLACE USER replica@localhost; GRANT ALL ON {name}.* TO replica@localhost"
    )
    replica = mysql_url.replace("root@", "replica@")
    gone = "mysql://u@localhost/d?unix_socket=/nonexistent"
    database = Database([gone, replica], log=NullLog(), limits=LIMITS)
    alone = Database([replica], log=NullLog(), limits=LIMITS)
    try:
        await prepare(database, prefix="", create=True)
        await Seed().domain("a.test").mailbox("u@a.test").write(database)
        directory = SqlDirectory(database, prefix="", clock=SystemClock())
        mariadb_server.run("SET GLOBAL read_only = 1")
        assert await directory.domain("a.test") is DomainKind.LOCAL
        assert await directory.mailbox(Address("u", "a.test")) is not None
        assert await directory.credentials("u@a.test") is not None
        for question in (
            directory.domain("new.test"),
            directory.mailbox(Address("new", "a.test")),
            directory.credentials("new@a.test"),
        ):
            with pytest.raises(DirectoryGone, match="replica"):
                await question
        # The preferred server is believed, whatever it is.
        preferred = SqlDirectory(alone, prefix="", clock=SystemClock())
        assert await preferred.mailbox(Address("new", "a.test")) is None
        # And so is one that takes writing: it was promoted, or is one of several primaries.
        mariadb_server.run("SET GLOBAL read_only = 0")
        assert await directory.mailbox(Address("new", "a.test")) is None
    finally:
        mariadb_server.run("SET GLOBAL read_only = 0; DROP USER replica@localhost")
        await database.close()
        await alone.close()


class Picky:
    """Takes figures, but not of everybody."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        self.usage: dict[str, tuple[int, int]] = {}
        self.largest = 0

    async def write_usage(self, usage: dict[str, tuple[int, int]]) -> None:
        self.largest = max(self.largest, len(usage))
        if self.refused in usage:
            raise DirectoryGone("locked")
        self.usage |= usage

    async def write_last_logins(self, logins: object) -> None:
        pass


async def test_a_row_that_is_locked_holds_up_few() -> None:
    inner = Picky("user0")
    mirror = Mirror(inner, period_s=3600)  # type: ignore[arg-type]
    for number in range(2000):
        mirror.use(f"user{number}", number, 1)
    for _ in range(2):
        await mirror.flush()
    assert len(inner.usage) == 1500
    assert inner.largest <= 500
    mirror.use("user7", 70, 7)  # newer than what waits
    inner.refused = ""
    await mirror.close()
    assert len(inner.usage) == 2000
    assert inner.usage["user7"] == (70, 7)
    assert inner.usage["user0"] == (0, 1)


@pytest.mark.mariadb
async def test_figures_of_a_long_outage_are_caught_up(mysql_url: str) -> None:
    limits = Limits(connect_timeout_s=20, query_timeout_s=20)
    database = Database([mysql_url], log=NullLog(), limits=limits)
    try:
        await prepare(database, prefix="", create=True)
        mirror = Mirror(SqlDirectory(database, prefix="", clock=SystemClock()), period_s=3600)
        for number in range(5000):
            mirror.use(f"user{number}@a.test", number, 1)
        await mirror.close()
        counted = await database.read(lambda c: c.scalar(text("SELECT COUNT(*) FROM quota2")))
        assert counted == 5000
    finally:
        await database.close()


async def test_a_file_is_no_replica(tmp_path: Path) -> None:
    gone = "mysql://u@localhost/d?unix_socket=/nonexistent"
    database = Database([gone, f"sqlite:///{tmp_path}/d"], log=NullLog(), limits=LIMITS)
    try:
        await prepare(database, prefix="", create=True)
        directory = SqlDirectory(database, prefix="", clock=SystemClock())
        assert await directory.mailbox(Address("new", "a.test")) is None
    finally:
        await database.close()
