"""``mailnode demo`` as people and scripts call it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.demo_server import wait_gone, worker_pids

pytestmark = pytest.mark.e2e
TOUR_STEPS = 8


def _demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mailnode", "demo", "--dir", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_the_tour_holds_and_ends(tmp_path: Path) -> None:
    with _demo(tmp_path / "d", "--tour", "--once") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count("\nok ") == TOUR_STEPS
    assert "failed" not in said


def test_the_server_stays_and_ends_with_the_command(tmp_path: Path) -> None:
    with _demo(tmp_path / "d", "--tour") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        supervisor = int(first.rpartition("pid ")[2].rstrip(")\n"))
        workers = worker_pids(supervisor)
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        os.kill(supervisor, 0)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(30) == 0
    wait_gone([supervisor, *workers])


def test_ended_in_the_middle_of_the_tour_nothing_is_left(tmp_path: Path) -> None:
    with _demo(tmp_path / "d", "--tour") as process:
        assert process.stdout is not None
        supervisor = int(process.stdout.readline().rpartition("pid ")[2].rstrip(")\n"))
        workers = worker_pids(supervisor)
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(30) != 0
    wait_gone([supervisor, *workers])


@pytest.mark.mariadb
def test_on_mariadb(tmp_path: Path, mysql_url: str) -> None:
    with _demo(tmp_path / "d", "--database", mysql_url, "--tour", "--once") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said


@pytest.mark.parametrize("option", ["--users=0", "--users=x", "--database=oracle://x", "--nope"])
def test_bad_options_are_said_on_one_line(tmp_path: Path, option: str) -> None:
    command = [sys.executable, "-m", "mailnode", "demo", "--dir", str(tmp_path / "d"), option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
