"""The machines and boards that stand in for hardware: what is off stays off, and ends whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.heartbeat_pair import Pair, PowerSwitch
from tests.support.machines import Machine
from tests.support.namespaces import need_namespaces

pytestmark = [pytest.mark.fault]
_SPACES = 40


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    need_namespaces()
    (tmp_path / "n1").mkdir()
    found = Machine("n1", tmp_path / "n1")
    yield found
    found.power_off()


def _space(others: ExitStack) -> int:
    """The number of one more namespace, which lives as long as ``others``."""
    command = ["unshare", "-p", "-f", "--kill-child"]
    command += ["sh", "-c", "stat -L -c %i /proc/self/ns/pid; exec sleep 60"]
    one = others.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
    others.callback(one.kill)
    assert one.stdout
    return int(one.stdout.readline())


def test_no_other_gets_its_number_before_it_is_known_to_be_gone(machine: Machine) -> None:
    with ExitStack() as others:
        # Lower numbers that are free would be given out before its own.
        for _ in range(_SPACES):
            _space(others)
        machine.boot()
        space = machine._space
        assert machine._unshare
        os.kill(machine._init, signal.SIGKILL)
        machine._unshare.wait()
        # Numbers are given out anew: another's processes were taken for its own once.
        assert space not in {_space(others) for _ in range(_SPACES)}
        machine.power_off()
        assert machine.processes() == []


def test_it_can_be_switched_off_twice_and_on_again(machine: Machine) -> None:
    for _ in range(2):
        machine.boot()
        assert machine.processes()
        machine.power_off()
        machine.power_off()
        assert machine.processes() == []


def test_what_is_on_is_not_switched_on(machine: Machine) -> None:
    machine.boot()
    with pytest.raises(AssertionError, match="is on already"):
        machine.boot()
    assert machine.is_on


class _Broken(Machine):
    def __init__(self) -> None:
        self.tried = 0

    def power_off(self) -> None:
        self.tried += 1
        raise AssertionError("does not end")


def test_a_machine_that_does_not_end_keeps_nothing_else_from_ending(tmp_path: Path) -> None:
    pair = Pair.__new__(Pair)
    pair.folder = tmp_path
    broken = {"n1": _Broken(), "n2": _Broken()}
    pair.machines = dict(broken)
    pair.switch = PowerSwitch(tmp_path / "power", {})
    with pytest.raises(AssertionError, match="does not end"):
        pair.close()
    assert [one.tried for one in broken.values()] == [1, 1]
    assert "power switch" not in {thread.name for thread in threading.enumerate()}
