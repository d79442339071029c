"""Owners of shared mailboxes as the directory knows them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mailnode.access.imap import spaces
from mailnode.access.imap.spaces import Owners
from mailnode.directory import Mailbox
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone, NoSuchFolder
from mailnode.store import AccountRef
from mailnode.store.acl import Entry
from mailnode.store.shared import Find, Spaces
from mailnode.store.sharing import SharingStore
from tests.support.fake_store import FakeStore
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
        return self.known


def ask(directory: OneOwner) -> AccountRef | None:
    """As a thread of the pool does."""

    async def run() -> AccountRef | None:
        return await asyncio.to_thread(Owners(directory).find, ANN)

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
        owners = Owners(directory)
        found = [await asyncio.to_thread(owners.find, ANN)]
        directory.gone = True
        return [*found, await asyncio.to_thread(owners.find, ANN)]

    assert asyncio.run(run()) == [AccountRef(ANN.user, ANN.maildir, 4096)] * 2


def reached(find: Find) -> list[str]:
    """Shared folders that bob finds."""
    store = FakeStore()
    store.account(ANN).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account = SharingStore(store, Spaces(), find).account(BOB)
    return [info.name for info in account.folders() if info.shared and info.selectable]


def test_what_was_shared_stays_while_no_database_answers() -> None:
    def gone(ref: AccountRef) -> AccountRef | None:
        raise DirectoryGone

    assert reached(gone) == [BOX]


def test_owner_who_is_no_more_shares_nothing() -> None:
    assert reached(lambda ref: None) == []
    store = FakeStore()
    store.account(ANN).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account = SharingStore(store, Spaces(), lambda ref: None).account(BOB)
    with pytest.raises(NoSuchFolder):
        account.open(BOX)


def test_user_whose_name_cannot_be_a_level_is_left_out() -> None:
    store = FakeStore()
    odd = AccountRef("a/b@example.test", "example.test/odd")
    store.account(odd).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lr")))
    account = SharingStore(store, Spaces(), lambda ref: ref).account(BOB)
    assert [info for info in account.folders() if info.shared] == []


def test_limit_of_the_owner_counts() -> None:
    store = FakeStore()
    store.account(ANN).change_acl("INBOX", lambda acl: acl.replaced(Entry(BOB.user, "lri")))
    limited = SharingStore(store, Spaces(), lambda ref: replace(ref, quota_bytes=5)).account(BOB)
    assert limited.quota_of(ANN.user).limit_bytes == 5
