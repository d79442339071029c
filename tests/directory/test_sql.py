"""Look-ups as Postfix's and Dovecot's queries give them, on SQLite and MariaDB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from mailnode.directory import DomainKind
from mailnode.directory.goto import parse_goto
from mailnode.directory.migrate import prepare, prepare_own
from mailnode.directory.sql import SqlDirectory
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.sql import Database, Limits
from tests.directory.seed import Seed


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    opened = Database([url], log=NullLog(), limits=Limits(query_timeout_s=30))
    await prepare(opened, prefix="", create=True)
    await prepare_own(opened)
    yield opened
    await opened.close()


@pytest.fixture
def directory(database: Database) -> SqlDirectory:
    return SqlDirectory(database, prefix="", clock=SystemClock())


async def scalar(database: Database, sql: str) -> object:
    found: object = await database.read(lambda c: c.scalar(text(sql)))
    return found


async def test_domains(database: Database, directory: SqlDirectory) -> None:
    seed = Seed().domain("local.test").domain("Upper.Test").domain("off.test", active=0)
    seed.domain("backup.test", backupmx=1).domain("relay.test", transport="relay:[10.0.0.1]")
    seed.domain("smtp.test", transport="smtp:[10.0.0.1]:26").domain("ALL")
    seed.domain("alias.test").alias_domain("alias.test", "local.test")
    seed.domain("sleeping.test").alias_domain("sleeping.test", "local.test", active=0)
    seed.domain("xn--bcher-kva.test").alias_domain("rowless.test", "local.test")
    await seed.write(database)
    expected = {
        "local.test": DomainKind.LOCAL,
        "LOCAL.test.": DomainKind.LOCAL,
        "upper.test": DomainKind.LOCAL,
        "off.test": DomainKind.UNKNOWN,
        "backup.test": DomainKind.BACKUP_MX,
        "relay.test": DomainKind.RELAY,
        "smtp.test": DomainKind.RELAY,
        "alias.test": DomainKind.ALIAS,
        "sleeping.test": DomainKind.LOCAL,
        "rowless.test": DomainKind.UNKNOWN,
        "bücher.test": DomainKind.LOCAL,
        "all": DomainKind.UNKNOWN,
        "": DomainKind.UNKNOWN,
        "x' OR '1'='1": DomainKind.UNKNOWN,
        "a" * 300: DomainKind.UNKNOWN,
        "\u0000": DomainKind.UNKNOWN,
        "日本": DomainKind.UNKNOWN,
        "[192.0.2.1]": DomainKind.UNKNOWN,
    }
    for name, kind in expected.items():
        assert await directory.domain(name) is kind, name


async def test_aliases(database: Database, directory: SqlDirectory) -> None:
    seed = Seed().domain("a.test").domain("b.test").alias_domain("b.test", "a.test")
    seed.alias("info@a.test", "x@a.test,y@b.test").alias("@a.test", "all@a.test")
    seed.alias("off@a.test", "x@a.test", active=0).alias("own@b.test", "z@b.test")
    seed.alias("Mixed@A.test", "X@a.test")
    await seed.write(database)
    assert await directory.alias("info@a.test") == ("x@a.test", "y@b.test")
    assert await directory.alias("INFO@A.TEST") == ("x@a.test", "y@b.test")
    assert await directory.alias("mixed@a.test") == ("X@a.test",)
    assert await directory.alias("info@b.test") == ("x@a.test", "y@b.test")
    assert await directory.alias("own@b.test") == ("z@b.test",)
    assert await directory.alias("@b.test") == ("all@a.test",)
    assert await directory.alias("off@a.test") is None
    for strange in ("", "@", "x", "ü@a.test", "x@日本", "a\0@a.test", "'@a.test", "%@a.test"):
        assert await directory.alias(strange) is None, strange


async def test_mailboxes(database: Database, directory: SqlDirectory) -> None:
    seed = Seed().domain("a.test").domain("b.test").alias_domain("b.test", "a.test")
    seed.mailbox("u@a.test", quota=1000).mailbox("off@a.test", active=0, quota=-1, smtp_active=0)
    seed.mailbox("Big@A.test", maildir="a.test/Big")
    await seed.write(database)
    found = await directory.mailbox(Address("U", "a.test"))
    assert found is not None
    assert (found.user, found.maildir, found.quota_bytes) == ("u@a.test", "a.test/u", 1000)
    assert (found.active, found.smtp_active, found.domain) == (True, True, "a.test")
    through = await directory.mailbox(Address("u", "b.test"))
    assert through == found
    off = await directory.mailbox(Address("off", "a.test"))
    assert off is not None
    assert (off.active, off.smtp_active, off.quota_bytes) == (False, False, 0)
    big = await directory.mailbox(Address("big", "a.test"))
    assert big is not None
    assert big.user == "big@a.test"
    for local in ("nobody", "", "ü", "u ", "u\n", "u' OR 1=1 -- ", "u%", "x" * 300):
        assert await directory.mailbox(Address(local, "a.test")) is None, local


@pytest.mark.parametrize(
    "maildir",
    ["../other/", "/etc/", "a/../../b", "", "a//b", "a/\x01b", ".", ".mailnode/nodes", ".x"],
)
async def test_an_escaping_maildir_is_a_fault(
    database: Database, directory: SqlDirectory, maildir: str
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test", maildir=maildir).write(database)
    with pytest.raises(DirectoryGone, match="maildir"):
        await directory.mailbox(Address("u", "a.test"))


async def test_rows_with_holes_disturb_nobody_else(
    database: Database, directory: SqlDirectory
) -> None:
    """Tables made by hand may allow NULL where PostfixAdmin's do not."""
    holes = ("quota", "maildir", "domain", "password", "active")
    seed = Seed().domain("a.test").mailbox("good@a.test").alias("good@a.test", "good@a.test")
    for name in (*holes, "goto"):
        seed.mailbox(f"{name}@a.test").alias(f"{name}@a.test", f"{name}@a.test")
    await _without_not_null(database)
    await seed.write(database)

    async def punch(connection: AsyncConnection) -> None:
        for name in holes:
            where = f"WHERE username = '{name}@a.test'"
            await connection.execute(text(f"UPDATE mailbox SET {name} = NULL {where}"))
        await connection.execute(text("UPDATE alias SET goto = NULL WHERE address = 'goto@a.test'"))

    await database.write(punch)
    facts = await directory.facts([f"{name}@a.test" for name in ("good", *holes, "goto")])
    usable = {key.split("@")[0] for key, fact in facts.items() if fact.mailbox is not None}
    assert usable == {"good", "quota", "domain", "password", "active", "goto"}
    assert facts["goto@a.test"].targets == await directory.alias("goto@a.test") == ()
    with pytest.raises(DirectoryGone, match="maildir column None"):
        await directory.mailbox(Address("maildir", "a.test"))
    for name in ("quota", "domain", "password", "active"):
        found = await directory.credentials(f"{name}@a.test")
        assert found is not None
        assert (found.mailbox.quota_bytes, found.mailbox.domain) == (0, "a.test")
        assert found.stored == ("" if name == "password" else "{PLAIN}pw")
        assert found.active == (name in ("quota", "password"))


