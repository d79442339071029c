from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.model.errors import OverQuota
from mailnode.model.status import Verdict
from mailnode.runtime import files
from mailnode.runtime.maillog import ListLog
from mailnode.store import AccountRef, Delivery, QuotaUse, quota
from mailnode.store.export import export_dovecot
from mailnode.store.journal import Totals
from mailnode.store.later import CLOSE_S, Later
from mailnode.store.quota import Quota, RoomTaken, count_folder
from mailnode.store.use_mirror import PACE, UseMirror
from tests.support.mail_store import REF, FailAt, OpenStore, findings, message

SMALL = AccountRef(REF.user, REF.maildir, 100)
SIZE = len(b"Subject: a\r\n\r\na\r\n")


@pytest.fixture
def foreign(tmp_path: Path) -> bytes:
    """An account that no mailnode has looked into."""
    for part in ("cur", "new", "tmp", ".Sub/cur", ".Sub/new", ".no-folder"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "cur/1.a,S=10:2,").write_bytes(b"")
    (tmp_path / ".Sub/new/2.b").write_bytes(b"12345")
    (tmp_path / ".file").touch()
    return os.fsencode(tmp_path)


def in_use(one: OpenStore) -> tuple[int, int]:
    use = one.store.account(REF).quota()
    return use.used_bytes, use.messages


def by_files(one: OpenStore) -> tuple[int, int]:
    found = [path for path in one.path().rglob("*,S=*") if path.is_file()]
    return sum(path.stat().st_size for path in found), len(found)


# -- what is in use ------------------------------------------------------------------------


def test_folders_without_a_journal_are_counted(foreign: bytes) -> None:
    one = Quota(foreign)
    assert one.use(100) == QuotaUse(15, 2, 100)
    Path(os.fsdecode(foreign), ".Sub/new/3.c").write_bytes(b"1")
    assert one.use(0).messages == 3
    assert count_folder(foreign + b"/.gone") == Totals()


