"""The comparison of workers on a core each with workers anywhere."""

from __future__ import annotations

import os

import pytest

from bench import cores


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine has one core")
def test_both_ways_are_measured_by_turns(capsys: pytest.CaptureFixture[str]) -> None:
    assert cores.main(["--messages", "30", "--rounds", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:11].rstrip() for line in lines] == ["anywhere", "a core each"] * 2
    assert all("msg/s" in line for line in lines)