async def _without_not_null(database: Database) -> None:
    async def loosen(connection: AsyncConnection) -> None:
        if connection.dialect.name == "sqlite":
            for table in ("mailbox", "alias"):
                rows = await connection.execute(text(f"PRAGMA table_info({table})"))
                columns = ", ".join(
                    f'"{row[1]}" {row[2]} DEFAULT {row[4] or "NULL"} COLLATE NOCASE' for row in rows
                )
                await connection.execute(text(f"DROP TABLE {table}"))
                await connection.execute(text(f"CREATE TABLE {table} ({columns})"))
            return
        for column, kind in (
            ("quota", "BIGINT"), ("maildir", "VARCHAR(255)"), ("domain", "VARCHAR(255)"),
            ("password", "VARCHAR(255)"), ("active", "TINYINT(1) DEFAULT 1"),
        ):  # fmt: skip
            await connection.execute(text(f"ALTER TABLE mailbox MODIFY {column} {kind}"))
        await connection.execute(text("ALTER TABLE alias MODIFY goto TEXT NULL"))

    await database.write(loosen)


async def test_a_quota_that_is_no_number_is_a_fault(
    url: str, database: Database, directory: SqlDirectory
) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    if not url.startswith("sqlite"):
        pytest.skip("this database takes numbers only")
    await database.write(lambda c: c.execute(text("UPDATE mailbox SET quota = 'many'")))
    with pytest.raises(DirectoryGone, match="quota 'many' is no number"):
        await directory.mailbox(Address("u", "a.test"))
    assert (await directory.facts(["u@a.test"]))["u@a.test"].mailbox is None


async def test_credentials(database: Database, directory: SqlDirectory) -> None:
    seed = Seed().domain("a.test", password_expiry=30).domain("off.test", active=0)
    seed.domain("free.test")
    seed.mailbox("old@a.test").mailbox("new@a.test", password_expiry="2100-01-01 00:00:00")
    seed.mailbox("u@off.test").mailbox("u@free.test", totp_secret="ABC")
    seed.mailbox("orphan@nowhere.test")
    seed.app_password("u@free.test", "h1").app_password("u@free.test", "h2")
    seed.totp_exception("192.0.2.1", None).totp_exception("192.0.2.2", "u@free.test")
    seed.totp_exception("192.0.2.3", "x@free.test")
    for table, row in seed.rows:
        if "password_expiry" in row and table is seed.tables.mailbox:
            from datetime import datetime

            row["password_expiry"] = datetime.fromisoformat(str(row["password_expiry"]))
    await seed.write(database)
    old = await directory.credentials("OLD@a.test")
    assert old is not None
    assert old.expired
    assert old.active
    assert "pw" not in repr(old)
    new = await directory.credentials("new@a.test")
    assert new is not None
    assert not new.expired
    off = await directory.credentials("u@off.test")
    assert off is not None
    assert not off.active
    orphan = await directory.credentials("orphan@nowhere.test")
    assert orphan is not None
    assert not orphan.active
    free = await directory.credentials("u@free.test")
    assert free is not None
    assert (free.totp, free.expired, free.app_passwords) == (True, False, ("h1", "h2"))
    assert free.totp_exceptions == {"192.0.2.1", "192.0.2.2"}
    assert await directory.credentials("nobody@a.test") is None
    assert await directory.credentials("@a.test") is None
    assert await directory.credentials("plain") is None