def test_a_count_of_settled_files_is_kept(foreign: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (b"/cur", b"/new", b"/.Sub/cur", b"/.Sub/new"):
        os.utime(foreign + place, (1000, 1000))
    one = Quota(foreign)
    one.use(0)
    monkeypatch.setattr(quota, "count_folder", lambda path: pytest.fail(f"counted {path!r}"))
    monkeypatch.setattr(quota, "_look", lambda path: quota._Seen(None, Totals()))
    assert one.use(0) == QuotaUse(15, 2, 0)


def test_files_are_counted_without_looking_for_a_journal_again(
    foreign: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (b"/cur", b"/new", b"/.Sub/cur", b"/.Sub/new"):
        os.utime(foreign + place, (1000, 1000))
    looked: list[bytes] = []

    def look(path: bytes) -> quota._Seen:
        looked.append(path)
        return quota._Seen(None, Totals())

    monkeypatch.setattr(quota, "_look", look)
    one = Quota(foreign)
    assert one.use(0) == QuotaUse(15, 2, 0)
    assert looked == [foreign + b"/.no-folder"]
    Path(os.fsdecode(foreign), ".Sub/new/3.c").write_bytes(b"1")
    os.utime(foreign + b"/.Sub/new", (1001, 1001))
    assert one.use(0).messages == 3


def test_use_is_the_sum_of_the_journals_through_every_change(opened: OpenStore) -> None:
    other = OpenStore(opened.root.parent, node="n2")
    here, there = opened.folder(), other.folder("Archive")

    def same() -> None:
        assert in_use(opened) == in_use(other) == by_files(opened)

    opened.deliver("a", "b", "c")
    other.deliver("d", folder="Archive")
    same()
    here.append([message("e")])
    here.copy([1, 2], opened.folder("Archive"))
    same()
    here.move([3], opened.folder("Sent"))
    there.remove([1])
    same()
    opened.store.account(REF).rename("Archive", "Old")
    same()
    other.store.account(REF).delete("Old")
    same()
    assert in_use(opened)[1] == 4
    other.close()


def test_only_what_changed_is_read_again(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = opened.store.account(REF)
    for number in range(20):
        account.create(f"F{number}")
    opened.deliver("a", folder="F7")
    for info in account.folders():
        account.status(info.name)  # so that each has a journal
    account.quota()
    read: list[bytes] = []
    look = quota._look

    def watched(path: bytes) -> quota._Seen:
        read.append(path)
        return look(path)

    monkeypatch.setattr(quota, "_look", watched)
    account.quota()
    assert read == []
    other = OpenStore(opened.root.parent, node="n2")
    other.deliver("b", folder="F3")
    other.close()  # which looks for itself
    read.clear()
    assert account.quota().messages == 2
    assert read == [os.fsencode(opened.path(".F3"))]


def test_a_torn_tail_counts_up_to_it_and_is_not_remembered(opened: OpenStore) -> None:
    opened.deliver("a", "b")
    before = in_use(opened)
    opened.deliver("c")
    journal = opened.path("mailnode.journal")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-5] + b"XXXXX")
    times = journal.stat().st_mtime_ns, journal.stat().st_mtime_ns
    assert in_use(opened) == before
    journal.write_bytes(whole)
    os.utime(journal, ns=times)  # looks as it did while it was torn
    assert in_use(opened) == by_files(opened)


@pytest.mark.parametrize(
    "ruin", [b"", b"nonsense", b"mailnode" + bytes(56), None], ids=["empty", "text", "zeros", "old"]
)
def test_a_journal_that_cannot_be_read_leaves_the_files(
    opened: OpenStore, ruin: bytes | None
) -> None:
    opened.deliver("a", "b")
    journal = opened.path("mailnode.journal")
    if ruin is None:
        raw = bytearray(journal.read_bytes())
        raw[8:10] = (1).to_bytes(2, "little")
        raw[60:64] = __import__("zlib").crc32(bytes(raw[:60])).to_bytes(4, "little")
        ruin = bytes(raw)
    journal.write_bytes(ruin)
    fresh = Quota(os.fsencode(opened.path()))
    assert (fresh.use(0).used_bytes, fresh.use(0).messages) == by_files(opened)


# -- room ----------------------------------------------------------------------------------


def test_the_last_room_is_given_once(opened: OpenStore) -> None:
    opened.store.account(REF)
    one = Quota(os.fsencode(opened.path()))
    got: list[int] = []

    def grab() -> None:
        try:
            one.reserve(10, 45)
            got.append(1)
        except RoomTaken:
            pass

    threads = [threading.Thread(target=grab, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    one.release(10)
    one.reserve(10, 45)


def test_what_is_full_is_told_from_what_is_busy(opened: OpenStore) -> None:
    opened.deliver("a", "b")
    one = Quota(os.fsencode(opened.path()))
    one.reserve(SIZE, 4 * SIZE)
    with pytest.raises(RoomTaken):
        one.reserve(2 * SIZE, 4 * SIZE)
    with pytest.raises(OverQuota):
        one.reserve(3 * SIZE, 4 * SIZE)
    one.release(SIZE)
    one.reserve(2 * SIZE, 4 * SIZE)


def test_copies_of_one_batch_share_the_room(opened: OpenStore) -> None:
    ref = AccountRef(REF.user, REF.maildir, 2 * SIZE)
    outcomes = opened.store.accept([Delivery(ref, message(text)) for text in "abc"])
    assert [(one.verdict, one.code) for one in outcomes] == [
        (Verdict.DONE, "2.0.0"), (Verdict.DONE, "2.0.0"), (Verdict.LATER, "4.2.2"),
    ]  # fmt: skip
    (again,) = opened.store.accept([Delivery(ref, message("c"))])
    assert (again.verdict, again.code) == (Verdict.NEVER, "5.2.2")


def _deliver(one: OpenStore) -> None:
    one.store.accept([Delivery(SMALL, message("x")), Delivery(SMALL, message("y"), "Sent")])


def _append(one: OpenStore) -> None:
    folder = one.store.account(SMALL).open("INBOX")
    try:
        folder.append([message("x"), message("y")])
    finally:
        folder.close()


def _copy(one: OpenStore) -> None:
    account = one.store.account(SMALL)
    folder, sent = account.open("INBOX"), account.open("Sent")
    try:
        folder.copy([1], sent)
    finally:
        folder.close()
        sent.close()


@pytest.mark.parametrize("work", [_deliver, _append, _copy])
def test_no_failure_keeps_room(opened: OpenStore, work: Callable[[OpenStore], None]) -> None:
    folder = opened.folder()
    folder.append([message("kept")])
    for step in range(1, 60):
        hook = files.on_step = FailAt(step)
        try:
            work(opened)
        except (files.StorageFull, files.StorageGone):
            pass
        files.on_step = None
        assert opened.store.home(REF.maildir)._quota._reserved == 0, hook.failed
        for name in ("INBOX", "Sent"):
            box = opened.folder(name)
            box.refresh()
            box.remove([uid for uid in box.refresh().uids if name == "Sent" or uid > 1])
            box.append([message("after")])  # finishes what failed half done
            box.remove([uid for uid in box.refresh().uids if name == "Sent" or uid > 1])
            box.close()
        assert in_use(opened) == by_files(opened), hook.failed
        if not hook.failed:
            break
    assert step > 4
    assert findings(opened.root) == []


def _copy_into(one: OpenStore, ref: AccountRef) -> None:
    folder = one.store.account(ref).open("INBOX")
    try:
        folder.copy([1], folder)
    finally:
        folder.close()


def _append_to(one: OpenStore, ref: AccountRef) -> None:
    folder = one.store.account(ref).open("INBOX")
    try:
        folder.append([message("y")])
    finally:
        folder.close()


def _deliver_to(one: OpenStore, ref: AccountRef) -> None:
    (outcome,) = one.store.accept([Delivery(ref, message("y"))])
    if not outcome.ok:
        assert (outcome.verdict, outcome.code) == (Verdict.LATER, "4.2.2")
        raise RoomTaken


@pytest.mark.parametrize("work", [_deliver_to, _append_to, _copy_into])
def test_room_that_another_process_took_meanwhile_is_not_used_twice(
    opened: OpenStore, work: Callable[[OpenStore, AccountRef], None]
) -> None:
    """Both had room when they began; the second to record it finds that it is gone."""
    opened.deliver("a")
    opened.folder().close()
    other = OpenStore(opened.root.parent, node="n2")
    ref = AccountRef(REF.user, REF.maildir, 2 * SIZE)
    reserve = Quota.reserve

    def outrun(self: Quota, size: int, limit: int) -> None:
        reserve(self, size, limit)
        monkeypatch.undo()
        other.deliver("x", ref=ref)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Quota, "reserve", outrun)
        with pytest.raises(RoomTaken):
            work(opened, ref)
    assert in_use(opened) == by_files(opened) == (2 * SIZE, 2)
    with pytest.raises(OverQuota):
        opened.store.home(REF.maildir).reserve(ref, SIZE)
    assert findings(opened.root) == []
    other.close()


def test_other_folders_at_the_same_moment_bring_an_account_over_by_what_they_record(
    opened: OpenStore,
) -> None:
    """The bound that ``quota.py`` promises: each other process may record, between this one's look
    and its own record, what found room as well; whoever looks afterwards finds none."""
    opened.deliver("a")
    opened.folder().close()
    other = OpenStore(opened.root.parent, node="n2")
    other.store.account(REF).create("Sub")
    ref = AccountRef(REF.user, REF.maildir, 2 * SIZE)
    reserve = Quota.reserve

    def outrun(self: Quota, size: int, limit: int) -> None:
        reserve(self, size, limit)
        monkeypatch.undo()
        other.deliver("x", ref=ref, folder="Sub")

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Quota, "reserve", outrun)
        _deliver_to(opened, ref)
    # One message of one other process beyond the limit.
    assert in_use(opened) == by_files(opened) == (3 * SIZE, 3)
    for one in (opened, other):
        with pytest.raises(OverQuota):
            one.store.home(REF.maildir).reserve(ref, SIZE)
    assert findings(opened.root) == []
    other.close()


def test_without_a_limit_nothing_is_added_up(
    opened: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.store.account(REF)
    monkeypatch.setattr(Quota, "reserve", lambda *_: pytest.fail("added up"))
    opened.deliver("a")
    opened.folder().append([message("b")])


# -- telling others ------------------------------------------------------------------------


def test_the_last_use_is_told_once_and_at_close(opened: OpenStore) -> None:
    for text in "abc":
        opened.deliver(text)
    opened.folder().remove([1])
    opened.close()
    assert opened.uses[-1] == (REF.user, 2 * SIZE, 2)
    # However fast it went, it was told once a second at most; a slow machine may take seconds.
    assert len(opened.uses) <= 4
    count = len(opened.uses)
    opened.close()
    assert len(opened.uses) == count


def test_what_cannot_be_told_is_logged_and_the_next_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    log = ListLog()
    heard = threading.Event()

    def tell(user: str, used: int, messages: int) -> None:
        if user == "bad":
            raise ImportError("half-written module")
        told.append(user)
        heard.set()

    (tmp_path / "cur").mkdir()
    (tmp_path / "new").mkdir()
    good, gone = Quota(os.fsencode(tmp_path)), Quota(b"/no/such/account")
    mirror = UseMirror(tell, log, interval_s=0.0)
    for user, one in (("bad", good), ("gone", gone), ("good", good)):
        heard.clear()
        mirror.changed(user, one)
    assert heard.wait(60)
    mirror.changed("last", good)
    mirror.close()
    assert told == ["good", "last"]
    assert {fields["user"] for _, fields in log.events} == {"bad", "gone"}


def test_a_flood_of_changed_accounts_is_told_at_a_pace(tmp_path: Path) -> None:
    """The oldest first, a part in each interval; what the end has no time for is counted."""
    done: list[int] = []
    several, closing = threading.Event(), threading.Event()

    def tell(number: int, _value: None) -> None:
        done.append(number)
        if len(done) == 7:
            several.set()
            assert closing.wait(60)
        if len(done) > 9:
            time.sleep(CLOSE_S / 2)

    later = Later[int, None]("pace", 0.01, tell, lambda *_: pytest.fail("failed"), pace=3)
    for number in range(100):
        later.add(number, None)
    assert several.wait(60)
    assert later.waiting() == 100 - 9
    closing.set()
    left = later.close()
    assert done == list(range(len(done)))
    assert left == 100 - len(done) > 0
    assert later.close() == 0


def test_who_is_not_told_at_the_end_is_counted_in_the_log(tmp_path: Path) -> None:
    log = ListLog()
    began = threading.Event()

    def tell(user: str, _used: int, _messages: int) -> None:
        if user == f"user{PACE}":  # the first one beyond the last turn
            began.set()
            time.sleep(CLOSE_S)

    for name in ("cur", "new"):
        (tmp_path / name).mkdir()
    mirror = UseMirror(tell, log, interval_s=60.0)
    for number in range(PACE + 5):
        mirror.changed(f"user{number}", Quota(os.fsencode(tmp_path)))
    mirror.close()
    assert began.is_set()
    assert [fields["what"] for _, fields in log.events] == ["use of mailboxes"]


def test_a_foreign_count_goes_with_the_first_change(opened: OpenStore) -> None:
    """It knows nothing of what we do; whoever needs it counts anew."""
    opened.deliver("a")
    opened.path("maildirsize").write_text("5S\n5 1\n")
    opened.store.account(REF).quota()
    assert opened.path("maildirsize").exists()
    opened.deliver("b")
    opened.close()
    assert not opened.path("maildirsize").exists()


def test_a_foreign_count_goes_also_when_nobody_can_be_told(tmp_path: Path) -> None:
    def tell(_user: str, _used: int, _messages: int) -> None:
        raise OSError("no directory")

    for name in ("cur", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "maildirsize").write_text("5S\n5 1\n")
    mirror = UseMirror(tell, ListLog(), interval_s=0.0)
    mirror.changed("ann", Quota(os.fsencode(tmp_path)))
    mirror.close()
    assert not (tmp_path / "maildirsize").exists()


def test_an_export_leaves_no_foreign_count(opened: OpenStore) -> None:
    opened.deliver("a")
    opened.close()
    opened.path("maildirsize").write_text("5S\n5 1\n")
    again = OpenStore(opened.root.parent, node="n2")
    export_dovecot(again.store.home(REF.maildir))
    assert not opened.path("maildirsize").exists()
    again.close()
