"""The agent's monitor: each fault is told from the others, and within its time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailnode.cluster.beat import Heart, beats
from mailnode.cluster.layout import make_layout
from mailnode.cluster.probe import (
    BROKEN,
    NOT_RUNNING,
    SERVES,
    bounded,
    look_deep,
    look_shallow,
)
from tests.support.namespaces import need_namespaces, network
from tests.support.processes import running

CHIEF = {"ready": True, "stopping": False, "ready_workers": 1, "services": []}
WORKER = {"storage": "", "storage_age_s": 0.1, "drain": []}


def say(run: Path, chief: dict[str, object] | None = None, *workers: dict[str, object]) -> None:
    Heart(run, "supervisor").beat(**CHIEF | (chief or {}))
    for number, facts in enumerate(workers or ({},)):
        # Two workers cannot have one pid: the second is our parent, who lives as well.
        heart = Heart(run, "worker")
        heart.beat(**WORKER | facts)
        if number:
            path = run / "beats" / f"worker-{os.getpid()}.json"
            path.rename(run / "beats" / f"worker-{os.getppid()}.json")
            say(run, chief, *workers[:1])


def test_nothing_runs(tmp_path: Path) -> None:
    assert look_shallow(tmp_path).status == NOT_RUNNING
    assert look_deep(tmp_path, tmp_path, within_s=1).status == NOT_RUNNING


def test_well(tmp_path: Path) -> None:
    say(tmp_path)
    assert look_shallow(tmp_path).status == SERVES


@pytest.mark.parametrize(
    ("chief", "worker", "why"),
    [
        ({"ready": False}, {}, "not ready"),
        ({"ready_workers": 0}, {}, "not ready"),
        ({"stopping": True}, {}, "stopping"),
        ({}, {"storage": "guard file missing"}, "guard file missing"),
        ({}, {"storage_age_s": 11}, "storage hangs for 11 s"),
        ({}, {"drain": True}, "drained"),
    ],
)
def test_each_fault_is_named(
    tmp_path: Path, chief: dict[str, object], worker: dict[str, object], why: str
) -> None:
    say(tmp_path, chief, worker)
    verdict = look_shallow(tmp_path)
    assert verdict.status == BROKEN
    assert why in verdict.reason


def test_storage_that_one_worker_of_two_misses_is_there(tmp_path: Path) -> None:
    say(tmp_path, {}, {}, {"storage": "one hiccup", "storage_age_s": 20})
    assert len(beats(tmp_path)) == 3
    assert look_shallow(tmp_path).status == SERVES


def test_drained_address_is_no_fault(tmp_path: Path) -> None:
    say(tmp_path, {}, {"drain": ["192.0.2.1"]})
    assert look_shallow(tmp_path).status == SERVES


@pytest.mark.parametrize("kind", ["supervisor", "worker"])
def test_silence_is_a_fault(tmp_path: Path, kind: str) -> None:
    say(tmp_path)
    path = tmp_path / "beats" / f"{kind}-{os.getpid()}.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"at": time.monotonic() - 6}))
    verdict = look_shallow(tmp_path)
    assert verdict.status == BROKEN
    assert "hangs" in verdict.reason


def test_frozen_process_is_a_fault_at_once(tmp_path: Path) -> None:
    say(tmp_path)
    with running(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        mine = tmp_path / "beats" / f"worker-{os.getpid()}.json"
        mine.rename(tmp_path / "beats" / f"worker-{process.pid}.json")
        assert look_shallow(tmp_path).status == BROKEN
    # What the dead said is forgotten, and then there is no worker.
    assert "no worker" in look_shallow(tmp_path).reason
    assert len(beats(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"at": "x"}'])
def test_damaged_beat_is_none(tmp_path: Path, text: str) -> None:
    say(tmp_path)
    (tmp_path / "beats" / f"supervisor-{os.getpid()}.json").write_text(text)
    assert look_shallow(tmp_path).status == NOT_RUNNING


@contextmanager
def port(greeting: bytes | None) -> Iterator[str]:
    """A port that greets each who comes; ``None``: accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    sock = listener.accept()[0]
                except OSError:
                    return
                held.append(sock)
                if greeting is not None:
                    sock.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for sock in held:
                sock.close()


