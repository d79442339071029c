"""Locks, the shelf of open folders, and shared syncs."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailnode.model.errors import StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.runtime.maillog import Event
from mailnode.store import FlagsOp, change
from mailnode.store.ledger import FolderBusy
from mailnode.store.syncing import GroupSync
from tests.support.mail_store import REF, OpenStore, message

NONE: frozenset[str] = frozenset()


def test_a_folder_locked_for_too_long_is_busy(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, lock_timeout_s=0.05)
    folder = opened.folder()
    folder.append([message("a")])
    with open(opened.path("mailnode.lock"), "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(FolderBusy):
            folder.append([message("b")])
        assert list(folder.refresh().uids) == [1]  # looking needs no lock
    folder.append([message("b")])
    opened.close()


def test_open_folders_are_bounded(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, open_folders=8)
    names = [f"f{i}" for i in range(20)]
    account = opened.store.account(REF)
    for name in names:
        account.create(name)
    before = len(os.listdir("/proc/self/fd"))
    for name in names:
        account.status(name)
    assert len(opened.store._services.shelf._cores) == 8
    assert len(os.listdir("/proc/self/fd")) - before < 20
    kept = [account.open(name) for name in names]
    assert len(opened.store._services.shelf._cores) == 20
    for folder in kept:
        folder.refresh()
        folder.close()
        folder.close()
    assert len(opened.store._services.shelf._cores) == 8
    opened.close()


def test_callers_share_a_sync_that_begins_after_they_came(tmp_path: Path) -> None:
    group, path = GroupSync(), os.fsencode(tmp_path)
    started, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def slow(step: str, _: bytes | str) -> None:
        started.release()
        go_on.acquire()

    files.on_step = slow
    try:
        first = threading.Thread(target=group.sync_dir, args=(path,), daemon=True)
        first.start()
        started.acquire()
        rest = [
            threading.Thread(target=group.sync_dir, args=(path,), daemon=True) for _ in range(5)
        ]
        for thread in rest:
            thread.start()
        while group._turns[path].users < 6:
            pass
        go_on.release()  # the first one's sync
        started.acquire()  # one more for all the others
        go_on.release()
        for thread in (first, *rest):
            thread.join(5)
            assert not thread.is_alive()
    finally:
        files.on_step = None
    assert not started.acquire(blocking=False)
    assert group._turns == {}


def test_a_failed_sync_fails_its_caller_and_the_next_tries_again(tmp_path: Path) -> None:
    group = GroupSync()
    with pytest.raises(FileNotFoundError):
        group.sync_dir(os.fsencode(tmp_path / "none"))
    group.sync_dir(os.fsencode(tmp_path))
    assert group._turns == {}


@pytest.mark.parametrize("fault", [ImportError, MemoryError, SystemExit, KeyboardInterrupt])
def test_a_leader_that_falls_leaves_nobody_waiting(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    group, path = GroupSync(), os.fsencode(tmp_path)
    leading, fall = threading.Event(), threading.Event()
    seen: list[object] = []

    def falls_once(step: str, _: bytes | str) -> None:
        if not leading.is_set():
            leading.set()
            assert fall.wait(60)
            raise fault

    def sync() -> None:
        try:
            group.sync_dir(path)
            seen.append("durable")
        except BaseException as error:
            seen.append(type(error))

    files.on_step = falls_once
    try:
        threads = [threading.Thread(target=sync, daemon=True) for _ in range(5)]
        threads[0].start()
        assert leading.wait(60)
        for thread in threads[1:]:
            thread.start()
        while group._turns[path].users < 5:
            pass
        fall.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
    finally:
        files.on_step = None
    assert sorted(map(str, seen)) == sorted([str(fault), *["durable"] * 4])
    assert group._turns == {}


def test_a_lock_that_cannot_be_looked_at_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is inside it yet, and everybody else would wait until we come again."""
    opened = OpenStore(tmp_path)
    folder = opened.folder()
    ledger, real = folder._core.ledger, os.stat

    def stat(path: object, **how: bool) -> os.stat_result:
        if isinstance(path, bytes) and path.endswith(b"mailnode.lock"):
            raise OSError(116, "Stale file handle")
        return real(path, **how)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(StorageGone), ledger.hold():
        pytest.fail("entered")
    monkeypatch.undo()
    with open(opened.path("mailnode.lock"), "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    opened.close()


def test_flags_are_synced_in_time_or_at_once(tmp_path: Path) -> None:
    synced = threading.Event()

    def note(step: str, path: bytes | str) -> None:
        if step == "fdatasync" and b"journal" in os.fsencode(path):
            synced.set()

    for interval in (0.02, 0):
        base = tmp_path / str(interval)
        base.mkdir()
        opened = OpenStore(base, flag_sync_s=interval)
        folder = opened.folder()
        folder.append([message("a")])
        synced.clear()
        files.on_step = note
        try:
            folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
            assert synced.wait(5) if interval else synced.is_set()
        finally:
            files.on_step = None
        opened.close()


def test_a_long_expunge_lets_others_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another node's delivery need not wait until thousands of files are gone."""
    monkeypatch.setattr(change, "EXPUNGED_AT_ONCE", 3)
    here, there = OpenStore(tmp_path), OpenStore(tmp_path, "n2")
    folder = here.folder()
    uids = folder.append([message(text) for text in "abcdefgh"])
    folder.store_flags(uids[1:], FlagsOp.ADD, Flag.DELETED, NONE)
    other = threading.Thread(target=there.deliver, args=("new",), daemon=True)
    monkeypatch.setattr(change, "time", SimpleNamespace(sleep=lambda _: other.join(60)))
    left: list[int] = []

    def note(step: str, path: bytes | str) -> None:
        if step == "unlink" and threading.current_thread() is threading.main_thread():
            if not left:
                other.start()
            left.append(len(os.listdir(here.path("new"))))

    files.on_step = note
    try:
        assert folder.expunge() == uids[1:]
    finally:
        files.on_step = None
    assert not other.is_alive()
    assert left == [0, 0, 0, 1, 1, 1, 1]
    assert list(folder.refresh().uids) == [uids[0], uids[-1] + 1]
    here.close()
    there.close()


def test_what_is_removed_is_durable_before_it_is_told(tmp_path: Path) -> None:
    """RFC 1939 6: POP3's QUIT says +OK to that; EXPUNGE is told, and durable within a time."""
    opened = OpenStore(tmp_path, flag_sync_s=60)
    folder = opened.folder()
    folder.append([message(text) for text in "abc"])
    folder.store_flags([3], FlagsOp.ADD, Flag.DELETED, NONE)
    steps: list[tuple[str, str]] = []
    files.on_step = lambda step, path: steps.append((step, os.path.basename(os.fsdecode(path))))
    try:
        assert folder.expunge() == [3]
        assert [step for step, _ in steps if "sync" in step] == []
        steps.clear()
        assert folder.remove([1, 2]) == [1, 2]
    finally:
        files.on_step = None
    assert [step for step, _ in steps].count("unlink") == 2
    assert steps[-2:] == [("fdatasync", "mailnode.journal"), ("fsync-dir", "cur")]
    opened.close()


def test_a_sync_that_fails_in_the_background_is_logged(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, flag_sync_s=60)
    folder = opened.folder()
    folder.append([message("a")])
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)

    def fail(step: str, _: bytes | str) -> None:
        raise OSError(5, "Input/output error")

    files.on_step = fail
    try:
        opened.store._services.lazy.close()
    finally:
        files.on_step = None
    assert [e for e, _ in opened.log.events] == [Event.STORAGE]
    opened.close()