async def test_usage_and_last_logins(database: Database, directory: SqlDirectory) -> None:
    await directory.write_usage({"b@a.test": (1, 2), "a@a.test": (3, 4), "x" * 101: (1, 1)})
    await directory.write_usage({"a@a.test": (10, 20)})
    assert await scalar(database, "SELECT bytes FROM quota2 WHERE username='a@a.test'") == 10
    assert await scalar(database, "SELECT messages FROM quota2 WHERE username='b@a.test'") == 2
    assert await scalar(database, "SELECT COUNT(*) FROM quota2") == 2
    await directory.write_last_logins({("a@a.test", "imap"): (5, "::1")})
    await directory.write_last_logins({("a@a.test", "imap"): (6, "::2")})
    assert await scalar(database, "SELECT at FROM mailnode_last_login") == 6


async def test_replace_hash_only_if_unchanged(database: Database, directory: SqlDirectory) -> None:
    await Seed().domain("a.test").mailbox("u@a.test", "one").write(database)
    await directory.replace_hash("u@a.test", "other", "two")
    assert await scalar(database, "SELECT password FROM mailbox") == "one"
    await directory.replace_hash("u@a.test", "one", "two")
    assert await scalar(database, "SELECT password FROM mailbox") == "two"


async def test_older_schemas_are_read_too(database: Database, directory: SqlDirectory) -> None:
    await Seed().domain("a.test").mailbox("u@a.test").write(database)

    async def age(connection: object) -> None:
        for statement in (
            "ALTER TABLE mailbox DROP COLUMN smtp_active",
            "ALTER TABLE mailbox DROP COLUMN totp_secret",
            "ALTER TABLE domain DROP COLUMN password_expiry",
            "DROP TABLE mailbox_app_password",
            "DROP TABLE totp_exception_address",
            "DROP TABLE quota2",
        ):
            await connection.execute(text(statement))  # type: ignore[attr-defined]  # AsyncConnection

    await database.write(age)
    found = await directory.credentials("u@a.test")
    assert found is not None
    assert (found.mailbox.smtp_active, found.totp, found.expired) == (True, False, False)
    await directory.write_usage({"u@a.test": (1, 1)})


async def test_a_column_that_goes_while_we_run_costs_one_failure(
    database: Database, directory: SqlDirectory
) -> None:
    """An older dump is read back, say, or another server takes over that has not been upgraded."""
    await Seed().domain("a.test").mailbox("u@a.test").write(database)
    assert (await directory.facts(["u@a.test"]))["u@a.test"].mailbox is not None
    await database.write(lambda c: c.execute(text("ALTER TABLE mailbox DROP COLUMN smtp_active")))
    with pytest.raises(DirectoryGone, match="smtp_active"):
        await directory.facts(["u@a.test"])
    assert (await directory.facts(["u@a.test"]))["u@a.test"].mailbox is not None
    found = await directory.credentials("u@a.test")
    assert found is not None
    assert found.mailbox.smtp_active


@pytest.mark.parametrize(
    ("goto", "targets"),
    [
        ("a@b", ("a@b",)),
        ("a@b,c@d", ("a@b", "c@d")),
        (" a@b ,\n c@d,,a@b", ("a@b", "c@d")),
        ('"x y, z"@b,c@d', ('"x y, z"@b', "c@d")),
        ('"q\\" ,"@b', ('"q\\" ,"@b',)),
        ("", ()),
        (" , ", ()),
        ("@b.test", ("@b.test",)),
    ],
)
def test_goto(goto: str, targets: tuple[str, ...]) -> None:
    assert parse_goto(goto) == targets


async def test_many_addresses_at_once_are_as_each_by_itself(
    database: Database, directory: SqlDirectory
) -> None:
    seed = Seed().domain("a.test").domain("b.test").alias_domain("b.test", "a.test")
    seed.mailbox("me@a.test").alias("me@a.test", "me@a.test")
    seed.mailbox("bad@a.test", maildir="../outside/").alias("bad@a.test", "bad@a.test")
    seed.alias("Team@a.test", "me@a.test,x@c.test").alias("off@a.test", "me@a.test", active=0)
    seed.alias("@a.test", "me@a.test")
    await seed.write(database)
    keys = [
        "me@a.test", "me@b.test", "team@a.test", "off@a.test", "@a.test", "none@a.test",
        "bad@a.test", "mü@a.test", "nowhere", "",
    ]  # fmt: skip
    facts = await directory.facts(keys)
    assert list(facts) == keys
    for key in keys:
        assert facts[key].targets == await directory.alias(key), key
    assert {key for key in keys if facts[key].mailbox is not None} == {"me@a.test"}
    assert facts["me@a.test"].mailbox == await directory.mailbox(Address("me", "a.test"))
