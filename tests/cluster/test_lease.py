"""The node lease: one holder, told when it is lost."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailnode.cluster.layout import known_nodes, spool_of
from mailnode.cluster.lease import (
    Lease,
    LeaseHeld,
    adopt_lease,
    declare_dead,
    is_locked,
    take_lease,
)
from mailnode.cluster.record import Holding, process_state, read_record, record_path, this_place
from mailnode.model.errors import BadSettings, LeaseLost, StorageGone
from mailnode.runtime.clock import SystemClock
from tests.support.processes import running

HOLDER = """
import sys, time
from pathlib import Path
from mailnode.cluster.lease import take_lease
from mailnode.runtime.clock import SystemClock
lease = take_lease(Path(sys.argv[1]), sys.argv[2], spool=Path("/s"), hint_version=2,
                   clock=SystemClock(), wait_s=0)
print("held", flush=True)
sys.stdin.read()
"""


def take(root: Path, node: str = "n1", wait_s: float = 0.0) -> Lease:
    return take_lease(
        root, node, spool=spool_of(root, node), hint_version=2, clock=SystemClock(), wait_s=wait_s
    )


@contextmanager
def holder(root: Path, script: str = HOLDER) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lease of n1, until it is killed or the block ends."""
    command = [sys.executable, "-c", script, str(root), "n1"]
    with running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        yield process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def test_record_says_who_holds_it(tmp_path: Path) -> None:
    lease = take(tmp_path)
    lease.tell(("smtp 127.0.0.1:25",))
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert (record.generation, record.holding, record.pid) == (1, Holding.HELD, os.getpid())
    assert record.addresses == ("smtp 127.0.0.1:25",)
    assert record.is_running_here()
    assert is_locked(tmp_path, "n1")
    lease.check()
    lease.release(5.0)
    assert not is_locked(tmp_path, "n1")
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert (record.holding, record.changed_at) == (Holding.STOPPED, 5.0)


def test_generations_ascend(tmp_path: Path) -> None:
    for generation in (1, 2, 3):
        lease = take(tmp_path)
        assert lease.record.generation == generation
        lease.release(0.0)


def test_same_name_twice_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(BadSettings, match=f"process {first.pid}.*name of its own"):
            take(tmp_path, wait_s=60.0)
        record = read_record(tmp_path, "n1")
        assert record is not None
        assert record.pid == first.pid
        take(tmp_path, "n2").release(0.0)


def test_same_name_on_another_machine_is_refused_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holder(tmp_path):
        # Its process number means nothing here.
        monkeypatch.setattr("mailnode.cluster.record.this_place", lambda: "elsewhere:1")
        with pytest.raises(LeaseHeld, match=r'another machine, .* holds the lease of "n1"'):
            take(tmp_path, wait_s=0.2)


def test_lock_of_a_killed_supervisor_is_waited_for_while_its_workers_end(tmp_path: Path) -> None:
    script = HOLDER.replace(
        "print(", "import os\nif os.fork() == 0:\n    time.sleep(1)\n    os._exit(0)\nprint("
    )
    with holder(tmp_path, script) as supervisor:
        end(supervisor)
        assert is_locked(tmp_path, "n1")
        assert adopt_lease(tmp_path, "n1", by="n2", now=0.0) is None
        lease = take(tmp_path, wait_s=20.0)
        lease.check()
        lease.release(0.0)


def test_survivor_gets_the_lease_of_a_killed_node_and_only_then(tmp_path: Path) -> None:
    with holder(tmp_path) as victim:
        assert adopt_lease(tmp_path, "n1", by="n2", now=1.0) is None
        victim.send_signal(signal.SIGSTOP)
        assert adopt_lease(tmp_path, "n1", by="n2", now=1.0) is None
    adoption = adopt_lease(tmp_path, "n1", by="n2", now=7.0)
    assert adoption is not None
    assert adoption.was_held
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert (record.holding, record.by, record.changed_at) == (Holding.ADOPTED, "n2", 7.0)
    assert is_locked(tmp_path, "n1")
    adoption.close()
    again = adopt_lease(tmp_path, "n1", by="n3", now=8.0)
    assert again is not None
    assert not again.was_held
    again.close()


