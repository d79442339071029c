"""Owners of shared mailboxes as the directory knows them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mailnode.access.imap import spaces
from mailnode.access.imap.commands.append import append
from mailnode.access.imap.commands.selecting import open_folder
from mailnode.access.imap.spaces import SharingOwners
from mailnode.directory import Mailbox
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone, NoSuchFolder
from mailnode.runtime.tasks import Pool, is_brisk
from mailnode.store import AccountRef
from mailnode.store.acl import Entry, Person
from mailnode.store.shared import Find, Spaces
from mailnode.store.shares import Shares
from mailnode.store.sharing import SharingStore
from tests.support.fake_store import FakeStore
from tests.support.mail_store import message
from tests.support.table_directory import TableDirectory

ANN = AccountRef("ann@example.test", "example.test/ann")
BOB = AccountRef("bob@example.test", "example.test/bob")
KNOWN = Mailbox(ANN.user, ANN.maildir, 4096, "example.test")
BOX = f"Other Users/{ANN.user}/INBOX"


class OneOwner(TableDirectory):
    """Knows ann, perhaps; ``slow``: it does not answer."""

    def __init__(self, known: Mailbox | None, slow: bool = False) -> None:
        super().__init__()
        self.known, self.slow = known, slow

    async def mailbox(self, address: Address) -> Mailbox | None:
        assert str(address) == ANN.user
        self._check()
        if self.slow:
            await asyncio.sleep(60)
        await asyncio.sleep(0)  # the loop has to turn for an answer
        return self.known


def ask(directory: OneOwner) -> AccountRef | None:
    """As a thread of the pool does."""

    async def run() -> AccountRef | None:
        return await asyncio.to_thread(SharingOwners(directory).find, ANN)

    return asyncio.run(run())


def test_owner_comes_with_the_limit_of_now() -> None:
    assert ask(OneOwner(KNOWN)) == AccountRef(ANN.user, ANN.maildir, 4096)


def test_owner_who_is_gone_or_not_active_is_none() -> None:
    assert ask(OneOwner(None)) is None
    assert ask(OneOwner(replace(KNOWN, active=False))) is None


def test_directory_that_does_not_answer_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "WAIT_S", 0.05)
    with pytest.raises(DirectoryGone):
        ask(OneOwner(KNOWN, slow=True))


def test_what_was_known_last_goes_on_while_no_database_answers() -> None:
    directory = OneOwner(KNOWN)

    async def run() -> list[AccountRef | None]:
        owners = SharingOwners(directory)
        found = [await asyncio.to_thread(owners.find, ANN)]
        directory.gone = True
        return [*found, await asyncio.to_thread(owners.find, ANN)]

    assert asyncio.run(run()) == [AccountRef(ANN.user, ANN.maildir, 4096)] * 2


def shared_by_ann(rights: str) -> FakeStore:
    """Ann's INBOX is bob's too, as far as these go."""
    store = FakeStore()
    store.account(ANN).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, rights)))
    return store


def reached(find: Find) -> list[str]:
    """Shared folders that bob finds."""
    account = SharingStore(shared_by_ann("lr"), Spaces(), find).account(BOB)
    return [info.name for info in account.folders() if info.shared and info.selectable]


def test_owner_of_whom_nothing_can_be_told_is_neither_listed_nor_opened() -> None:
    def gone(ref: AccountRef) -> AccountRef | None:
        raise DirectoryGone

    assert reached(gone) == []
    account = SharingStore(shared_by_ann("lri"), Spaces(), gone).account(BOB)
    with pytest.raises(DirectoryGone):
        account.open(BOX)
    with pytest.raises(DirectoryGone):
        append(account, BOX, [message("no limit is known")])
    with pytest.raises(DirectoryGone):
        account.quota_of(ANN.user)


def briskly(directory: OneOwner) -> tuple[list[str], int]:
    """Shared folders as LIST finds them, and the limit of ann's, with a real lookup; what is
    begun on the event loop."""

    async def run() -> tuple[list[str], int]:
        pool = Pool(1, "spaces-test")
        try:
            find = SharingOwners(directory).find
            account = SharingStore(shared_by_ann("lr"), Spaces(), find).account(BOB)
            infos = await pool.brisk(account.folders)
            names = [info.name for info in infos if info.shared and info.selectable]
            if not names:
                with pytest.raises(NoSuchFolder):
                    await pool.brisk(open_folder, account, BOX, True)
                return [], 0
            opened = await pool.brisk(open_folder, account, BOX, True)
            opened.folder.close()
            return names, (await pool.brisk(account.quota_of, ANN.user)).limit_bytes
        finally:
            pool.close()

    return asyncio.run(run())


def test_directory_is_not_waited_for_on_the_loop_that_asks_it() -> None:
    assert briskly(OneOwner(KNOWN)) == ([BOX], 4096)
    assert briskly(OneOwner(replace(KNOWN, active=False))) == ([], 0)


def test_shared_storage_is_not_read_on_the_loop(tmp_path: Path) -> None:
    shares = Shares(os.fsencode(tmp_path))

    def on_loop() -> bool:
        shares.sharers(Person(BOB.user), False)  # nobody shares anything: a look at a folder
        return is_brisk()

    def on_loop_or_not() -> dict[str, str]:
        found = shares.sharers(Person(BOB.user), False)
        assert not is_brisk()
        return found

    async def run() -> dict[str, str]:
        pool = Pool(1, "shares-test")
        try:
            assert await pool.brisk(on_loop)
            shares.note(Person(ANN.user), ANN.maildir, [BOB.user])
            return await pool.brisk(on_loop_or_not)
        finally:
            pool.close()

    assert asyncio.run(run()) == {ANN.user: ANN.maildir}


def test_owner_who_is_no_more_shares_nothing() -> None:
    assert reached(lambda ref: None) == []
    account = SharingStore(shared_by_ann("lr"), Spaces(), lambda ref: None).account(BOB)
    with pytest.raises(NoSuchFolder):
        account.open(BOX)


def test_user_whose_name_cannot_be_a_level_is_left_out() -> None:
    store = FakeStore()
    odd = AccountRef("a/b@example.test", "example.test/odd")
    store.account(odd).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account = SharingStore(store, Spaces(), lambda ref: ref).account(BOB)
    assert [info for info in account.folders() if info.shared] == []


def test_limit_of_the_owner_counts() -> None:
    store = shared_by_ann("lri")
    limited = SharingStore(store, Spaces(), lambda ref: replace(ref, quota_bytes=5)).account(BOB)
    assert limited.quota_of(ANN.user).limit_bytes == 5
