"""What other programs do to the files, and what lies there after a crash."""

from __future__ import annotations

import contextlib
import mailbox
import os
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mailnode.model.errors import NoSuchMessage, StorageFull
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import FlagsOp, rescan
from mailnode.store.journal import HEADER_SIZE
from tests.support.mail_store import FailAt, OpenStore, message, texts

NONE: frozenset[str] = frozenset()


def foreign(opened: OpenStore) -> mailbox.Maildir:
    return mailbox.Maildir(os.fspath(opened.path()), create=False)


def only_name(opened: OpenStore) -> str:
    (name,) = os.listdir(opened.path("cur"))
    return name


def test_mail_put_into_new_is_adopted_at_the_next_look(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.refresh()
    box = foreign(opened)
    box.add(b"Subject: a\n\nx\n")
    assert texts(folder) == ["a"]
    box.add(b"Subject: b\n\nx\n")
    opened.deliver("c")
    assert sorted(texts(folder)) == ["a", "b", "c"]
    assert os.listdir(opened.path("new")) == []
    assert list(folder.refresh().uids) == [1, 2, 3]


def test_examine_adopts_too_but_moves_nothing(opened: OpenStore) -> None:
    opened.folder().close()
    foreign(opened).add(b"Subject: a\n\nx\n")
    folder = opened.folder(read_only=True)
    assert texts(folder) == ["a"]
    assert len(os.listdir(opened.path("new"))) == 1
    assert texts(opened.folder()) == ["a"]


def test_check_finds_foreign_changes(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a", keywords=frozenset({"k"})), message("b"), message("c")])
    before = folder.refresh()
    box = foreign(opened)
    for key, one in list(box.items()):
        assert isinstance(one, mailbox.MaildirMessage)
        if one["Subject"] == "a":
            one.set_flags("FS")
            box[key] = one
        if one["Subject"] == "b":
            box.remove(key)
    (opened.path("cur") / "9.copied:2,R").write_bytes(b"Subject: d\r\n\r\n")
    after = folder.refresh(rescan=True)
    assert list(after.uids) == [1, 3, 4]
    assert [folder.infos([u])[0].flags for u in (1, 3, 4)] == [
        Flag.FLAGGED | Flag.SEEN, Flag(0), Flag.ANSWERED,
    ]  # fmt: skip
    difference = folder.diff(before, after)
    assert (difference.expunged, difference.added, difference.flagged) == ((2,), (4,), (1,))
    assert folder.refresh(rescan=True) is after


def test_watching_needs_no_check(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, watch_foreign=True)
    folder = opened.folder()
    folder.append([message("a")])
    folder.refresh()
    name = only_name(opened)
    os.rename(opened.path("cur") / name, opened.path("cur") / (name + "S"))
    assert list(folder.refresh().flags) == [Flag.SEEN]
    opened.close()


def test_a_file_renamed_behind_our_back_is_still_read_and_changed(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    name = only_name(opened)
    os.rename(opened.path("cur") / name, opened.path("cur") / (name + "RX"))
    assert texts(folder) == ["a"]
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
    assert only_name(opened) == name + "S"
    folder.remove([1])
    assert os.listdir(opened.path("cur")) == []


def test_a_file_removed_behind_our_back_is_expunged_when_read(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a"), message("b")])
    before = folder.refresh()
    victim = next(p for p in opened.path("cur").iterdir() if b"Subject: a" in p.read_bytes())
    victim.unlink()
    with pytest.raises(NoSuchMessage):
        folder.read(1)
    assert folder.diff(before, folder.refresh()).expunged == (1,)


def test_two_files_of_one_base_name_both_stay(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    name = only_name(opened)
    (opened.path("cur") / (name + "S")).write_bytes(b"Subject: b\r\n\r\n")
    folder.refresh(rescan=True)
    assert sorted(texts(folder)) == ["a", "b"]
    os.link(opened.path("cur") / os.listdir(opened.path("cur"))[0], opened.path("cur/z"))


def test_damage_amid_the_journal_loses_no_message(opened: OpenStore) -> None:
    folder = opened.folder()
    for text in "abcdef":
        folder.append([message(text)])
    journal = opened.path("mailnode.journal")
    raw = bytearray(journal.read_bytes())
    at = raw.index(b"\xabMR\n", len(raw) // 2)
    raw[at + 30] ^= 0xFF
    journal.write_bytes(raw)
    again = OpenStore(opened.root.parent, "n2")
    fresh = again.folder()
    picture = fresh.refresh()
    assert sorted(texts(fresh)) == list("abcdef")
    assert picture.uidvalidity == folder.picture().uidvalidity
    assert picture.uidnext == 8  # one got a new UID, none got an old one
    assert opened.path("mailnode.journal.damaged").exists()
    assert sorted(texts(folder)) == list("abcdef")
    assert list(folder.refresh().uids) == list(picture.uids)
    again.close()


def test_a_lost_snapshot_keeps_the_counters(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    old = folder.refresh()
    journal = opened.path("mailnode.journal")
    raw = bytearray(journal.read_bytes())
    raw[HEADER_SIZE + 9] ^= 0xFF
    journal.write_bytes(raw)
    again = OpenStore(opened.root.parent, "n2")
    picture = again.folder().refresh()
    assert picture.uidvalidity == old.uidvalidity
    assert len(picture.uids) == 1
    assert picture.highestmodseq >= old.highestmodseq
    again.close()


def test_the_journal_truncated_at_any_byte(opened: OpenStore) -> None:
    folder = opened.folder()
    for text in "abc":
        folder.append([message(text)])
    folder.store_flags([2], FlagsOp.ADD, Flag.SEEN, NONE)
    opened.close()
    raw = opened.path("mailnode.journal").read_bytes()
    for cut in range(0, len(raw), 7):
        base = opened.root.parent / f"cut{cut}"
        shutil.copytree(opened.root, base / "mail")
        (base / "mail/example.test/user/mailnode.journal").write_bytes(raw[:cut])
        store = OpenStore(base)
        one = store.folder()
        one.refresh(rescan=True)
        assert sorted(texts(one)) == list("abc"), cut
        assert one.append([message("d")])[0] >= 4
        assert len(set(one.refresh().uids)) == 4
        store.close()


def test_passed_is_forwarded(opened: OpenStore) -> None:
    folder = opened.folder()
    (opened.path("cur") / "9.copied:2,PS").write_bytes(b"Subject: d\r\n\r\n")
    folder.refresh(rescan=True)
    assert folder.infos([1])[0].keywords == {"$Forwarded"}
    assert folder.refresh(rescan=True) is folder.picture()


def test_a_rebuild_that_fails_at_any_step_is_tried_again(opened: OpenStore) -> None:
    folder = opened.folder()
    for text in "abc":
        folder.append([message(text)])
    before = folder.refresh()
    journal = opened.path("mailnode.journal")
    raw = bytearray(journal.read_bytes())
    raw[HEADER_SIZE + 9] ^= 0xFF  # the snapshot
    for step in range(1, 20):
        journal.write_bytes(raw)
        again = OpenStore(opened.root.parent, "n2")
        hook = files.on_step = FailAt(step)
        try:
            again.folder().refresh()
        except StorageFull:
            pass
        files.on_step = None
        assert sorted(texts(again.folder())) == list("abc"), hook.failed
        assert again.folder().refresh().uidvalidity == before.uidvalidity
        assert list(again.folder().refresh().uids) == list(folder.refresh().uids)
        again.close()
        if not hook.failed:
            break
    assert step > 5


def test_a_compaction_that_fails_hurts_nobody(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    there = OpenStore(opened.root.parent, "n2")
    there.folder().refresh()
    monkeypatch.setattr("mailnode.store.core._COMPACT_BYTES", 1)
    for step in range(1, 12):
        files.on_step = FailAt(step)
        with contextlib.suppress(StorageFull):
            folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, frozenset({f"k{step}"}))
        files.on_step = None
        assert folder.store_flags([1], FlagsOp.REMOVE, Flag.SEEN, NONE).modified == ()
        assert there.folder().refresh() == folder.refresh()
    there.close()


def test_a_large_adoption_goes_by_age_and_sorts_little_at_a_time(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A sort keeps every other thread from running, however many messages there are.
    lengths: list[int] = []

    def watched(found: Iterable[object], **options: Any) -> list[object]:
        whole = list(found)
        lengths.append(len(whole))
        return sorted(whole, **options)

    monkeypatch.setattr(rescan, "sorted", watched, raising=False)
    monkeypatch.setattr(rescan, "_SORTED_AT_ONCE", 4)
    folder = opened.folder()
    folder.refresh()
    for at in random.Random(7).sample(range(30), 30):
        text = b"Subject: %02d\n\nx\n" % at
        Path(opened.path("new"), f"{1_700_000_000 + at // 3}.M{at % 3}P1Q1.x").write_bytes(text)
    assert texts(folder) == [f"{at:02}" for at in range(30)]
    assert max(lengths) == 4
