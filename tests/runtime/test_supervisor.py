"""The supervisor with real processes: its workers die, hang, drain, are swapped."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailnode.runtime.pauses import LONGEST_S, CrashPauses
from mailnode.runtime.tally import alone
from mailnode.runtime.worker_process import fork_worker

pytestmark = pytest.mark.e2e
WAIT_S = 15.0


class Tiny:
    """``tests.support.tiny_server`` running."""

    def __init__(self, folder: Path, settings: str = "2 fit", notify: str = "") -> None:
        self.folder = folder
        (folder / "settings").write_text(settings)
        env = os.environ | ({"NOTIFY_SOCKET": notify, "WATCHDOG_USEC": "400000"} if notify else {})
        command = [sys.executable, "-m", "tests.support.tiny_server", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=env)
        self.seen: list[dict[str, Any]] = []
        self.port = 0

    def event(self, name: str, **fields: object) -> dict[str, Any]:
        """Read the log up to this event."""
        assert self.process.stdout
        while True:
            line = self.process.stdout.readline()
            assert line, f"ended without {name}: {self.seen}"
            said = json.loads(line)
            self.seen.append(said)
            if said["event"] == name and fields.items() <= said.items():
                return said

    def started(self) -> Tiny:
        self.port = int(self.event("started")["spots"].rpartition(":")[2])
        return self

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.settimeout(WAIT_S)
        return sock

    def ask(self, sock: socket.socket, word: bytes = b"pid") -> int:
        sock.sendall(word + b"\n")
        return int(sock.recv(64) or 0)

    def workers(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    server = Tiny(tmp_path)
    try:
        yield server.started()
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)
        assert server.process.stdout
        server.process.stdout.close()


def _gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], WAIT_S)[0], f"{pid} lives on"
    finally:
        os.close(fd)


def test_killed_worker_is_replaced_and_nobody_is_refused(tiny: Tiny) -> None:
    first = tiny.workers()
    victim = min(first)
    os.kill(victim, signal.SIGKILL)
    # Its listening socket and its queue outlive it: each of these is answered, if by a new pid.
    answers = set()
    for _ in range(20):
        with tiny.connect() as sock:
            answers.add(tiny.ask(sock))
    assert tiny.event("worker-died")["status"] == "signal 9"
    assert victim not in answers
    assert len(tiny.workers()) == 2
    assert tiny.workers() - first
    assert tiny.end() == 0


def test_worker_that_exits_by_itself_is_replaced(tiny: Tiny) -> None:
    with tiny.connect() as sock:
        sock.sendall(b"die\n")
        assert sock.recv(10) == b""
    assert tiny.event("worker-died")["status"] == "exit 3"
    with tiny.connect() as sock:
        assert tiny.ask(sock)


def test_nobody_waits_for_a_seat_whose_workers_die_at_their_start(tiny: Tiny) -> None:
    (tiny.folder / "broken").touch()
    victim, survivor = sorted(tiny.workers())
    os.kill(victim, signal.SIGKILL)
    for _ in range(5):  # from the fourth on its seat rests
        tiny.event("worker-died")
    cut = 0
    for _ in range(40):
        try:
            with tiny.connect() as sock:
                assert tiny.ask(sock) in (survivor, 0)
        except ConnectionResetError:
            cut += 1  # it had connected just before
    assert cut < 20
    (tiny.folder / "broken").unlink()
    answers: set[int] = set()
    end = time.monotonic() + 60  # its pause grows up to 30 s
    while len(answers) < 2 and time.monotonic() < end:
        with tiny.connect() as sock:
            answers.add(tiny.ask(sock))
        time.sleep(0.01)
    assert len(answers) == 2


def test_workers_count_together_and_the_dead_are_not_counted(tiny: Tiny) -> None:
    socks: dict[int, socket.socket] = {}
    while len(socks) < 2:
        sock = tiny.connect()
        if (pid := tiny.ask(sock)) in socks:
            sock.close()
        else:
            socks[pid] = sock
    (victim, dying), (_, living) = socks.items()
    assert tiny.ask(dying, b"count") == 1
    assert tiny.ask(living, b"count") == 2
    assert tiny.ask(dying, b"count") == 3
    os.kill(victim, signal.SIGKILL)
    tiny.event("worker-died")
    while tiny.workers() == set(socks) or len(tiny.workers()) < 2:
        time.sleep(0.01)
    assert tiny.ask(living, b"count") == 2
    for sock in socks.values():
        sock.close()


def test_stuck_worker_is_killed_and_replaced(tiny: Tiny) -> None:
    with tiny.connect() as sock:
        pid = tiny.ask(sock)
        sock.sendall(b"hang\n")
        died = tiny.event("worker-died")
    assert (died["pid"], died["status"]) == (pid, "stuck")


def test_sigterm_lets_sessions_end_and_refuses_new_ones(tiny: Tiny) -> None:
    with tiny.connect() as sock:
        pid = tiny.ask(sock)
        tiny.process.send_signal(signal.SIGTERM)
        tiny.event("stopped")
        assert tiny.ask(sock) == pid
        with pytest.raises(ConnectionRefusedError):
            _connect_until_refused(tiny)
        assert tiny.ask(sock) == pid
    assert tiny.process.wait(WAIT_S) == 0


def _connect_until_refused(tiny: Tiny) -> None:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        # Reset: it came while the listener was being closed. Refused is what is awaited.
        with contextlib.suppress(ConnectionResetError):
            tiny.connect().close()


def test_session_that_does_not_end_is_cut_at_the_bound(tiny: Tiny) -> None:
    with tiny.connect() as sock:
        tiny.ask(sock)
        start = time.monotonic()
        assert tiny.end() == 0
        assert 2.0 < time.monotonic() - start < 6.0


def test_second_sigint_ends_at_once(tiny: Tiny) -> None:
    with tiny.connect() as sock:
        tiny.ask(sock)
        tiny.process.send_signal(signal.SIGINT)
        tiny.event("stopped")
        start = time.monotonic()
        tiny.end(signal.SIGINT)
        assert time.monotonic() - start < 1.5


def test_workers_go_when_the_supervisor_is_killed_and_the_port_is_free(tiny: Tiny) -> None:
    pids = tiny.workers()
    tiny.end(signal.SIGKILL)
    for pid in pids:
        _gone(pid)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", tiny.port))


def test_sighup_with_the_same_settings_keeps_workers_and_sessions(tiny: Tiny) -> None:
    before = tiny.workers()
    with tiny.connect() as sock:
        pid = tiny.ask(sock)
        tiny.process.send_signal(signal.SIGHUP)
        tiny.event("reloaded", how="in place")
        assert tiny.ask(sock) == pid
    assert tiny.workers() == before


def test_sighup_with_new_settings_swaps_workers_without_refusing(tiny: Tiny) -> None:
    before = tiny.workers()
    with tiny.connect() as old:
        pid = tiny.ask(old)
        (tiny.folder / "settings").write_text("1 fit")
        tiny.process.send_signal(signal.SIGHUP)
        tiny.event("reloaded", how="swapped")
        assert tiny.ask(old) == pid, "an old session goes on while it drains"
    for gone in before:
        _gone(gone)
    for _ in range(10):
        with tiny.connect() as sock:
            assert tiny.ask(sock) not in before
    assert len(tiny.workers()) == 1


def test_new_generation_that_cannot_serve_is_refused(tiny: Tiny) -> None:
    before = tiny.workers()
    (tiny.folder / "settings").write_text("2 unfit")
    tiny.process.send_signal(signal.SIGHUP)
    tiny.event("settings", reason="refused")
    with tiny.connect() as sock:
        assert tiny.ask(sock) in before
    assert before <= tiny.workers()


def test_unfit_first_generation_ends_the_server(tmp_path: Path) -> None:
    server = Tiny(tmp_path, "2 unfit")
    assert server.process.wait(WAIT_S) == 1
    assert server.process.stdout
    server.process.stdout.close()


def test_systemd_hears_ready_watchdog_reload_and_stop(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.settimeout(WAIT_S)
        # An abstract address: no limit by the length of the test's folder.
        notify.bind(f"\0mailnode-test-{os.getpid()}")
        address = "@" + notify.getsockname()[1:].decode()
        server = Tiny(tmp_path, notify=address).started()

        def hear(word: str) -> str:
            while word not in (said := notify.recv(1000).decode()):
                assert "READY=1" not in said
            return said

        assert "STATUS=2 workers" in hear("READY=1")
        hear("WATCHDOG=1")
        server.process.send_signal(signal.SIGHUP)
        said = hear("RELOADING=1")
        usec = int(said.partition("MONOTONIC_USEC=")[2])
        assert abs(usec / 1e6 - time.monotonic()) < 5
        hear("READY=1")
        assert server.end() == 0
        hear("STOPPING=1")
    assert server.process.stdout
    server.process.stdout.close()


def test_fork_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(BlockingIOError):
        fork_worker(0, 1, True, lambda seat: 0, alone(), [], 0.0)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_crash_loop_slows_down_and_a_sound_life_resets_it() -> None:
    pauses = CrashPauses()
    pauses.died(0, started_at=0, now=1)
    assert pauses.may_start(0, now=1), "the first death is free"
    pauses.died(0, started_at=1, now=2)
    assert not pauses.may_start(0, now=2)
    assert pauses.may_start(1, now=2), "another seat does not wait"
    for _ in range(20):
        pauses.died(0, started_at=2, now=3)
    assert list(pauses.waiting()) == [3 + LONGEST_S]
    pauses.died(0, started_at=0, now=100)
    assert list(pauses.waiting()) == [33.0]
    assert pauses.may_start(0, now=100)
