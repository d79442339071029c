"""Counts shared by processes: exact for what was counted here, gone with whoever counted."""

from __future__ import annotations

import os

import pytest

from mailnode.runtime import tally
from mailnode.runtime.tally import Tallies, Tally, alone


def child(counts: Tally, *keys: str) -> int:
    """Another process that counts these and dies without a word; what it saw of the first."""
    pid = os.fork()
    if pid == 0:
        try:
            seen = [counts.enter(key) for key in keys]
            os._exit(min(seen[0], 250))
        finally:
            os._exit(251)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_one_alone() -> None:
    one = alone()
    assert [one.enter("a"), one.enter("a"), one.enter("b")] == [1, 2, 1]
    one.leave("a")
    one.leave("never came")
    assert (one.number("a"), one.number("b"), one.number("c"), len(one)) == (1, 1, 0, 2)
    one.leave("a")
    assert (one.number("a"), len(one)) == (0, 1)


def test_processes_see_one_another_and_the_dead_do_not_count() -> None:
    tallies = Tallies(4)
    here, there = tallies.take(()), tallies.take({0})
    assert (here.number_of_row, there.number_of_row) == (0, 1)
    assert here.enter("a") == 1
    assert child(there, "a", "a", "b") == 2
    assert (here.number("a"), here.number("b")) == (3, 1)
    tallies.clear(there.number_of_row)
    assert (here.number("a"), here.number("b")) == (1, 0)
    again = tallies.take({0})
    assert again.number("a") == 1
    assert again.enter("a") == here.number("a") == 2


def test_more_workers_than_rows_count_for_themselves() -> None:
    tallies = Tallies(1)
    first, second = tallies.take(()), tallies.take({0})
    first.enter("a")
    assert second.enter("a") == 1
    tallies.clear(second.number_of_row)
    assert first.number("a") == 1


def test_many_keys_are_hardly_ever_confused() -> None:
    tallies = Tallies(2)
    here, there = tallies.take(()), tallies.take({0})
    for number in range(20_000):
        there.enter(f"imap 192.0.2.{number}")
    told = [here.number(f"imap 192.0.2.{number}") for number in range(0, 20_000, 10)]
    assert min(told) == 1
    assert sum(told) < 1.1 * len(told)
    assert sum(here.number(f"pop3 192.0.2.{number}") for number in range(1000)) < 100


def test_no_count_leaves_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_FULL", 3)
    tallies = Tallies(2)
    here, there = tallies.take(()), tallies.take({0})
    for _ in range(5):
        there.enter("a")
    assert here.number("a") == 3
    for _ in range(5):
        there.leave("a")
    assert here.number("a") == 0
