"""Delivery: each copy on its own, durable before DONE, whatever fails."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator

import pytest

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.model.status import Verdict
from mailnode.runtime import files
from mailnode.runtime.maillog import Event
from mailnode.store import AccountRef, Delivery
from mailnode.store.journal import JOURNAL_NAME
from tests.support.mail_store import (
    REF,
    FailAt,
    OpenStore,
    findings,
    message,
    referee,
    subject,
    texts,
)

OTHER = AccountRef("other@example.test", "example.test/other/", 60)


@pytest.fixture(params=["cold", "warm"])
def store(opened: OpenStore, request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """A store whose folder nobody, or somebody, has open."""
    opened.deliver("first")
    folder = opened.folder()
    folder.refresh()
    if request.param == "cold":
        folder.close()
        opened.store._services.shelf.close()
    return opened


def test_each_copy_has_its_own_outcome(store: OpenStore) -> None:
    nowhere = AccountRef("x", "../x")
    outcomes = store.store.accept([
        Delivery(REF, message("a")),
        Delivery(OTHER, message("z" * 99)),
        Delivery(nowhere, message("b")),
        Delivery(OTHER, message("c")),
        Delivery(REF, message("d"), "No/Such"),
    ])  # fmt: skip
    assert [(o.verdict, o.code) for o in outcomes] == [
        (Verdict.DONE, "2.0.0"), (Verdict.NEVER, "5.2.2"), (Verdict.LATER, "4.3.0"),
        (Verdict.DONE, "2.0.0"), (Verdict.DONE, "2.0.0"),
    ]  # fmt: skip
    assert texts(store.folder()) == ["first", "a", "d"]
    other = store.store.account(OTHER)
    assert texts(other.open("INBOX")) == ["c"]
    assert other.quota().messages == 1
    assert os.listdir(store.root / "example.test/other/tmp") == []


@pytest.mark.parametrize("number", range(1, 8))
def test_a_copy_that_fails_leaves_neither_file_nor_descriptor(
    store: OpenStore, number: int
) -> None:
    store.deliver("second")
    before = len(os.listdir("/proc/self/fd"))
    # Two copies: created and written one after the other, then synced.
    hook = files.on_step = FailAt(number, errno.EIO)
    try:
        outcomes = store.store.accept([Delivery(REF, message(text)) for text in "ab"])
    finally:
        files.on_step = None
    assert hook.failed
    assert not all(outcome.ok for outcome in outcomes)
    assert len(os.listdir("/proc/self/fd")) == before
    assert os.listdir(store.path("tmp")) == []
    assert findings(store.root) == []


def test_flags_and_keywords_are_kept(store: OpenStore) -> None:
    done = store.store.accept([
        Delivery(REF, message("a", Flag.SEEN)),
        Delivery(REF, message("b", NO_FLAGS, frozenset({"list"}))),
    ])  # fmt: skip
    assert all(outcome.ok for outcome in done)
    folder = store.folder()
    folder.refresh()
    assert [(i.flags, i.keywords) for i in folder.infos([2, 3])] == [
        (Flag.SEEN, set()), (NO_FLAGS, {"list"}),
    ]  # fmt: skip


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_whatever_step_fails_no_copy_is_lost_or_halved(store: OpenStore, code: int) -> None:
    promised = ["first"]
    for step in range(1, 80):
        hook = files.on_step = FailAt(step, code)
        batch = [Delivery(REF, message(f"{step}-{i}")) for i in range(3)]
        outcomes = store.store.accept(batch)
        files.on_step = None
        promised += [f"{step}-{i}" for i, outcome in enumerate(outcomes) if outcome.ok]
        for outcome in outcomes:
            assert outcome.verdict is not Verdict.NEVER, hook.failed
            assert outcome.ok or outcome.code in ("4.3.0", "4.3.1")
        if not hook.failed:
            break
        assert not all(outcome.ok for outcome in outcomes), hook.failed
    assert step > 10
    seen = texts(store.folder())
    assert set(promised) <= set(seen)
    assert len(seen) == len(set(seen))
    assert os.listdir(store.path("tmp")) == []
    assert sorted(store.folder().refresh(rescan=True).uids) == list(store.folder().refresh().uids)
    assert findings(store.root) == []


def test_a_torn_journal_is_cut_before_the_next_record(store: OpenStore) -> None:
    with open(store.path(JOURNAL_NAME.decode()), "ab") as file:
        file.write(b"\xabMR\n\x40\0\0\0torn")
    store.deliver("second")
    assert texts(store.folder()) == ["first", "second"]
    again = OpenStore(store.root.parent, "n2")
    assert texts(again.folder()) == ["first", "second"]
    assert not [e for e, _ in store.log.events if e is Event.STORAGE]
    again.close()


@pytest.mark.parametrize("ruin", [b"", b"x" * 10, b"mailnode" + b"\0" * 90])
def test_a_ruined_journal_is_made_anew_by_a_delivery(store: OpenStore, ruin: bytes) -> None:
    before = store.folder().refresh()
    store.path("mailnode.journal").write_bytes(ruin)
    store.deliver("second")
    folder = OpenStore(store.root.parent, "n2").folder()
    assert sorted(texts(folder)) == ["first", "second"]
    assert folder.refresh().uidvalidity > before.uidvalidity
    assert store.path("mailnode.journal.damaged").read_bytes() == ruin
    assert [f["remedy"] for e, f in store.log.events if e is Event.STORAGE]


def test_a_missing_root_is_a_temporary_failure(store: OpenStore) -> None:
    store.root.rename(store.root.parent / "away")
    store.root.mkdir()
    outcomes = store.store.accept([Delivery(REF, message("lost?"))])
    assert [(o.verdict, o.code) for o in outcomes] == [(Verdict.LATER, "4.3.0")]
    assert os.listdir(store.root) == []
    shutil.rmtree(store.root)
    (store.root.parent / "away").rename(store.root)
    store.deliver("back")
    assert "back" in texts(store.folder())


def test_threads_deliver_into_one_folder(store: OpenStore) -> None:
    def deliver(number: int) -> None:
        for turn in range(10):
            store.deliver(f"{number}-{turn}", f"{number}-{turn}b")

    threads = [threading.Thread(target=deliver, args=(n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder = store.folder()
    picture = folder.refresh()
    assert list(picture.uids) == list(range(1, 122))
    assert len({subject(folder.read(uid)) for uid in picture.uids}) == 121


def test_a_delivery_does_not_load_the_folder(store: OpenStore) -> None:
    store.store._services.shelf.close()
    store.deliver("x")
    core = store.store.account(REF)._home.open_core("INBOX")
    assert core.loaded is None


def test_a_fault_of_ours_is_logged_and_temporary(
    store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("mailnode.store.accept._sync_staged", broken)
    outcomes = store.store.accept([Delivery(REF, message("a")), Delivery(REF, message("b"))])
    assert {o.code for o in outcomes} == {"4.3.0"}
    assert {o.public for o in outcomes} == {"temporary failure, try again later"}
    assert "a bug" in str([f["cause"] for e, f in store.log.events if e is Event.ERROR])
    assert texts(store.folder()) == ["first"]


def test_a_folder_that_went_while_it_was_at_hand_is_looked_for(store: OpenStore) -> None:
    """Another program removes the sub-folder, then the whole account, under a store that has both
    open: the message goes to INBOX, then, asked again, into an account made anew."""
    store.store.account(REF).create("Sub")
    store.deliver("there", folder="Sub")
    store.deliver("in the inbox")
    shutil.rmtree(store.path(".Sub"))
    store.deliver("instead", folder="Sub")
    assert texts(store.folder()) == ["first", "in the inbox", "instead"]
    shutil.rmtree(store.path())
    first = store.store.accept([Delivery(REF, message("anew"))])[0]
    assert first.verdict is Verdict.LATER
    store.deliver("anew")
    assert referee(store.path()) == ["anew"]
    assert findings(store.root) == []