def test_returning_node_waits_for_who_adopts_its_queue(tmp_path: Path) -> None:
    take(tmp_path).release(0.0)
    fd = os.open(tmp_path / ".mailnode/nodes/n1.lock", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(LeaseHeld, match="holds the lease"):
        take(tmp_path, wait_s=0.2)
    os.close(fd)
    take(tmp_path).release(0.0)


def test_lost_lease_is_lost_for_good(tmp_path: Path) -> None:
    lease = take(tmp_path)
    before = record_path(tmp_path, "n1").read_text()
    declare_dead(tmp_path, "n1", by="n2", now=1.0)
    with pytest.raises(LeaseLost):
        lease.check()
    record_path(tmp_path, "n1").write_text(before)
    with pytest.raises(LeaseLost):
        lease.check()
    with pytest.raises(LeaseLost):
        lease.tell(())


def test_node_declared_dead_is_adopted_though_its_lock_is_held(tmp_path: Path) -> None:
    with holder(tmp_path) as frozen:
        frozen.send_signal(signal.SIGSTOP)
        declare_dead(tmp_path, "n1", by="n2", now=1.0)
        adoption = adopt_lease(tmp_path, "n1", by="n2", now=2.0)
        assert adoption is not None
        adoption.close()
    lease = take(tmp_path)
    assert lease.record.generation == 3
    lease.release(0.0)


def test_release_after_the_loss_leaves_the_new_holders_record(tmp_path: Path) -> None:
    lease = take(tmp_path)
    declare_dead(tmp_path, "n1", by="n2", now=1.0)
    lease.release(2.0)
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert record.holding is Holding.TAKEN


def test_storage_that_is_gone_is_no_lost_lease(tmp_path: Path) -> None:
    root = tmp_path / "mail"
    root.mkdir()
    lease = take(root)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(StorageGone):
        lease.check()
    (tmp_path / "elsewhere").rename(root)
    lease.check()
    lease.release(0.0)


def test_free_lock_of_a_node_that_is_heard_is_not_taken(tmp_path: Path) -> None:
    with holder(tmp_path):
        pass
    assert adopt_lease(tmp_path, "n1", by="n2", now=1.0, unless=lambda node: True) is None
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert record.holding is Holding.HELD
    assert not is_locked(tmp_path, "n1")


def test_record_of_another_version_is_read(tmp_path: Path) -> None:
    lease = take(tmp_path)
    path = record_path(tmp_path, "n1")
    found = json.loads(path.read_text()) | {"format": 2, "shiny": [1, {}]}
    del found["hint_version"]
    path.write_text(json.dumps(found))
    record = read_record(tmp_path, "n1")
    assert record is not None
    assert (record.format, record.hint_version, record.pid) == (2, 0, os.getpid())
    lease.check()
    lease.release(0.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"generation": "x"}', '{"holding": "odd"}', "\0"])
def test_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    take(tmp_path).release(0.0)
    record_path(tmp_path, "n1").write_text(text)
    assert read_record(tmp_path, "n1") is None
    lease = take(tmp_path)
    lease.check()
    lease.release(0.0)


def test_nodes_are_known_by_record_or_spool(tmp_path: Path) -> None:
    assert known_nodes(tmp_path) == []
    take(tmp_path, "n1").release(0.0)
    spool_of(tmp_path, "n0").mkdir()
    spool_of(tmp_path, ".odd").mkdir()
    assert known_nodes(tmp_path) == ["n0", "n1"]


def test_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(tmp_path: Path) -> None:
    lease = take(tmp_path)
    assert lease.record.is_running_here()
    assert not replace(lease.record, pid_started=1).is_running_here()
    assert not replace(lease.record, place="elsewhere").is_running_here()
    lease.release(0.0)


def test_place_needs_nothing_that_our_unit_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text

    def read_text(self: Path, *more: Any) -> str:
        if str(self).startswith(("/proc/sys", "/proc/stat", "/etc")):
            raise FileNotFoundError(str(self))
        return real(self, *more)

    monkeypatch.setattr(Path, "read_text", read_text)
    this_place.cache_clear()
    place = this_place()
    this_place.cache_clear()
    assert ":" in place


def test_state_of_processes() -> None:
    assert process_state(os.getpid()) in "RS"
    with running(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert process_state(process.pid) == "T"
    assert process_state(process.pid) == "X"
