"""Whose memory and processor time a run counts."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from bench.server import family


def test_processes_started_by_processes_belong_to_the_server() -> None:
    assert os.getpid() in family([os.getppid()])


def test_a_process_that_ends_while_it_is_looked_at_ends_no_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(path: object) -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "scandir", gone)
    assert family([os.getpid()]) == [os.getpid()]
