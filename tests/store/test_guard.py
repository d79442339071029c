from __future__ import annotations

from pathlib import Path

import pytest

from mailnode.model.errors import StorageGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.store.guard import GUARD_NAME, Guard, lay_guard, read_guard
from tests.support.hand_clock import HandClock
from tests.support.mail_store import REF, OpenStore


def test_laying_twice_keeps_the_id(tmp_path: Path) -> None:
    first = lay_guard(tmp_path)
    assert lay_guard(tmp_path) == read_guard(tmp_path) == first


def test_a_bare_mount_point_is_refused_and_the_log_says_what_to_do(tmp_path: Path) -> None:
    log = ListLog()
    guard = Guard(tmp_path / "mail", tmp_path / "state", SystemClock(), log)
    for _ in range(3):
        with pytest.raises(StorageGone):
            guard.check()
    assert [event for event, _ in log.events] == [Event.STORAGE]
    assert GUARD_NAME in str(log.events[0][1]["remedy"])
    (tmp_path / "mail").mkdir()
    with pytest.raises(StorageGone):
        guard.check()
    lay_guard(tmp_path / "mail")
    guard.check()


def test_another_store_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "mail").mkdir()
    lay_guard(tmp_path / "mail")
    Guard(tmp_path / "mail", tmp_path / "state", SystemClock(), ListLog()).check()
    (tmp_path / "mail" / GUARD_NAME).unlink()
    lay_guard(tmp_path / "mail")
    with pytest.raises(StorageGone, match="another store"):
        Guard(tmp_path / "mail", tmp_path / "state", SystemClock(), ListLog()).check()


@pytest.mark.parametrize("text", ["", "mailnode store 2\nid " + "0" * 32 + "\n", "x" * 500])
def test_a_guard_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / GUARD_NAME).write_text(text)
    with pytest.raises(StorageGone):
        read_guard(tmp_path)
    with pytest.raises(StorageGone):
        lay_guard(tmp_path)


def test_a_store_without_its_guard_makes_nothing(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    (opened.root / GUARD_NAME).unlink()
    with pytest.raises(StorageGone):
        opened.store.account(REF)
    assert list(opened.root.iterdir()) == []
    opened.close()


def test_whether_it_can_be_written_to_is_asked_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_guard(tmp_path)
    clock, writable = HandClock(), True
    guard = Guard(tmp_path, tmp_path / "state", clock, ListLog())
    asked: list[object] = []

    def access(*about: object) -> bool:
        asked.append(about)
        return writable

    monkeypatch.setattr("mailnode.store.guard.os.access", access)
    guard.check()
    guard.check()
    assert len(asked) == 1
    writable = False
    clock.advance(1.5)
    for _ in range(2):  # what was found wrong is looked at each time
        with pytest.raises(StorageGone, match="read-only"):
            guard.check()
    writable = True
    guard.check()
    assert len(asked) == 4