def test_a_fault_of_ours_does_not_end_the_syncs_in_the_background(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, flag_sync_s=0.02)
    folder = opened.folder()
    folder.append([message("a")])
    failed, synced = threading.Event(), threading.Event()

    def fail(step: str, _: bytes | str) -> None:
        if threading.current_thread().name == "flag-sync":
            if not failed.is_set():
                failed.set()
                raise ImportError("half-written module")
            synced.set()

    files.on_step = fail
    try:
        folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
        assert failed.wait(60)
        folder.store_flags([1], FlagsOp.ADD, Flag.FLAGGED, NONE)
        assert synced.wait(60)
    finally:
        files.on_step = None
    assert Event.ERROR in [event for event, _ in opened.log.events]
    opened.close()


def test_io_errors_are_storage_gone(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    folder = opened.folder()
    with pytest.raises(StorageGone), files.storage_errors(b"x"):
        raise OSError(116, "Stale file handle")
    folder.close()
    opened.close()


def test_storage_that_vanishes_under_an_open_folder_is_gone_not_deleted(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    folder = opened.folder()
    folder.append([message("a")])
    opened.root.rename(tmp_path / "away")
    opened.root.mkdir()
    account = None
    for verb in (
        folder.refresh,
        folder.status,
        lambda: folder.read(1),
        lambda: folder.append([message("b")]),
        lambda: folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE),
        lambda: folder.remove([1]),
        lambda: opened.store.account(REF),
    ):
        with pytest.raises(StorageGone):
            account = verb()
    assert account is None
    assert list(opened.root.iterdir()) == []
    opened.root.rmdir()
    (tmp_path / "away").rename(opened.root)
    assert folder.append([message("b")]) == [2]
    opened.close()


def test_a_flag_is_synced_although_its_folder_was_put_away(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, flag_sync_s=60)
    folder = opened.folder()
    folder.append([message("a")])
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, NONE)
    folder.close()
    opened.store._services.shelf.close()
    seen: list[str] = []
    files.on_step = lambda step, path: seen.append(f"{step} {os.path.basename(os.fsdecode(path))}")
    try:
        opened.store._services.lazy.close()
    finally:
        files.on_step = None
    assert seen == ["fdatasync mailnode.journal", "fsync-dir cur"]
    opened.close()


def test_only_the_first_to_look_waits_for_the_disk(tmp_path: Path) -> None:
    """Of all processes: a second store on the same root stands for another one."""
    opened, other = OpenStore(tmp_path), OpenStore(tmp_path)
    folder, theirs = opened.folder(), other.folder()
    theirs.refresh()
    synced: list[bytes | str] = []
    files.on_step = lambda name, path: synced.append(path) if name == "fdatasync" else None
    journal = os.fsencode(opened.path("mailnode.journal"))
    folder.append([message("a")])
    assert synced.count(journal) == 1
    assert list(theirs.refresh().uids) == [1]
    assert list(folder.refresh().uids) == [1]
    assert synced.count(journal) == 1
    theirs.append([message("b")])
    folder.refresh()
    assert synced.count(journal) == 2
    files.on_step = None
    folder.close()
    theirs.close()
    other.close()
    opened.close()


def test_a_damaged_or_foreign_note_of_what_is_durable_is_not_believed(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.append([message("a")])
    ledger, end = folder._core.ledger, folder._core.offset
    assert ledger._noted_durable(ledger._durable_mark(end)) == end
    lock = opened.path("mailnode.lock")
    good = lock.read_bytes()
    for wrong in (good[:128], good[:128] + b"x" + good[129:], good[:128] + b" " * 64):
        lock.write_bytes(wrong)
        assert ledger._noted_durable(ledger._durable_mark(end)) == 0
    lock.write_bytes(good)
    with folder._core.changing():
        folder._core.rewrite()  # a new journal at the same place
    assert ledger._noted_durable(ledger._durable_mark(1)) == 0
    folder.close()
