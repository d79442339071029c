"""What the view holds of expunged messages goes later, and together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mailnode.runtime.maillog import Event, ListLog
from mailnode.store import forgetting
from mailnode.store.forgetting import Forgetting, Key

KEY: Key = ("ann@example.test", "aa11", 7)


class Heard:
    """A folder's view that only hears what it is to forget."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[list[int]] = []
        self._error = error

    def forget(self, uids: Iterable[int]) -> None:
        """See ``FolderView``."""
        self.told.append(list(uids))
        if self._error is not None:
            raise self._error


def later(waiting: Forgetting, view: Any, uids: list[int], key: Key = KEY) -> None:
    waiting.later(key, view, uids)


def test_what_is_expunged_one_by_one_is_forgotten_together() -> None:
    waiting, here, there = Forgetting(ListLog()), Heard(), Heard()
    for uid in (3, 1, 2):
        later(waiting, here, [uid])
    later(waiting, there, [9], ("ann@example.test", "bb22", 7))
    waiting.close()
    assert here.told == [[1, 2, 3]]
    assert there.told == [[9]]


def test_what_comes_after_the_end_is_forgotten_at_once() -> None:
    waiting, view = Forgetting(ListLog()), Heard()
    waiting.close()
    later(waiting, view, [5])
    assert view.told == [[5]]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "_MOST_WAITING", 3)
    waiting, view = Forgetting(ListLog()), Heard()
    later(waiting, view, [1, 2, 3, 4])
    assert view.told == [[1, 2, 3, 4]]
    later(waiting, view, [5, 6])
    later(waiting, view, [7, 8])
    assert view.told[1:] == [[5, 6, 7, 8]]
    waiting.close()


def test_a_fault_of_ours_is_told() -> None:
    log = ListLog()
    waiting, view = Forgetting(log), Heard(ValueError("a fault"))
    later(waiting, view, [1])
    waiting.close()
    assert [event for event, _ in log.events] == [Event.ERROR]
