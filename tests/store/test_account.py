"""The contract of ``store.Account``."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from mailnode.model.errors import BadFolderName, FolderExists, NoSuchFolder, StorageGone
from mailnode.model.flags import NO_FLAGS
from mailnode.runtime import files
from mailnode.store import AccountRef, Delivery, FlagsOp
from mailnode.store.account import MaildirAccount
from tests.support.mail_store import REF, FailAt, OpenStore, findings, message, referee, texts

SPECIAL = ["Archive", "Drafts", "Junk", "Sent", "Trash"]


@pytest.fixture
def account(opened: OpenStore) -> MaildirAccount:
    return opened.store.account(REF)


def names_of(account: MaildirAccount) -> list[str]:
    return [info.name for info in account.folders()]


def test_a_new_account_has_the_usual_folders_subscribed(account: MaildirAccount) -> None:
    infos = account.folders()
    assert [info.name for info in infos] == ["INBOX", *SPECIAL]
    assert {info.special_use for info in infos[1:]} == {f"\\{name}" for name in SPECIAL}
    assert all(info.subscribed and info.selectable for info in infos)


def test_many_make_one_account_at_once(tmp_path: Path) -> None:
    stores = [OpenStore(tmp_path, f"n{i}") for i in range(6)]
    threads = [threading.Thread(target=store.deliver, args=("x",), daemon=True) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_of(stores[0].store.account(REF)) == ["INBOX", *SPECIAL]
    assert texts(stores[1].folder()) == ["x"] * 6
    for store in stores:
        store.close()


def test_a_special_folder_deleted_on_purpose_stays_away(
    account: MaildirAccount, opened: OpenStore
) -> None:
    account.delete("Archive")
    again = OpenStore(opened.root.parent, "n2")
    assert "Archive" not in names_of(again.store.account(REF))
    again.close()


def test_create(account: MaildirAccount, opened: OpenStore) -> None:
    mailbox_id = account.create("Projekte/Österreich")
    assert opened.path(".Projekte.&ANY-sterreich/maildirfolder").exists()
    assert account.open("Projekte/Österreich").mailbox_id == mailbox_id
    parent = next(info for info in account.folders() if info.name == "Projekte")
    assert (parent.selectable, parent.has_children) == (False, True)
    with pytest.raises(NoSuchFolder):
        account.open("Projekte")
    with pytest.raises(FolderExists):
        account.create("Projekte/Österreich")
    with pytest.raises(FolderExists):
        account.create("inbox")
    for bad in ("a*", "", "a//b", "x/../../y"):
        with pytest.raises(BadFolderName):
            account.create(bad)
    account.create("Projekte")
    assert account.open("Projekte/").name == "Projekte"


def test_special_use_by_the_client_wins(account: MaildirAccount) -> None:
    account.create("Gesendet", "\\Sent")
    uses = {info.name: info.special_use for info in account.folders()}
    assert (uses["Gesendet"], uses["Sent"]) == ("\\Sent", "")
    account.rename("Gesendet", "Weg")
    uses = {info.name: info.special_use for info in account.folders()}
    assert uses["Weg"] == "\\Sent"
    account.delete("Weg")
    uses = {info.name: info.special_use for info in account.folders()}
    assert uses["Sent"] == "\\Sent"


def test_delete_keeps_children_and_gives_room_back(
    account: MaildirAccount, opened: OpenStore
) -> None:
    account.create("A")
    account.create("A/B")
    folder = account.open("A")
    folder.append([message("gone")])
    account.delete("A")
    assert [n for n in names_of(account) if n.startswith("A/")] == ["A/B"]
    assert account.quota().messages == 0
    assert [e for e in os.listdir(opened.path()) if "deleted" in e] == []
    with pytest.raises(NoSuchFolder):
        account.delete("A")
    with pytest.raises(BadFolderName):
        account.delete("INBOX")
    account.create("A")
    assert account.open("A").refresh().uidvalidity > folder.picture().uidvalidity


def test_rename_takes_children_along(account: MaildirAccount) -> None:
    for name in ("A", "A/B", "A/B/C", "AB"):
        account.create(name)
    account.open("A/B").append([message("x")])
    mailbox_id = account.open("A/B").mailbox_id
    account.rename("A", "Z/Y")
    assert {"Z", "Z/Y", "Z/Y/B", "Z/Y/B/C", "AB"} <= set(names_of(account))
    assert not {"A", "A/B"} & set(names_of(account))
    moved = account.open("Z/Y/B")
    assert (moved.mailbox_id, texts(moved)) == (mailbox_id, ["x"])
    account.rename("Z", "Q")  # only a parent
    assert "Q/Y/B" in names_of(account)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("Nope", "X", NoSuchFolder),
        ("Sent", "Junk", FolderExists),
        ("Sent", "INBOX", FolderExists),
        ("Sent", "Sent", FolderExists),
        ("Sent", "Sent/Sub", BadFolderName),
        ("Sent", "a%", BadFolderName),
    ],
)
def test_renames_that_are_refused(
    account: MaildirAccount, old: str, new: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        account.rename(old, new)
    assert names_of(account) == ["INBOX", *SPECIAL]


def test_renaming_inbox_moves_its_messages(account: MaildirAccount, opened: OpenStore) -> None:
    opened.deliver("a", "b")
    account.rename("InBox", "Old")
    assert texts(account.open("INBOX")) == []
    assert texts(account.open("Old")) == ["a", "b"]


def test_subscriptions(account: MaildirAccount, opened: OpenStore) -> None:
    account.subscribe("Not/There", True)
    account.subscribe("Sent", False)
    assert "Not/There" in account.subscriptions()
    assert "Sent" not in account.subscriptions()
    text = opened.path("subscriptions").read_bytes()
    assert text.startswith(b"V\t2\n\n")
    assert b"\nNot\tThere\n" in text
    with pytest.raises(BadFolderName):
        account.subscribe("a\nb", True)


@pytest.mark.parametrize("maildir", ["", "/", "../x", "a/../../b", "a/./b", "a//b", "a\nb", "a\0b"])
def test_a_maildir_that_leads_out_is_refused(opened: OpenStore, maildir: str) -> None:
    with pytest.raises(BadFolderName):
        opened.store.account(AccountRef("u", maildir))
    outcome = opened.store.accept([Delivery(AccountRef("u", maildir), message())])
    assert outcome[0].code == "4.3.0"


def test_symlinks_do_not_lead_out(opened: OpenStore, tmp_path: Path) -> None:
    account = opened.store.account(REF)
    outside = tmp_path / "outside"
    for part in ("cur", "new", "tmp"):
        (outside / part).mkdir(parents=True)
    (outside / "cur/1.secret:2,").write_bytes(b"Subject: secret\r\n\r\n")
    opened.path(".Link").symlink_to(outside)
    opened.path(".Half").mkdir()
    for part in ("cur", "new", "tmp"):
        opened.path(f".Half/{part}").symlink_to(outside / part)
    opened.path("cur/1.evil:2,").symlink_to(outside / "cur/1.secret:2,")
    (opened.root / "away").symlink_to(outside)
    assert "Link" not in names_of(account)
    for name in ("Link", "Half"):
        with pytest.raises(NoSuchFolder):
            account.open(name)
    with pytest.raises(BadFolderName):
        opened.store.account(AccountRef("u", "away/u"))
    folder = account.open("INBOX")
    assert list(folder.refresh(rescan=True).uids) == []


def test_foreign_names_in_another_form_are_found(
    account: MaildirAccount, opened: OpenStore
) -> None:
    path = opened.path(".&AEEAQg-")  # "AB" in needless base64
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    assert "AB" in names_of(account)
    account.open("AB").append([message("x")])
    assert referee(path) == ["x"]
    with pytest.raises(FolderExists):
        account.create("AB")


def test_a_dovecot_maildir_is_taken_over(opened: OpenStore) -> None:
    path = opened.path()
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    for name in ("5.b:2,Sa", "3.a:2,", "9.c:2,Sb"):
        (path / "cur" / name).write_bytes(b"Subject: %s\r\n\r\n" % name[0].encode())
    (path / "dovecot-uidlist").write_text(
        "3 V77 N42 G0123456789abcdef0123456789abcdef\n7 :5.b\n12 :3.a:2,F\n"
    )
    (path / "dovecot-keywords").write_text("0 work\n1 later\n")
    (path / "subscriptions").write_text("V\t2\n\nINBOX\nOld\tOne\n")
    account = opened.store.account(REF)
    folder = account.open("INBOX")
    picture = folder.refresh()
    assert (picture.uidvalidity, list(picture.uids), picture.uidnext) == (77, [7, 12, 42], 43)
    assert [texts(folder), folder.mailbox_id] == [
        ["5", "3", "9"], "0123456789abcdef0123456789abcdef",
    ]  # fmt: skip
    assert [info.keywords for info in folder.infos([7, 12, 42])] == [{"work"}, set(), {"later"}]
    assert account.subscriptions() == ["INBOX", "Old/One"]
    folder.store_flags([12], FlagsOp.ADD, NO_FLAGS, frozenset({"new"}))
    assert (path / "dovecot-keywords").read_text() == "0 work\n1 later\n2 new\n"


def test_the_inbox_rebuilt_after_a_lost_journal_gets_a_new_uidvalidity(opened: OpenStore) -> None:
    test_a_dovecot_maildir_is_taken_over(opened)
    opened.folder().append([message("later")])
    opened.path("mailnode.journal").unlink()
    again = OpenStore(opened.root.parent, "n2")
    picture = again.folder().refresh()
    assert picture.uidvalidity > 77
    assert len(picture.uids) == 4
    again.close()


def test_a_rename_that_fails_half_way_is_undone(account: MaildirAccount, opened: OpenStore) -> None:
    for name in ("A", "A/B", "A/C"):
        account.create(name)
    before = names_of(account)
    hook = files.on_step = FailAt(3, errno.EIO)  # rename, sync, rename
    with pytest.raises(StorageGone):
        account.rename("A", "Z")
    assert hook.failed.startswith("rename")
    files.on_step = None
    assert names_of(account) == before
    account.open("A/B").append([message("x")])
    assert findings(opened.root) == []


def test_what_a_killed_deletion_left_is_swept_by_the_next(
    account: MaildirAccount, opened: OpenStore
) -> None:
    left = opened.path("mailnode.deleted-0123")
    (left / "cur").mkdir(parents=True)
    (left / "sub/deep").mkdir(parents=True)
    (left / "new").symlink_to(opened.path("cur"))
    opened.deliver("stays")
    opened.folder().refresh()
    account.delete("Archive")
    assert not left.exists()
    assert texts(account.open("INBOX")) == ["stays"]
