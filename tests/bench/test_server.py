"""Whose memory and processor time a run counts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import NoReturn

import pytest

from bench.usage import cpu_s, family, memory_kib


def test_processes_started_by_processes_belong_to_the_server() -> None:
    assert os.getpid() in family([os.getppid()])


def test_a_process_that_ends_while_it_is_looked_at_ends_no_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(path: object) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "scandir", gone)
    assert family([os.getpid()]) == [os.getpid()]


def test_processor_time_is_not_cut_off_at_hundredths() -> None:
    # Hundreds of processes of a peer, each with some milliseconds, had none in all.
    ended_s = sum(os.times()[2:4])
    before_s = time.process_time()
    told_s = cpu_s(os.getpid()) - ended_s
    assert before_s <= told_s + 1e-6
    assert told_s <= time.process_time() + 1e-6


def test_what_children_took_that_ended_is_counted() -> None:
    before = cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert cpu_s(os.getpid()) - before >= 0.02


def test_a_process_that_is_gone_takes_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    assert cpu_s(ended.pid) == 0.0
    assert memory_kib(ended.pid) == 0
    assert memory_kib(os.getpid()) > 1000
