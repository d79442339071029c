"""Storage whose locks keep others apart is told from storage whose locks do not."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mailnode.cluster import coherence
from mailnode.cluster.coherence import FOLDER, Meeting, excludes_here, meet
from mailnode.cluster.mounts import Locks, mount_of
from tests.support.processes import running

LINE = "36 35 98:0 / {point} {options} master:1 - {kind} /dev/x {more}\n"
ROOT = LINE.format(point="/", options="rw", kind="ext4", more="rw")


@pytest.mark.parametrize(
    ("kind", "options", "more", "locks"),
    [
        ("ocfs2", "rw,noatime", "rw,heartbeat=local", Locks.CLUSTER),
        ("ocfs2", "rw", "rw,localflocks", Locks.UNSURE),
        ("gfs2", "rw", "rw,lockproto=lock_nolock", Locks.UNSURE),
        ("gfs2", "rw", "rw", Locks.CLUSTER),
        ("nfs4", "rw", "rw,vers=4.2,local_lock=none", Locks.CLUSTER),
        ("nfs4", "rw", "rw,local_lock=flock", Locks.UNSURE),
        ("nfs", "rw", "rw,nolock", Locks.UNSURE),
        ("ceph", "rw", "rw", Locks.CLUSTER),
        ("lustre", "rw", "rw", Locks.UNSURE),
        ("lustre", "rw", "rw,flock", Locks.CLUSTER),
        ("ext4", "rw", "rw", Locks.MACHINE),
        ("9p", "rw", "rw", Locks.UNSURE),
        ("cifs", "rw", "rw,nobrl", Locks.UNSURE),
        ("fuse.sshfs", "rw", "rw", Locks.UNSURE),
    ],
)
def test_what_is_known_of_a_mount(
    tmp_path: Path, kind: str, options: str, more: str, locks: Locks
) -> None:
    text = ROOT + LINE.format(point=tmp_path, options=options, kind=kind, more=more)
    found = mount_of(tmp_path / "below", text)
    assert (found.kind, found.point, found.locks) == (kind, str(tmp_path), locks)


def test_nearest_mount_counts_and_the_last_of_several_on_one_place() -> None:
    text = ROOT + LINE.format(point="/srv", options="rw", kind="xfs", more="rw")
    text += LINE.format(point="/srv/a\\040b", options="rw", kind="ocfs2", more="rw")
    text += LINE.format(point="/srv", options="rw", kind="9p", more="rw") + "nonsense\n"
    assert mount_of(Path("/srv/a b/c"), text).kind == "ocfs2"
    assert mount_of(Path("/srv/other"), text).kind == "9p"
    assert mount_of(Path("/srvx"), text).kind == "ext4"


def test_mount_of_this_machine(tmp_path: Path) -> None:
    assert mount_of(tmp_path).kind != "unknown"


def test_locks_of_a_sound_file_system_keep_processes_apart(tmp_path: Path) -> None:
    assert excludes_here(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_locks_that_do_not_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coherence, "try_lock", lambda fd: True)
    assert not excludes_here(tmp_path)


def test_locks_that_are_never_had_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coherence, "try_lock", lambda fd: False)
    assert not excludes_here(tmp_path)


def doctor(folder: Path, seconds: float) -> AbstractContextManager[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mailnode", "doctor", "--storage", str(folder), "--json"]
    return running([*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True)


def test_two_doctors_on_one_folder_find_each_other_kept_apart(tmp_path: Path) -> None:
    with doctor(tmp_path, 12) as one, doctor(tmp_path, 12) as two:
        for process in (one, two):
            said = process.communicate(timeout=60)[0]
            assert process.returncode == 0, said
            assert '"what": "locks between nodes: ' in said
            assert "kept apart, " in said
    assert list(tmp_path.iterdir()) == []


def test_doctor_alone_says_that_nobody_else_took_part(tmp_path: Path) -> None:
    with doctor(tmp_path, 1) as process:
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert "nobody else took part" in said


class NoLocks:
    """A file system where each machine has locks of its own: every one is had."""

    @staticmethod
    def flock(fd: int, how: int) -> None:
        """Had."""


def test_nodes_that_are_not_kept_apart_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", NoLocks.flock)
    place = tmp_path / FOLDER
    place.mkdir()
    found: dict[str, bool] = {}

    def take_part(name: str) -> None:
        others = Meeting(place, name).run(2.0)
        found[name] = all(other.coherent for other in others) and bool(others)

    threads = [threading.Thread(target=take_part, args=(name,), daemon=True) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"a": False, "b": False}


def test_dead_participant_is_not_taken_for_one_that_could_not_lock(tmp_path: Path) -> None:
    place = tmp_path / FOLDER
    place.mkdir()
    (place / "dead-1.count").write_text("7")
    (place / "dead-1.lock").touch()
    assert meet(tmp_path, "alive", 0.5) == []
