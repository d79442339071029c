"""What the registry writes, read back as PostfixAdmin, Postfix and our own directory read it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from mailnode.directory import Mailbox, Service
from mailnode.directory.build import open_database
from mailnode.directory.ledger import Refused, good_address, good_target
from mailnode.directory.registry import Registry, open_registry
from mailnode.directory.sql import SqlDirectory
from mailnode.model.address import Address
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.sql import Database

STORED = "{PLAIN}pw"


@pytest.fixture
def settings(url: str) -> DirectorySettings:
    return DirectorySettings(urls=(url,))


@pytest.fixture
async def registry(settings: DirectorySettings) -> AsyncIterator[Registry]:
    async with open_registry(settings, actor="tester (test)") as opened:
        yield opened


@pytest.fixture
async def database(registry: Registry, settings: DirectorySettings) -> AsyncIterator[Database]:
    opened = open_database(settings, NullLog())
    yield opened
    await opened.close()


async def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    found = await database.read(lambda c: c.execute(text(sql)))
    return [tuple(row) for row in found]


async def test_a_domain_and_its_default_aliases(registry: Registry, database: Database) -> None:
    await registry.add_domain("A.Test", description="é", aliases_to="me@else.test", mailboxes=5)
    row = await registry.domain("a.test")
    assert row is not None
    assert (row.domain, row.description, row.mailboxes, row.transport) == (
        "a.test", "é", 5, "virtual",
    )  # fmt: skip
    aliases = await registry.aliases("a.test")
    assert [alias.address for alias in aliases] == [
        "abuse@a.test", "hostmaster@a.test", "postmaster@a.test", "webmaster@a.test",
    ]  # fmt: skip
    assert aliases[0].targets == ("me@else.test",)
    log = await rows(database, "SELECT username, domain, action, data FROM log ORDER BY id")
    assert log == [("tester (test)", "a.test", "create_domain", "a.test")]
    with pytest.raises(Refused, match="already"):
        await registry.add_domain("a.test")
    assert await registry.domain("b.test") is None


async def test_a_mailbox_works_at_once(registry: Registry, database: Database) -> None:
    await registry.add_domain("a.test")
    await registry.add_mailbox("User@A.test", STORED, name="Ü", quota_bytes=5000)
    row = await registry.mailbox("user@a.test")
    assert row is not None
    assert (row.maildir, row.name, row.quota_bytes) == ("a.test/user/", "Ü", 5000)
    assert await rows(database, "SELECT address, goto, active FROM alias") == [
        ("user@a.test", "user@a.test", 1)
    ]
    assert await registry.aliases() == []
    assert len(await registry.aliases(with_mailboxes=True)) == 1
    directory = SqlDirectory(database, prefix="", clock=SystemClock())
    found = await directory.mailbox(Address("user", "a.test"))
    assert found == Mailbox("user@a.test", "a.test/user", 5000, "a.test")
    assert Service.IMAP
    stamps = await rows(database, "SELECT created, modified FROM mailbox")
    assert "2000-01-01" not in str(stamps)


async def test_many_mailboxes_at_once(registry: Registry) -> None:
    await registry.add_domain("a.test")
    await registry.add_mailboxes([f"u{i}@a.test" for i in range(1200)], STORED)
    assert len(await registry.mailboxes("a.test")) == 1200
    with pytest.raises(Refused, match=r"u7@a\.test exists already"):
        await registry.add_mailboxes(["new@a.test", "u7@a.test"], STORED)
    with pytest.raises(Refused, match="twice"):
        await registry.add_mailboxes(["new@a.test", "NEW@a.test"], STORED)
    assert await registry.mailbox("new@a.test") is None


async def test_limits_of_a_domain(registry: Registry) -> None:
    mb = 1_024_000
    await registry.add_domain("a.test", mailboxes=2, aliases=1, maxquota_mb=10, quota_mb=15)
    for quota in (0, 11 * mb):
        with pytest.raises(Refused, match="at most 10 MB"):
            await registry.add_mailbox("x@a.test", STORED, quota_bytes=quota)
    await registry.add_mailbox("x@a.test", STORED, quota_bytes=10 * mb)
    with pytest.raises(Refused, match="15 MB in all"):
        await registry.add_mailbox("y@a.test", STORED, quota_bytes=6 * mb)
    await registry.add_mailbox("y@a.test", STORED, quota_bytes=5 * mb)
    with pytest.raises(Refused, match="may have 2 mailboxes"):
        await registry.add_mailbox("z@a.test", STORED, quota_bytes=mb)
    await registry.edit_mailbox("x@a.test", quota_bytes=9 * mb)
    with pytest.raises(Refused, match="15 MB in all"):
        await registry.edit_mailbox("y@a.test", quota_bytes=7 * mb)
    await registry.add_alias("info@a.test", ["x@a.test"])
    with pytest.raises(Refused, match="may have 1 aliases"):
        await registry.add_alias("more@a.test", ["x@a.test"])
    await registry.edit_domain("a.test", mailboxes=-1)
    with pytest.raises(Refused, match="may have 0 mailboxes"):
        await registry.add_mailbox("z@a.test", STORED, quota_bytes=mb)
    with pytest.raises(Refused, match="not a domain"):
        await registry.add_mailbox("z@b.test", STORED)


async def test_editing_and_passwords(registry: Registry, database: Database) -> None:
    await registry.add_domain("a.test", password_expiry_days=30)
    await registry.add_mailbox("u@a.test", STORED)
    await registry.edit_mailbox("u@a.test", active=False, smtp_active=False, name="New")
    row = await registry.mailbox("u@a.test")
    assert row is not None
    assert (row.active, row.smtp_active, row.name) == (False, False, "New")
    assert await rows(database, "SELECT active FROM alias") == [(0,)]
    await registry.edit_mailbox("u@a.test", active=True)
    await registry.set_password("u@a.test", "{PLAIN}new")
    directory = SqlDirectory(database, prefix="", clock=SystemClock())
    found = await directory.credentials("u@a.test")
    assert found is not None
    assert (found.stored, found.expired, found.active) == ("{PLAIN}new", False, True)
    actions = [row[0] for row in await rows(database, "SELECT action FROM log ORDER BY id")]
    assert actions == [
        "create_domain", "create_mailbox", "edit_mailbox", "edit_mailbox_state", "edit_password",
    ]  # fmt: skip
    for wrong in (
        registry.edit_mailbox("no@a.test", active=True),
        registry.set_password("no@a.test", STORED),
        registry.delete_mailbox("no@a.test"),
    ):
        with pytest.raises(Refused, match="not a mailbox"):
            await wrong


async def test_deleting_leaves_nothing_behind(registry: Registry, database: Database) -> None:
    await registry.add_domain("a.test", aliases_to="u@a.test")
    await registry.add_domain("b.test")
    await registry.add_mailboxes(["u@a.test", "v@a.test", "w@b.test"], STORED)
    for user in ("u@a.test", "v@a.test"):
        await registry.add_app_password(user, STORED, "phone")

        async def extras(connection: object, user: str = user) -> None:
            for sql in (
                "INSERT INTO quota2 (username) VALUES (:u)",
                "INSERT INTO quota (username, path) VALUES (:u, 'x')",
                "INSERT INTO vacation (email, subject, body, cache, domain)"
                " VALUES (:u, '', '', '', 'a.test')",
                "INSERT INTO vacation_notification (on_vacation, notified) VALUES (:u, 'x@y')",
                "INSERT INTO mailnode_last_login (username, service, at, peer)"
                " VALUES (:u, 'imap', 1, '')",
            ):
                await connection.execute(text(sql), {"u": user})  # type: ignore[attr-defined]  # AsyncConnection

        await database.write(extras)
    await registry.delete_mailbox("u@a.test")
    tables = ["quota2", "quota", "mailbox_app_password", "mailnode_last_login"]
    for table in tables:
        assert await rows(database, f"SELECT username FROM {table}") == [("v@a.test",)]
    assert await rows(database, "SELECT on_vacation FROM vacation_notification") == [("v@a.test",)]
    with pytest.raises(Refused, match="1 mailboxes"):
        await registry.delete_domain("a.test")
    await registry.delete_domain("a.test", with_content=True)
    for table in [*tables, "vacation_notification", "vacation"]:
        assert await rows(database, f"SELECT * FROM {table}") == []
    assert [row.username for row in await registry.mailboxes()] == ["w@b.test"]
    assert [row.address for row in await registry.aliases(with_mailboxes=True)] == ["w@b.test"]
    assert [row.domain for row in await registry.domains()] == ["b.test"]


async def test_aliases(registry: Registry) -> None:
    await registry.add_domain("a.test")
    await registry.add_mailbox("u@a.test", STORED)
    await registry.add_alias("Info@A.test", ["u@a.test", "X@Else.test", "u@a.test"])
    row = await registry.alias_row("info@a.test")
    assert row is not None
    assert row.targets == ("u@a.test", "X@else.test")
    await registry.add_alias("*@a.test", ["u@a.test"])
    assert await registry.alias_row("@a.test") is not None
    await registry.edit_alias("info@a.test", active=False)
    await registry.edit_alias("info@a.test", targets=["@b.test"])
    row = await registry.alias_row("info@a.test")
    assert row is not None
    assert (row.active, row.targets) == (False, ("@b.test",))
    await registry.edit_alias("u@a.test", targets=["u@a.test", "copy@else.test"])
    assert len(await registry.aliases()) == 3
    for wrong, words in (
        (registry.add_alias("info@a.test", ["u@a.test"]), "already"),
        (registry.add_alias("x@b.test", ["u@a.test"]), "not a domain"),
        (registry.add_alias("x@a.test", []), "at least one"),
        (registry.edit_alias("no@a.test", active=True), "not an alias"),
        (registry.delete_alias("u@a.test"), "belongs to a mailbox"),
        (registry.delete_alias("no@a.test"), "not an alias"),
        (registry.add_mailbox("info@a.test", STORED), "exists already as alias"),
    ):
        with pytest.raises(Refused, match=words):
            await wrong
    await registry.delete_alias("info@a.test")
    assert await registry.alias_row("info@a.test") is None


async def test_alias_domains(registry: Registry, database: Database) -> None:
    await registry.add_domain("a.test")
    await registry.add_alias_domain("b.test", "a.test")
    assert [row.alias_domain for row in await registry.alias_domains()] == ["b.test"]
    assert await registry.domain("b.test") is not None
    for wrong, words in (
        (registry.add_alias_domain("a.test", "a.test"), "itself"),
        (registry.add_alias_domain("c.test", "b.test"), "alias domain itself"),
        (registry.add_alias_domain("a.test", "c.test"), "not a domain"),
        (registry.add_alias_domain("b.test", "a.test"), "exists already"),
        (registry.delete_domain("a.test"), "target of an alias domain"),
        (registry.delete_alias_domain("x.test"), "not an alias domain"),
    ):
        with pytest.raises(Refused, match=words):
            await wrong
    await registry.delete_alias_domain("b.test")
    await registry.delete_domain("a.test")


async def test_admins_are_stored_twice(registry: Registry, database: Database) -> None:
    await registry.add_domain("a.test")
    await registry.add_admin("root@a.test", STORED, superadmin=True)
    await registry.add_admin("Boss@a.test", STORED, domains=["a.test"])
    assert [replace(row) for row in await registry.admins()] == await registry.admins()
    boss, root = await registry.admins()
    assert (boss.username, boss.superadmin, boss.domains) == ("boss@a.test", False, ("a.test",))
    assert (root.superadmin, root.domains) == (True, ())
    ruled = "SELECT username, domain FROM domain_admins ORDER BY username"
    assert await rows(database, ruled) == [("boss@a.test", "a.test"), ("root@a.test", "ALL")]
    await registry.edit_admin("root@a.test", superadmin=False, domains=["a.test"])
    assert await rows(database, "SELECT superadmin FROM admin WHERE username='root@a.test'") == [
        (0,)
    ]
    with pytest.raises(Refused, match="not a domain"):
        await registry.edit_admin("root@a.test", domains=["no.test"])
    with pytest.raises(Refused, match="already"):
        await registry.add_admin("root@a.test", STORED)
    await registry.delete_admin("root@a.test")
    await registry.delete_admin("boss@a.test")
    assert await rows(database, "SELECT * FROM domain_admins") == []
    with pytest.raises(Refused, match="not an admin"):
        await registry.delete_admin("root@a.test")


async def test_app_passwords(registry: Registry) -> None:
    await registry.add_domain("a.test")
    await registry.add_mailbox("u@a.test", STORED)
    await registry.add_app_password("u@a.test", STORED, "Téléphone")
    (row,) = await registry.app_passwords("u@a.test")
    assert row.description == "Téléphone"
    with pytest.raises(Refused, match="no app password"):
        await registry.delete_app_password("u@a.test", row.id + 1)
    await registry.delete_app_password("u@a.test", row.id)
    assert await registry.app_passwords("u@a.test") == []


@pytest.mark.parametrize(
    "raw",
    [
        "", "u", "@a.test", "u@", "a b@a.test", "../x@a.test", "a/b@a.test", ".u@a.test",
        "u.@a.test",
        "..@a.test", "ü@a.test", "u@a..test", "u@-a.test", "u@a test", "u@ALL", "u,v@a.test",
        "x" * 65 + "@a.test", "u@" + "a." * 130 + "test", "u\n@a.test",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_stored(raw: str) -> None:
    with pytest.raises(Refused):
        good_address(raw)


def test_addresses_are_folded() -> None:
    assert good_address(" O'Neil+X@BÜCHER.test ") == ("o'neil+x", "xn--bcher-kva.test")
    assert good_target("Keep.Case@B.Test") == "Keep.Case@b.test"
    for raw in ("x", "a,b@c.test", "ü@c.test", "a b@c.test", "|prog", "/file", ":include:/x"):
        with pytest.raises(Refused):
            good_target(raw)


async def test_the_template_makes_the_path(url: str) -> None:
    settings = DirectorySettings(urls=(url,), maildir_template="{domain}/{user}/Mail")
    async with open_registry(settings) as registry:
        await registry.add_domain("a.test")
        await registry.add_mailbox("u@a.test", STORED)
        row = await registry.mailbox("u@a.test")
    assert row is not None
    assert row.maildir == "a.test/u@a.test/Mail/"
    bad = DirectorySettings(urls=(url,), maildir_template="../{user}")
    async with open_registry(bad) as registry:
        with pytest.raises(Refused, match="maildir_template"):
            await registry.add_mailbox("v@a.test", STORED)
