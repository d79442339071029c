"""The measurement of the view runs, and says something of each kind."""

from __future__ import annotations

import sys

import pytest

from bench import view_costs


def test_all_kinds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["view_costs", "--messages", "60"])
    view_costs.main()
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("CPU of all 60 messages")
    assert [line[:12] for line in lines[:2]] == ["envelopes   ", "structures, "]
    assert all(float(number) >= 0 for line in lines for number in line.split()[-2:])
    assert len(lines) == 13
