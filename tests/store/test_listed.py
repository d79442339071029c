"""The list of folders from memory: made anew whenever anything on the disk is another."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from mailnode.runtime.tasks import MustWait
from mailnode.store import listing
from mailnode.store.account import MaildirAccount
from tests.support.mail_store import REF, OpenStore

TIMES = count(1_000_000_000)


@pytest.fixture
def account(opened: OpenStore) -> MaildirAccount:
    """One whose directory has stood still for a while, and was listed since."""
    account = opened.store.account(REF)
    settle(opened)
    account.folders()
    return account


def settle(opened: OpenStore) -> None:
    """Let the directory's last change be long ago, and at no time it had before."""
    at = next(TIMES)
    os.utime(opened.path(""), (at, at))


def names_of(account: MaildirAccount) -> list[str]:
    return [info.name for info in account.folders()]


def test_while_nothing_changes_no_directory_is_read(
    account: MaildirAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = account.folders()

    def read(path: bytes) -> list[bytes]:
        raise MustWait

    monkeypatch.setattr(listing, "list_dot_directories", read)
    assert account.folders() == before
    before.clear()
    assert account.folders(), "what a caller does to its list is its own matter"


def test_folders_made_renamed_and_deleted_show_at_once(
    account: MaildirAccount, opened: OpenStore
) -> None:
    account.create("Work/Old")
    assert {"Work", "Work/Old"} < set(names_of(account))
    settle(opened)
    assert "Work/Old" in names_of(account)
    account.rename("Work/Old", "Play")
    assert "Play" in names_of(account)
    assert "Work" not in names_of(account)
    settle(opened)
    names_of(account)
    account.delete("Play")
    assert "Play" not in names_of(account)


def test_so_do_those_of_another_node_and_of_another_program(
    account: MaildirAccount, opened: OpenStore, tmp_path: Path
) -> None:
    other = OpenStore(tmp_path, "n2")
    other.store.account(REF).create("Theirs")
    other.close()
    assert "Theirs" in names_of(account)
    settle(opened)
    names_of(account)
    for part in ("tmp", "new", "cur"):
        os.makedirs(opened.path(f".Foreign/{part}"))
    assert "Foreign" in names_of(account)


def test_one_that_gets_its_parts_late_is_found(account: MaildirAccount, opened: OpenStore) -> None:
    os.mkdir(opened.path(".Half"))
    settle(opened)
    assert "Half" not in names_of(account)
    os.mkdir(opened.path(".Half/cur"))
    assert "Half" in names_of(account)


def test_subscriptions_and_uses_count_too(account: MaildirAccount) -> None:
    account.subscribe("Archive", False)
    assert not next(info for info in account.folders() if info.name == "Archive").subscribed
    account.create("Kept", "\\Archive")
    uses = {info.name: info.special_use for info in account.folders()}
    assert (uses["Kept"], uses["Archive"]) == ("\\Archive", "")
