"""The node's view: kept summaries, and everything that may happen to its files."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import NoSuchMessage
from mailnode.runtime import tasks
from mailnode.runtime.maillog import Event, ListLog
from mailnode.store import view as view_module
from mailnode.store.view import MAX_KEPT_BYTES, FolderView, View
from mailnode.store.view_database import Database
from mailnode.wire.mime.summary import KINDS, summarise
from tests.support.processes import children

USER = "ann@example.test"


def message(uid: int) -> bytes:
    return b"Subject: number %d\r\nFrom: a@b.test\r\n\r\nBody %d\r\n" % (uid, uid)


def rows(*uids: int) -> dict[int, dict[str, bytes]]:
    return {uid: {kind: b"%s-%d" % (kind.encode(), uid) for kind in KINDS} for uid in uids}


@pytest.fixture
def log() -> ListLog:
    return ListLog()


@pytest.fixture
def view(tmp_path: Path, log: ListLog) -> Iterator[View]:
    made = View(tmp_path, log=log)
    yield made
    made.close()


@pytest.fixture
def folder(view: View) -> FolderView:
    return view.folder(USER, "aa11", 7)


def only_file(state: Path) -> Path:
    (path,) = state.rglob("*.sqlite")
    return path


def test_put_get_forget(folder: FolderView) -> None:
    folder.put(rows(1, 2, 0xFFFFFFFF))
    assert folder.get([2, 1, 9], "envelope") == {1: b"envelope-1", 2: b"envelope-2"}
    assert folder.get([0xFFFFFFFF], "headers") == {0xFFFFFFFF: b"headers-4294967295"}
    folder.forget([1])
    for kind in KINDS:
        assert list(folder.get([1, 2], kind)) == [2]


def test_what_nobody_looked_at_is_forgotten_without_writing(
    folder: FolderView, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[sqlite3.Connection] = []
    real = view_module.transaction
    monkeypatch.setattr(view_module, "transaction", lambda db: begun.append(db) or real(db))
    folder.put(rows(1))
    folder.keep_texts({2: "words"})
    begun.clear()
    folder.forget([3, 4])
    assert not begun
    for uid in (1, 2):  # of the one only the parts are kept, of the other only the text
        folder.forget([uid])
    assert len(begun) == 2
    assert folder.get([1], "body") == {}
    assert folder.may_contain([2], "WORDS") == {2: False}, "not in the index any more"


def test_folders_and_uidvalidities_do_not_meet(view: View, folder: FolderView) -> None:
    folder.put(rows(1))
    assert view.folder(USER, "aa11", 8).get([1], "body") == {}
    assert view.folder(USER, "bb22", 7).get([1], "body") == {}
    assert view.folder("bob@example.test", "aa11", 7).get([1], "body") == {}
    view.folder(USER, "aa11", 8).put(rows(1))
    folder.forget_folder()
    assert folder.get([1], "body") == {}
    assert view.folder(USER, "aa11", 8).get([1], "body") == {1: b"body-1"}


def test_prune_keeps_only_the_living(view: View, folder: FolderView) -> None:
    other = view.folder(USER, "bb22", 7)
    folder.put(rows(1, 2, 3))
    other.put(rows(1, 2, 3))
    folder.prune([2, 9])
    assert list(folder.get(range(1, 10), "headers")) == [2]
    assert list(other.get(range(1, 10), "headers")) == [1, 2, 3]


def test_survives_closing(tmp_path: Path, view: View, folder: FolderView) -> None:
    folder.put(rows(5))
    view.close()
    again = View(tmp_path)
    assert again.folder(USER, "aa11", 7).get([5], "body") == {5: b"body-5"}
    again.close()


def test_summaries_parse_once(folder: FolderView) -> None:
    read: list[int] = []

    def reader(uid: int) -> bytes:
        read.append(uid)
        if uid == 3:
            raise NoSuchMessage("expunged meanwhile")
        return message(uid)

    found = folder.summaries([1, 2, 3], "envelope", reader)
    assert found == {uid: summarise(message(uid))["envelope"] for uid in (1, 2)}
    assert read == [1, 2, 3]
    headers = folder.summaries([1, 2], "headers", reader)
    assert headers[1] == b"Subject: number 1\r\nFrom: a@b.test\r\n\r\n"
    assert read == [1, 2, 3]


def test_a_summary_that_fails_is_answered_and_not_kept(
    folder: FolderView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(raw: bytes) -> dict[str, bytes]:
        raise RecursionError("hostile")

    monkeypatch.setattr(view_module, "summarise", broken)
    found = folder.summaries([1], "body", message)
    assert found[1] == b'("TEXT" "PLAIN" NIL NIL NIL "8BIT" 8 1)'
    assert folder.summaries([1], "headers", message)[1].endswith(b"a@b.test\r\n\r\n")
    assert folder.get([1], "body") == {}


def test_huge_headers_are_not_kept(folder: FolderView) -> None:
    folder.put({1: {**rows(1)[1], "headers": b"x" * (MAX_KEPT_BYTES + 1)}})
    assert folder.get([1], "headers") == {}
    assert folder.get([1], "envelope") == {1: b"envelope-1"}


def test_a_large_folder_is_read_in_one_go(folder: FolderView) -> None:
    folder.put(rows(*range(1, 10_001)))
    assert len(folder.get(range(1, 10_001), "envelope")) == 10_000
    assert len(folder.get(range(1, 10_001, 2), "headers")) == 5_000


def test_open_databases_are_bounded(tmp_path: Path) -> None:
    view = View(tmp_path, max_open=3)
    folders = [view.folder(f"u{n}@example.test", "aa", 1) for n in range(8)]
    for n, folder in enumerate(folders):
        folder.put(rows(n + 1))
    assert len(view._open) == 3
    assert [list(folder.get(range(1, 9), "body")) for folder in folders] == [
        [n] for n in range(1, 9)
    ]
    view.close()


@pytest.mark.parametrize(
    "content", [b"this is no database" * 100, b"\0" * 8192, b"SQLite format 3"]
)
def test_a_file_that_is_no_database_is_replaced(tmp_path: Path, content: bytes) -> None:
    view = View(tmp_path)
    view.folder(USER, "aa", 1).put(rows(1))
    view.close()
    path = only_file(tmp_path)
    path.write_bytes(content)
    folder = view.folder(USER, "aa", 1)
    assert folder.get([1], "body") == {}
    folder.put(rows(2))
    assert folder.get([1, 2], "body") == {2: b"body-2"}
    view.close()


def test_damage_while_open_is_a_miss_then_rebuilt(
    tmp_path: Path, view: View, folder: FolderView, log: ListLog
) -> None:
    folder.put(rows(*range(1, 300)))
    view.close()
    path = only_file(tmp_path)
    size = path.stat().st_size
    with path.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * (size - 4096))
    assert folder.get(range(1, 300), "body") == {}
    folder.put(rows(4))
    assert folder.get(range(1, 300), "body") == {4: b"body-4"}
    assert only_file(tmp_path) != path
    assert [event for event, _ in log.events] == [Event.STORAGE]


def test_another_version_is_swept(tmp_path: Path, view: View, folder: FolderView) -> None:
    folder.put(rows(1))
    view.close()
    old = only_file(tmp_path).with_name("f0s0.1.sqlite")
    old.write_bytes(b"old")
    old.with_name("f0s0.1.sqlite-wal").write_bytes(b"old")
    assert list(folder.get([1], "body")) == [1]
    assert not [path for path in old.parent.iterdir() if path.name.startswith("f0s0")]


def test_a_foreign_schema_is_replaced(tmp_path: Path, view: View, folder: FolderView) -> None:
    folder.put(rows(1))
    view.close()
    with sqlite3.connect(only_file(tmp_path)) as db:
        db.execute("ALTER TABLE summary RENAME COLUMN body TO corpse")
    db.close()
    assert folder.get([1], "body") == {}
    folder.put(rows(1))
    assert folder.get([1], "body") == {1: b"body-1"}


def test_an_unusable_state_folder_breaks_nothing(tmp_path: Path, log: ListLog) -> None:
    (tmp_path / "view").write_bytes(b"a file where the folder should be")
    view = View(tmp_path, log=log)
    folder = view.folder(USER, "aa", 1)
    folder.put(rows(1))
    assert folder.get([1], "body") == {}
    assert set(folder.summaries([1, 2], "envelope", message)) == {1, 2}
    assert len(log.events) == 1


def test_a_database_that_closes_slowly_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View(tmp_path, max_open=1)
    first, second = (view.folder(f"u{n}@example.test", "aa", 1) for n in range(2))
    first.put(rows(1))
    closing, go_on = threading.Event(), threading.Event()
    close = Database.close

    def slowly(database: Database) -> None:
        closing.set()
        assert go_on.wait(60)
        close(database)

    monkeypatch.setattr(Database, "close", slowly)
    other = threading.Thread(target=second.put, args=(rows(2),), daemon=True)
    other.start()
    assert closing.wait(60)
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.append(second.get([2], "body")), daemon=True)
    reader.start()
    reader.join(30)
    go_on.set()
    assert found == [{2: b"body-2"}]
    other.join()
    view.close()


def test_no_database_is_closed_on_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = View(tmp_path, max_open=2)
    folders = [view.folder(f"u{n}@example.test", "aa", 1) for n in range(2)]
    for folder in folders:
        folder.put(rows(1))
    view._max_open = 1
    with monkeypatch.context() as brisk:
        brisk.setattr(tasks._here, "brisk", True)
        assert folders[1].get([1], "body") == {1: b"body-1"}
        (left,) = view._left
        left.connection.execute("SELECT 1")
    assert folders[1].get([1], "body") == {1: b"body-1"}
    assert view._left == []
    with pytest.raises(sqlite3.ProgrammingError):
        left.connection.execute("SELECT 1")
    view.close()


def test_threads_share_a_view(tmp_path: Path) -> None:
    view = View(tmp_path, max_open=2)
    failures: list[object] = []

    def work(n: int) -> None:
        for turn in range(20):
            user = f"u{(n + turn) % 5}@example.test"
            folder = view.folder(user, "aa", 1)
            uid = n * 100 + turn + 1
            folder.put(rows(uid))
            if folder.get([uid], "body") != {uid: b"body-%d" % uid}:
                failures.append((user, uid))

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    view.close()
    assert failures == []


def _write_many(state: Path, first: int) -> None:
    view = View(state)
    folder = view.folder(USER, "aa", 1)
    for uid in range(first, first + 20):
        folder.put(rows(uid))
    view.close()


def test_processes_share_a_file(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_write_many, args=(tmp_path, n * 20 + 1), daemon=True)
        for n in range(3)
    ]
    with children(*writers):
        for writer in writers:
            writer.join()
            assert writer.exitcode == 0
    view = View(tmp_path)
    assert len(view.folder(USER, "aa", 1).get(range(1, 61), "headers")) == 60
    view.close()
