"""``mailnode bench`` hands everything to the load tests, or says where they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mailnode
from mailnode.admin.cli import app, bench


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mailnode", "bench", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_options_and_exit_status_are_the_load_tests_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From any folder; this one need not be where mailnode was installed from.
    monkeypatch.setenv("PYTHONPATH", str(bench.source_tree()))
    done = run("deliver", "--size", "3", folder=tmp_path)
    told = "bench: argument --size: '3' is no size from 1KiB to 20MiB\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: bench ")
    assert not list(tmp_path.iterdir())


def test_an_installed_program_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mailnode, "__file__", str(tmp_path / "site/mailnode/__init__.py"))
    monkeypatch.setattr(sys, "argv", ["mailnode", "bench", "--size", "1"])
    with pytest.raises(SystemExit) as end:
        app.main()
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("mailnode: the load tests are not part of the installed program")
    assert told.count("\n") == 1
