"""Workers keep to a core each; what computes for long without the interpreter's lock does not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from mailnode.runtime import cores


@pytest.fixture(autouse=True)
def unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_home", frozenset())
    monkeypatch.setattr(cores, "_away", frozenset())


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Where the thread was moved, on a machine that lets us have the cores 2, 3 and 5."""
    made: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {5, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, where: made.append(set(where)))
    return made


def _in_thread(work: Callable[[], None]) -> None:
    """The process itself stays where it is: a core is each thread's own matter."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize(("seat", "core"), [(0, 2), (1, 3), (2, 5), (3, 2)])
def test_each_seat_has_one_of_the_cores_that_we_may_use(
    moves: list[set[int]], seat: int, core: int
) -> None:
    cores.settle(seat, 4)
    assert moves == [{core}]


def test_with_fewer_workers_than_cores_none_is_bound(moves: list[set[int]]) -> None:
    cores.settle(0, 2)
    assert cores.anywhere(lambda: 7) == 7
    assert moves == []


def test_on_a_single_core_there_is_nothing_to_choose(
    monkeypatch: pytest.MonkeyPatch, moves: list[set[int]]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})
    cores.settle(0, 1)
    assert moves == []


def test_a_call_may_run_anywhere_and_its_thread_comes_back(moves: list[set[int]]) -> None:
    cores.settle(1, 3)
    assert cores.anywhere(lambda one, two: (list(moves), one + two), 1, 2) == ([{3}, {2, 3, 5}], 3)
    assert moves == [{3}, {2, 3, 5}, {3}]


def test_the_thread_comes_back_from_a_call_that_fails(moves: list[set[int]]) -> None:
    cores.settle(1, 3)
    with pytest.raises(ZeroDivisionError):
        cores.anywhere(divmod, 1, 0)
    assert moves[-1] == {3}


def test_where_it_is_forbidden_everything_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _where: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    cores.settle(0, 2)
    assert cores.anywhere(lambda: 7) == 7


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine has one core")
def test_a_thread_and_those_it_starts_stay_on_the_core() -> None:
    before = os.sched_getaffinity(0)
    found: list[set[int]] = []

    def look() -> None:
        found.append(os.sched_getaffinity(0))

    def work() -> None:
        cores.settle(1, len(before))
        look()
        _in_thread(look)
        cores.anywhere(look)
        look()

    _in_thread(work)
    mine = {sorted(before)[1]}
    assert found == [mine, mine, before, mine]
    assert os.sched_getaffinity(0) == before