def test_deep_look_greets_and_writes(tmp_path: Path) -> None:
    make_layout(tmp_path)
    with port(b"220 x\r\n") as smtp, port(b"* OK\r\n") as imap:
        say(tmp_path, {"services": [f"smtp {smtp}", f"imap {imap}"]})
        verdict = look_deep(tmp_path, tmp_path, within_s=5)
        assert verdict.status == SERVES, verdict.reason
    assert list((tmp_path / ".mailnode/nodes").iterdir()) == []


@pytest.mark.parametrize(
    ("greeting", "why"), [(None, "timed out"), (b"421 no\r\n", "421"), (b"", "timed out")]
)
def test_port_that_does_not_greet_is_named_in_time(
    tmp_path: Path, greeting: bytes | None, why: str
) -> None:
    make_layout(tmp_path)
    with port(greeting) as spot:
        say(tmp_path, {"services": [f"smtp {spot}"]})
        began = time.monotonic()
        verdict = look_deep(tmp_path, tmp_path, within_s=1)
        assert time.monotonic() - began < 3
    assert verdict.status == BROKEN
    assert f"smtp {spot}" in verdict.reason
    assert why in verdict.reason


@pytest.mark.parametrize(
    ("directory", "status", "said"),
    [
        ({}, SERVES, "storage is writable"),
        ({"answers": True}, SERVES, "the directory answers"),
        ({"answers": False, "cached": 3}, SERVES, "who was known goes on"),
        ({"answers": False, "cached": 0}, SERVES, "gone on every node"),
    ],
)
def test_the_directory_is_asked_too(
    tmp_path: Path, directory: dict[str, object], status: int, said: str
) -> None:
    make_layout(tmp_path)
    with port(b"220 x\r\n") as spot:
        say(tmp_path, {"services": [f"smtp {spot}"]}, {"directory": directory})
        verdict = look_deep(tmp_path, tmp_path, within_s=20)
    assert (verdict.status, said in verdict.reason) == (status, True), verdict


def test_dead_port_is_named(tmp_path: Path) -> None:
    make_layout(tmp_path)
    say(tmp_path, {"services": ["imap 127.0.0.1:1"]})
    assert "imap 127.0.0.1:1" in look_deep(tmp_path, tmp_path, within_s=2).reason


def test_mail_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with port(b"220 x\r\n") as spot:
        say(tmp_path, {"services": [f"smtp {spot}"]})
        verdict = look_deep(tmp_path, tmp_path / "gone", within_s=2)
    assert verdict.status == BROKEN
    assert "mail root" in verdict.reason


def test_child_that_hangs_does_not_hold_up_who_reads_our_output() -> None:
    script = (
        "import os, time\n"
        "from mailnode.cluster import probe\n"
        "probe.os.kill = lambda pid, number: print(pid, flush=True)\n"
        "print(probe.bounded(lambda: time.sleep(30), 0.2))\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert time.monotonic() - began < 20
    os.kill(int(done.stdout.split()[0]), signal.SIGKILL)
    assert "no answer" in done.stdout


def test_what_hangs_is_left_behind() -> None:
    began = time.monotonic()
    assert bounded(lambda: time.sleep(60), 0.2) == "no answer within 0.2 s"
    assert time.monotonic() - began < 5
    assert bounded(lambda: None, 5) == ""

    def fail() -> None:
        raise OSError("odd")

    assert bounded(fail, 5) == "odd"


def test_children_that_hung_are_buried_later() -> None:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = set(children.read_text().split())
    assert bounded(lambda: time.sleep(60), 0.2) != ""
    assert set(children.read_text().split()) - before
    deadline = time.monotonic() + 20
    while set(children.read_text().split()) - before:
        assert time.monotonic() < deadline, children.read_text()
        assert bounded(lambda: None, 5) == ""


def test_an_interface_without_a_cable_is_told_from_one_that_works() -> None:
    need_namespaces()
    with network("link") as inside:
        inside.ip("link add eth0 type veth peer name far0")
        inside.ip("link set eth0 up")
        ask = "from mailnode.cluster.probe import link_fault; print(link_fault('eth0'), end='')"

        def fault() -> str:
            return inside.run(sys.executable, "-c", ask)

        assert fault() == "eth0 is down or has no carrier"
        inside.ip("link set far0 up")
        assert fault() == ""
        inside.ip("link set eth0 down")
        assert fault() == "eth0 is down or has no carrier"
        inside.ip("link del eth0")
        assert fault() == "eth0: No such device"
