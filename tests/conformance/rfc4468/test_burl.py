"""RFC 4468: BURL, from mailboxes whose owners let a message be submitted (RFC 4467)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailnode.access.imap.submitted import SubmittedUrls
from mailnode.access.imap.url_keys import key_of
from mailnode.intake.service import Role
from mailnode.model.errors import DirectoryGone, StorageGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.tasks import Pool
from mailnode.store import AccountRef, NewMessage
from mailnode.wire.imap.urlauth import verifier
from tests.support.fake_store import FakeStore
from tests.support.smtp_world import World, running

DRAFT = b"Subject: a draft\r\n\r\nwritten earlier\r\n"
ALICE = AccountRef("alice@here.test", "here.test/alice")
START = b"MAIL FROM:<alice@here.test>\r\nRCPT TO:<alice@here.test>\r\n"
URL = "imap://alice%40here.test@mail.here.test/Drafts/;UID=1"


class Shelf:
    """Alice's mailboxes, and what is made of them."""

    def __init__(self, pool: Pool) -> None:
        self.store = FakeStore(lambda key, modseq: None)
        self.gone: Exception | None = None
        self.pool = pool
        self.urls = SubmittedUrls(self.store, self._owners, pool, SystemClock())
        folder = self.store.account(ALICE).open("Drafts")
        folder.append([NewMessage((DRAFT,), 1.7e9)])
        folder.close()

    async def _owners(self, user: str) -> AccountRef | None:
        if self.gone is not None:
            raise self.gone
        return ALICE if user == ALICE.user else None

    def made(self, rump: str) -> str:
        """As GENURLAUTH makes it."""
        return rump + verifier(rump, key_of(self.store.account(ALICE), "Drafts"))


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    pool = Pool(2, "burl-test")
    yield Shelf(pool)
    pool.close()


async def started(world: World) -> object:
    client = await world.logged_in()
    client.write(START)
    for _ in range(2):
        assert (await client.reply()).startswith("250")
    return client


async def test_s3_1_told_in_full_once_logged_in(tmp_path: Path, shelf: Shelf) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await world.hello()
        await client.start_tls()
        assert "BURL\n" in (await client.say("EHLO c")) + "\n"
        assert (await client.say(f"BURL {URL} LAST")).startswith("530")
        client = await world.logged_in()
        assert "BURL imap" in await client.say("EHLO c")
    async with running(tmp_path / "mx", urls=shelf.urls) as world:
        client = await world.connect()
        assert "BURL" not in await client.say("EHLO c")
        assert (await client.say(f"BURL {URL} LAST")).startswith("500")


async def test_s3_2_a_draft_is_submitted(tmp_path: Path, shelf: Shelf) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await started(world)
        url = shelf.made(URL + ";URLAUTH=submit+alice%40here.test")
        assert (await client.say(f"BURL {url} LAST")).startswith("250 2.0.0 accepted")
        assert world.courier.content.endswith(DRAFT)


async def test_s3_2_with_bdat(tmp_path: Path, shelf: Shelf) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await started(world)
        url = shelf.made(URL + "/;SECTION=TEXT;URLAUTH=submit+alice")
        client.write(b"BDAT 14\r\nSubject: x\r\n\r\n")
        assert (await client.reply()).startswith("250")
        assert (await client.say(f"burl {url}")).startswith("250 2.5.0")
        assert (await client.say("DATA")).startswith("503")
        client.write(b"BDAT 5 LAST\r\nend\r\n")
        assert (await client.reply()).startswith("250 2.0.0 accepted")
        assert world.courier.content.endswith(b"Subject: x\r\n\r\nwritten earlier\r\nend\r\n")


@pytest.mark.parametrize(
    "rump",
    [
        URL,
        URL + ";URLAUTH=submit+bob%40here.test",
        URL + ";URLAUTH=user+bob%40here.test",
        URL + ";EXPIRE=2001-01-01T00:00:00Z;URLAUTH=submit+alice",
        URL.replace("UID=1", "UID=2") + ";URLAUTH=submit+alice",
        URL.replace("alice", "nobody") + ";URLAUTH=submit+alice",
        "http://mail.here.test/draft",
        "/Drafts/;UID=1",
    ],
)
async def test_s3_3_what_is_not_his_to_submit(tmp_path: Path, shelf: Shelf, rump: str) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await started(world)
        url = shelf.made(rump) if ";URLAUTH=" in rump else rump
        assert (await client.say(f"BURL {url} LAST")).startswith("554 5.6.6")
        # The transaction is over with it.
        client.write(b"BDAT 3 LAST\r\nx\r\n")
        assert (await client.reply()).startswith("503")
        assert not world.courier.delivered


async def test_s3_3_changed_by_somebody(tmp_path: Path, shelf: Shelf) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await started(world)
        url = shelf.made(URL + ";URLAUTH=submit+alice").replace("UID=1", "UID=1/;SECTION=1")
        assert (await client.say(f"BURL {url} LAST")).startswith("554 5.6.6")


@pytest.mark.parametrize("gone", [DirectoryGone("x"), StorageGone("x")])
async def test_s3_3_unreachable_is_temporary(tmp_path: Path, shelf: Shelf, gone: Exception) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await started(world)
        shelf.gone = gone
        url = shelf.made(URL + ";URLAUTH=submit+alice")
        assert (await client.say(f"BURL {url} LAST")).startswith("451 4.4.1")


async def test_s3_3_a_login_name_is_the_same_in_any_case(shelf: Shelf) -> None:
    for role in ("submit+alice", "user+ALICE%40here.test"):
        url = shelf.made(f"{URL};URLAUTH={role}")
        assert await shelf.urls.read("Alice@Here.test", url) == DRAFT


async def test_order_and_grammar(tmp_path: Path, shelf: Shelf) -> None:
    async with running(tmp_path, Role.SUBMISSION, urls=shelf.urls) as world:
        client = await world.logged_in()
        url = shelf.made(URL + ";URLAUTH=submit+alice")
        assert (await client.say(f"BURL {url} LAST")).startswith("503")
        assert (await client.say("MAIL FROM:<alice@here.test>")).startswith("250")
        assert (await client.say(f"BURL {url} LAST")).startswith("503")
        assert (await client.say("RCPT TO:<alice@here.test>")).startswith("250")
        for wrong in ("BURL", f"BURL {url} FIRST", f"BURL {url} LAST LAST", "BURL \u00fc LAST"):
            assert (await client.say(wrong)).startswith("501")
        assert (await client.say(f"BURL {url} LAST")).startswith("250 2.0.0 accepted")


async def test_the_size_counts(tmp_path: Path, shelf: Shelf) -> None:
    folder = shelf.store.account(ALICE).open("Drafts")
    folder.append([NewMessage((b"Subject: long\r\n\r\n" + b"x" * 998 + b"\r\n" * 99,), 1.7e9)])
    folder.append([NewMessage((b"Subject: long\r\n\r\n" + (b"x" * 70 + b"\r\n") * 999,), 1.7e9)])
    folder.close()
    async with running(
        tmp_path, Role.SUBMISSION, urls=shelf.urls, max_message_bytes=65_536
    ) as world:
        client = await started(world)
        url = shelf.made(URL.replace("UID=1", "UID=3") + ";URLAUTH=submit+alice")
        assert (await client.say(f"BURL {url} LAST")).startswith("552 5.3.4")
        assert not world.courier.delivered
