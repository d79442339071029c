"""Folders of finished runs stay until a comparison ends, however it ends; then nothing is left."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import leftovers
from bench.leftovers import kept_until_the_end, working_folder
from tests.support.processes import running

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(leftovers, "FREE_OCTETS", 0)
    monkeypatch.setattr(leftovers, "FREE_INODES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("BENCH_KEEP", raising=False)


def a_run() -> Path:
    with working_folder("run-") as place:
        (place / "mail").mkdir()
        (place / "mail" / "message").write_text("x")
    return place


def test_a_run_by_itself_leaves_nothing(tmp_path: Path) -> None:
    a_run()
    assert not list(tmp_path.iterdir())


def test_runs_stay_until_the_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with kept_until_the_end() as kept:
        places = [a_run(), a_run()]
        assert kept.folders == places
        assert stat.S_IMODE(kept.place.stat().st_mode) == 0o755
        assert all((place / "mail" / "message").exists() for place in places)
    assert not list(tmp_path.iterdir())
    assert "removing 2 folders, " in capfd.readouterr().err
    a_run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bound", ["FREE_OCTETS", "FREE_INODES"])
def test_with_little_room_each_goes_at_once(
    bound: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kept_until_the_end() as kept:
        kept_one = a_run()
        monkeypatch.setattr(leftovers, bound, 2**62)
        monkeypatch.setattr(os, "statvfs", _few_inodes(os.statvfs))
        a_run()
        assert kept.folders == list(kept.place.iterdir()) == [kept_one]
    assert not list(tmp_path.iterdir())


def _few_inodes(real: Callable[[Path], os.statvfs_result]) -> Callable[[Path], os.statvfs_result]:
    """Also where the file system that the tests run on has no fixed number of inodes."""

    def told(path: Path) -> os.statvfs_result:
        numbers = list(real(path))
        numbers[5:8] = [1000, 1000, 1000]
        return os.statvfs_result(numbers)

    return told


def test_it_goes_without_chattr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with kept_until_the_end() as kept:
        assert a_run().parent == kept.place
    assert not list(tmp_path.iterdir())


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), kept_until_the_end(), working_folder("run-"):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_second_interrupt_waits_until_all_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove(place: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        remove_it(place)

    remove_it = leftovers._remove
    monkeypatch.setattr(leftovers, "_remove", remove)
    with pytest.raises(KeyboardInterrupt), kept_until_the_end():
        a_run()
    assert not list(tmp_path.iterdir())


# The command itself, of which nothing stays but the report. Each starts a server or two: 10 s.
_ALL_ROOM = "from bench import leftovers; leftovers.FREE_OCTETS = leftovers.FREE_INODES = 0; "
_COMMAND = _ALL_ROOM + "import sys; from bench.__main__ import main; sys.exit(main())"
_WORDS = ["fetch", "imap-sync", "--alone", "--scale", "0.01"]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Shorter than pytest's: what lies below it has sockets' names."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as place:
        yield Path(place)


def _bench(temporary: Path, out: Path) -> tuple[list[str], dict[str, str]]:
    # The tests themselves may run under nohup.
    heard = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    command = [sys.executable, "-c", heard + _COMMAND, *_WORDS, "--out", str(out)]
    return command, {**os.environ, "TMPDIR": str(temporary)}


def test_a_comparison_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    command, environment = _bench(temporary, tmp_path / "out")
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Two servers', and where the disk was tried.
    assert "removing 3 folders" in done.stderr
    assert not list(temporary.iterdir())


def test_a_comparison_that_is_ended_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    command, environment = _bench(temporary, tmp_path / "out")
    with running(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as run:
        assert run.stderr is not None
        seen = next((line for line in run.stderr if b"[1/2] fetch on mailnode: fetch" in line), b"")
        assert seen
        run.send_signal(signal.SIGTERM)
        told = run.communicate(timeout=120)[1]
    assert run.returncode == 130
    assert b"removing " in told
    assert not list(temporary.iterdir())
