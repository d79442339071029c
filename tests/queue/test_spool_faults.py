"""Every step of the spool failed, and every step a place to die: no entry or a whole one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import StorageFull, StorageGone
from mailnode.queue.spool import DiskSpool
from mailnode.runtime import files
from tests.support.spool_world import MESSAGE, debt, envelope, make_spool, queue_id

ID = queue_id(1)

# The life of an entry: accepted, recorded, held or paid.
LIFE = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from mailnode.runtime import files
from tests.queue.test_spool_faults import live
from tests.support.spool_world import make_spool
steps = 0
def on_step(name, path):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
files.on_step = on_step
live(make_spool(Path(sys.argv[1])), lambda word: os.write(1, word.encode() + b"\\n"))
"""


def live(spool: DiskSpool, say: object) -> None:
    assert callable(say)
    spool.accept(envelope(), [MESSAGE], [debt("bob@here.test"), debt("carol@other.test")])
    say("accepted")
    loaded = spool.load(ID)
    assert loaded is not None
    with loaded[1]:
        spool.record(ID, [debt("carol@other.test", 2)], 1.0)
        say("recorded")
        spool.record(ID, [], 1.0)
        say("paid")


@pytest.fixture
def steps() -> Iterator[list[tuple[str, object]]]:
    """Counts steps; tests put a fault in by replacing ``files.on_step``."""
    seen: list[tuple[str, object]] = []
    files.on_step = lambda name, path: seen.append((name, path))
    yield seen
    files.on_step = None


def fail_at(number: int, code: int) -> None:
    count = 0

    def on_step(name: str, path: object) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise OSError(code, os.strerror(code))

    files.on_step = on_step


def check(folder: Path, said: list[str]) -> None:
    """What a fresh process finds agrees with what was said."""
    spool = make_spool(folder)
    spool.sweep()
    assert spool.ids("corrupt") == []
    loaded = spool.load(ID)
    if "accepted" in said and "recorded" not in said:
        assert loaded is not None
    if "paid" in said:
        assert loaded is None
    if loaded is None:
        return
    with loaded[1] as message:
        assert message.read() == MESSAGE
        owed = [one.user for one in loaded[0].debts]
    assert "carol@other.test" in owed
    if "recorded" in said:
        assert owed == ["carol@other.test"]


@pytest.mark.fault
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_each_step_failed(tmp_path: Path, steps: list[tuple[str, object]], code: int) -> None:
    (tmp_path / "dry").mkdir()
    steps.clear()
    live(make_spool(tmp_path / "dry"), lambda word: None)
    total = len(steps)
    assert total > 15
    for number in range(1, total + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        said: list[str] = []
        spool = make_spool(folder)
        fail_at(number, code)
        try:
            live(spool, said.append)
        except StorageFull:
            assert code == errno.ENOSPC
        except StorageGone:
            assert code == errno.EIO
        files.on_step = None
        spool.close()
        check(folder, said)


@pytest.mark.fault
def test_a_failed_accept_can_be_repeated(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    spool.accept(envelope(9), [MESSAGE], [debt()])
    failures = 0
    for number in range(1, 40):
        fail_at(number, errno.ENOSPC)
        try:
            spool.accept(envelope(1), [MESSAGE], [debt()])
        except StorageFull:
            failures += 1
        finally:
            files.on_step = None
        if queue_id(1) in spool.ids("active"):
            break
    assert failures > 9
    loaded = spool.load(queue_id(1))
    assert loaded is not None
    loaded[1].close()


@pytest.mark.fault
def test_killed_at_each_step(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = LIFE.format(root=root)
    number = 0
    while True:
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder), str(number)],
            stdout=subprocess.PIPE,
            cwd=root,
            check=False,
        )
        said = done.stdout.decode().split()
        check(folder, said)
        leftovers = os.listdir(folder / "queue" / "incoming") if (folder / "queue").exists() else []
        if done.returncode == 0:
            assert said == ["accepted", "recorded", "paid"]
            break
        assert done.returncode == -signal.SIGKILL
        # What the dead left unfinished was swept by the next one (its own corner may be there).
        assert all(not name.startswith(f"{done.args}") for name in leftovers)
    assert number > 15
