"""``mailnode demo`` as people and scripts call it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.demo_server import wait_gone, worker_pids
from tests.support.processes import running

pytestmark = pytest.mark.e2e
TOUR_STEPS = 8


def _demo(folder: Path, *options: str) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mailnode", "demo", "--dir", str(folder), *options]
    return running(command, stdout=subprocess.PIPE, text=True)


def _open_to_all(folder: Path) -> list[Path]:
    """What any user of the machine may read: the certificate at most."""
    reach = [folder, *folder.rglob("*")]
    closed = [one for one in reach if one.is_dir() and not one.stat().st_mode & stat.S_IXOTH]
    return [
        one
        for one in reach
        if one.is_file() and one.stat().st_mode & stat.S_IROTH
        and not any(above in one.parents for above in closed if above != folder)
    ]  # fmt: skip


def test_a_demo_of_an_earlier_version_closes_its_database(tmp_path: Path) -> None:
    lax = tmp_path / "d" / "directory.db"
    lax.parent.mkdir()
    lax.touch(mode=0o644)
    with _demo(tmp_path / "d", "--once") as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert stat.S_IMODE(lax.stat().st_mode) == 0o600


def test_the_tour_holds_and_ends(tmp_path: Path) -> None:
    with _demo(tmp_path / "d", "--tour", "--once") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert said.count("\nok ") == TOUR_STEPS
    assert "failed" not in said
    assert _open_to_all(tmp_path / "d") == []


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
