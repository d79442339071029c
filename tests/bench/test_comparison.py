"""A comparison goes on whatever a scenario does, within its time, and tells what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import comparison
from bench.clock import Overtime, bounded
from bench.comparison import Comparison
from bench.ours import NAME
from bench.plan import Scenario
from bench.result import Figure, Result
from bench.server import Server

Log = list[str]


def scenario(log: Log, name: str, seconds: float = 1.0, wrong: str = "") -> tuple[str, Scenario]:
    @contextmanager
    def start(_users: int) -> Iterator[Server]:
        log.append(f"start {name}")
        try:
            yield Server(NAME, (), "", {}, list, Path())
        finally:
            log.append(f"stop {name}")

    def run(server: Server, scale: float) -> Iterator[Result]:
        yield Result(name, server.name, [Figure("rate", "/s", 10 * scale, goal=2.0)])
        if wrong == "hangs":
            time.sleep(60)
        elif wrong:
            raise SystemExit(wrong)

    return name, Scenario(lambda _: 1, run, seconds, mine=start, beside=False)


def compared(scenarios: list[tuple[str, Scenario]], limit_s: float = 60.0) -> list[Result]:
    kept: list[int] = []
    run = Comparison(scenarios, 1.0, limit_s, True, lambda found: kept.append(len(found)))
    results = run.run()
    assert kept[-1] == len(results)
    return results


def test_what_fails_is_told_and_ends_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    log: Log = []
    first, failed, last = compared([scenario(log, "a", wrong="no way"), scenario(log, "b")])
    assert (first.scenario, failed.failures, last.scenario) == ("a", ["no way"], "b")
    assert log == ["start a", "stop a", "start b", "stop b"]
    told = capfd.readouterr().err
    assert "2 scenarios, planned: 0.3 min on 2 quiet cores, at most 1 min" in told
    assert "[1/2] a on mailnode FAILED: no way" in told
    assert "[2/2] b on mailnode: b 10.0 /s (rate)" in told
    assert "min left" in told


def test_what_takes_too_long_is_ended_and_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_SPARE_S", 0.2)
    monkeypatch.setattr(comparison, "_LEAST_S", 0.1)
    monkeypatch.setattr("bench.plan._START_S", 0.0)
    log: Log = []
    results = compared([scenario(log, "slow", 0.01, "hangs"), scenario(log, "b", 0.01)])
    assert [one.failures for one in results] == [[], ["not done after 0 s"], []]
    assert log == ["start slow", "stop slow", "start b", "stop b"]


def test_nothing_begins_when_the_time_is_up() -> None:
    log: Log = []
    (found,) = compared([scenario(log, "a")], limit_s=5.0)
    assert found.failures == ["not begun: the time of the whole run is up"]
    assert not log


def test_each_run_tells_what_else_kept_the_machine_busy() -> None:
    (found,) = compared([scenario([], "a")])
    assert {"load average", "others' CPU, %", "stolen CPU, %", "seconds"} <= set(found.facts)


def test_a_clock_ticks_and_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.clock.TICK_S", 0.02)
    ticks: list[float] = []
    with pytest.raises(Overtime), bounded(0.3, ticks.append):
        time.sleep(60)
    assert ticks
    with bounded(0.05, ticks.append):
        pass
    time.sleep(0.1)  # nothing rings behind its back
