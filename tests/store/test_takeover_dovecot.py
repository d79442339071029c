"""To mailnode and back, with a real Dovecot at both ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.store import AccountRef, Delivery, FlagsOp
from mailnode.store.check import Checker
from mailnode.store.export import export_dovecot
from mailnode.store.folder import MaildirFolder
from mailnode.store.guard import lay_guard
from mailnode.store.maildir_store import MaildirStore
from tests.support.dovecot import AVAILABLE, USER, WHY_NOT, Dovecot
from tests.support.mail_store import message

pytestmark = pytest.mark.skipif(not AVAILABLE, reason=WHY_NOT)
REF = AccountRef(USER, "example.test/ann/")
SYSTEM = {
    Flag.SEEN: "\\Seen",
    Flag.ANSWERED: "\\Answered",
    Flag.FLAGGED: "\\Flagged",
    Flag.DELETED: "\\Deleted",
    Flag.DRAFT: "\\Draft",
}


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    made = Dovecot()
    yield made
    made.close()


@pytest.fixture
def used(dovecot: Dovecot) -> Dovecot:
    """A mailbox with a past: gaps in the UIDs, flags, keywords, folders, subscriptions."""
    for number in range(1, 8):
        dovecot.save("INBOX", b"Subject: m%d\n\nline\nline\n" % number)
    dovecot.doveadm("flags", "add", "\\Seen $Junk later", "mailbox", "INBOX", "uid", "2")
    dovecot.doveadm("flags", "add", "\\Flagged $Forwarded", "mailbox", "INBOX", "uid", "3,5")
    dovecot.doveadm("flags", "remove", "\\Flagged", "mailbox", "INBOX", "uid", "5")
    dovecot.doveadm("flags", "add", "\\Answered \\Draft \\Deleted", "mailbox", "INBOX", "uid", "6")
    dovecot.doveadm("expunge", "mailbox", "INBOX", "uid", "4,7")
    dovecot.doveadm("mailbox", "create", "-s", "Sent/2024", "Entwürfe & Co")
    dovecot.doveadm("mailbox", "create", "Quiet")
    dovecot.doveadm("mailbox", "subscribe", "INBOX", "gone/away")
    dovecot.save("Sent/2024", b"Subject: sent\n\nx\n")
    return dovecot


def open_store(dovecot: Dovecot) -> MaildirStore:
    root = dovecot.base / "root"
    lay_guard(root)
    return MaildirStore(
        root=root,
        state=dovecot.base / "view",
        node="n1",
        settings=StorageSettings(special_folders={}),
        clock=SystemClock(),
        log=NullLog(),
        on_change=lambda key, modseq: None,
        on_use=lambda user, size, count: None,
    )


def ours(folder: MaildirFolder) -> dict[int, tuple[str, frozenset[str], int]]:
    found = {}
    for info in folder.infos(folder.refresh().uids):
        subject = folder.read(info.uid).split(b"\r\n")[0].removeprefix(b"Subject: ").decode()
        flags = {text for flag, text in SYSTEM.items() if info.flags & flag}
        found[info.uid] = (subject, frozenset(flags | info.keywords), info.size)
    return found


@pytest.mark.parametrize("name", ["INBOX", "Sent/2024", "Entwürfe & Co"])
def test_a_folder_is_taken_over_as_clients_know_it(used: Dovecot, name: str) -> None:
    before, status = used.messages(name), used.status(name)
    store = open_store(used)
    folder = store.account(REF).open(name)
    picture = folder.refresh()
    assert ours(folder) == before
    assert picture.uidvalidity == int(status["uidvalidity"])
    assert picture.uidnext == int(status["uidnext"])
    assert folder.mailbox_id == status["guid"]
    folder.close()
    store.close()
    assert list(Checker(used.base / "root", SystemClock()).account(REF.maildir)) == []


def test_subscriptions_and_folders_are_taken_over(used: Dovecot) -> None:
    subscribed = used.subscriptions()
    store = open_store(used)
    account = store.account(REF)
    assert set(account.subscriptions()) == subscribed
    assert {one.name for one in account.folders() if one.selectable} == {
        "INBOX", "Sent/2024", "Entwürfe & Co", "Quiet",
    }  # fmt: skip
    account.subscribe("Quiet", True)
    store.close()
    used.give_back()
    assert used.subscriptions() == subscribed | {"Quiet"}


def test_new_mail_continues_the_uids(used: Dovecot) -> None:
    uidnext = int(used.status("INBOX")["uidnext"])
    store = open_store(used)
    assert all(outcome.ok for outcome in store.accept([Delivery(REF, message("fresh"))]))
    folder = store.account(REF).open("INBOX")
    assert ours(folder)[uidnext][0] == "fresh"
    folder.close()
    store.close()


def test_and_back_again(used: Dovecot) -> None:
    store = open_store(used)
    folder = store.account(REF).open("INBOX")
    folder.refresh()
    uids = folder.append([message("a", Flag.SEEN, frozenset({"$Junk", "fresh"})), message("b")])
    folder.store_flags([2], FlagsOp.REMOVE, Flag.SEEN, frozenset({"later"}))
    folder.store_flags([5], FlagsOp.ADD, Flag.FLAGGED, frozenset({"$Forwarded", "work"}))
    folder.remove([3])
    store.accept([Delivery(REF, message("delivered"))])
    there = store.account(REF).open("Sent/2024")
    there.refresh()
    folder.copy(uids[:1], there)
    exported = {one.folder: one.messages for one in export_dovecot(store.home(REF.maildir))}
    expected = {name: ours(store.account(REF).open(name)) for name in ("INBOX", "Sent/2024")}
    statuses = {name: store.account(REF).status(name) for name in expected}
    store.close()
    used.give_back()
    assert exported["INBOX"] == len(expected["INBOX"])
    for name, messages in expected.items():
        assert used.messages(name) == messages
        status, mine = used.status(name), statuses[name]
        assert int(status["uidvalidity"]) == mine.uidvalidity
        assert int(status["uidnext"]) == mine.uidnext
        assert status["guid"] == mine.mailbox_id


def test_a_mailbox_dovecot_never_saw_is_accepted(dovecot: Dovecot, tmp_path: Path) -> None:
    store = open_store(dovecot)
    folder = store.account(REF).open("INBOX")
    folder.append([message(f"m{n}", Flag.FLAGGED, frozenset({"$Forwarded"})) for n in range(5)])
    folder.remove([1, 3])
    expected = ours(folder)
    export_dovecot(store.home(REF.maildir))
    uidvalidity = folder.refresh().uidvalidity
    folder.close()
    store.close()
    dovecot.give_back()
    assert dovecot.messages("INBOX") == expected
    assert int(dovecot.status("INBOX")["uidvalidity"]) == uidvalidity
    dovecot.save("INBOX", b"Subject: later\n\nx\n")
    assert max(dovecot.messages("INBOX")) == 6
