"""Notes shared by processes: the newest stay, and keys are not confused."""

from __future__ import annotations

import os

from mailnode.runtime.tally import Tallies, alone


def test_another_process_reads_what_was_noted() -> None:
    tallies = Tallies(2)
    here, there = tallies.take(()).board, tallies.take({0}).board
    here.note("a", 1.0, 5.0)
    here.note("a", 2.5, 6.0)
    assert list(here.others("a")) == []
    assert list(there.others("a")) == [(2.5, 6.0)]
    pid = os.fork()
    if pid == 0:
        try:
            there.note("a", 7.0, 8.0)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert list(here.others("a")) == [(7.0, 8.0)]
    assert list(there.others("b")) == []
    # Whoever takes the place of the one that died begins with nothing.
    again = tallies.take({0}).board
    assert list(here.others("a")) == []
    assert list(again.others("a")) == [(2.5, 6.0)]


def test_a_full_board_keeps_the_newest() -> None:
    tallies = Tallies(2)
    here, there = tallies.take(()).board, tallies.take({0}).board
    for number in range(20_000):
        here.note(f"key {number}", float(number), float(number + 1))
    newest = [list(there.others(f"key {number}")) for number in range(19_000, 20_000)]
    right = [found == [(n, n + 1)] for n, found in enumerate(newest, 19_000)]
    assert sum(right) > 950
    assert sum(bool(list(there.others(f"key {number}"))) for number in range(1000)) < 50


def test_alone_there_are_no_others() -> None:
    board = alone().board
    board.note("a", 1.0, 1.0)
    assert list(board.others("a")) == []
