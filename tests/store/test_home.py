"""What a worker looks at when it meets an account, and what it believes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailnode.model.errors import BadFolderName
from mailnode.store.home import account_path
from tests.support.mail_store import REF, OpenStore


def test_only_a_link_below_the_root_is_followed_to_its_end(tmp_path: Path) -> None:
    real, outside = tmp_path / "real", tmp_path / "outside"
    (real / "here/user").mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "root").symlink_to(real)
    root = os.fsencode(tmp_path / "root")
    (real / "inside").symlink_to("here")
    (real / "out").symlink_to(outside)
    (real / "here/out").symlink_to("../../outside")
    for maildir in ("here/user/", "here/not-yet", "inside/user"):
        assert account_path(root, maildir) == root + b"/" + maildir.strip("/").encode()
    for maildir in ("out", "out/user", "here/out/user", "inside/out"):
        with pytest.raises(BadFolderName):
            account_path(root, maildir)


def test_an_account_that_was_made_is_met_without_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = OpenStore(tmp_path)
    made.store.account(REF)
    made.close()
    again = OpenStore(tmp_path)

    def locked(*_args: object) -> None:
        raise AssertionError("the lock was taken")

    monkeypatch.setattr("mailnode.store.home.Home.lock", locked)
    again.store.account(REF)
    again.deliver("one")
    again.close()


def test_an_account_whose_making_was_cut_off_is_made_whole(tmp_path: Path) -> None:
    made = OpenStore(tmp_path)
    made.store.account(REF)
    made.close()
    made.path("mailnode.account").write_bytes(b"mailnode acc")
    made.path("new").rmdir()
    again = OpenStore(tmp_path)
    again.deliver("one")
    assert made.path("new").is_dir()
    assert made.path("mailnode.account").read_bytes() == b"mailnode account 1\n"
    again.close()


def test_a_folder_that_vanished_after_it_was_looked_at_is_looked_for(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    opened.deliver("one")
    opened.store._services.shelf.close()  # as after many others: only the look is remembered
    os.rename(opened.path(""), tmp_path / "moved")
    opened.deliver("two")
    assert len(list(opened.path("new").iterdir())) == 1
    opened.close()
