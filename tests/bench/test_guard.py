"""The costs that were reached are kept: system calls for each delivery and command."""

from __future__ import annotations

import json

import pytest

from bench import guard, syscalls


def test_nothing_costs_more_than_the_baseline() -> None:
    if syscalls.missing():
        pytest.skip(syscalls.missing())
    baseline = json.loads(guard.BASELINE.read_text())
    found = guard.measure()
    assert set(found) == set(baseline)
    assert not guard.dearer(found, baseline)


def test_what_is_dearer_is_told() -> None:
    baseline = {"deliver": {"calls": 40.0, "durable": 2.0}}
    assert guard.dearer({"deliver": {"calls": 50.0, "durable": 2.1}}, baseline) == []
    told = guard.dearer({"deliver": {"calls": 60.0, "durable": 3.0}}, baseline)
    assert [line.split(":")[0] for line in told] == ["deliver", "deliver"]


def test_a_table_of_strace_is_read() -> None:
    calls = {"fsync": 4, "fdatasync": 2, "futex": 100, "write": 7}
    assert (syscalls.durable(calls), syscalls.steady(calls)) == (6, 13)
