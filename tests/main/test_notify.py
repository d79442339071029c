"""What systemd hears of the whole server, by a socket as it gives one."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer

WAIT_S = 60
WATCHDOG_S = 1.0


@pytest.fixture
def notify() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.settimeout(WAIT_S)
        sock.bind(f"\0mailnode-test-notify-{os.getpid()}")  # no limit by the folder's length
        yield sock


@pytest.fixture
def server(tmp_path: Path, notify: socket.socket) -> Iterator[LiveServer]:
    server = LiveServer(tmp_path)
    server.environment = {
        "NOTIFY_SOCKET": "@" + notify.getsockname()[1:].decode(),
        "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
    }
    yield server
    server.stop()


def hear(notify: socket.socket, word: str) -> None:
    while word not in notify.recv(1000).decode():
        continue


def heard_so_far(notify: socket.socket) -> list[str]:
    said = []
    notify.setblocking(False)
    try:
        while True:
            said.append(notify.recv(1000).decode())
    except BlockingIOError:
        return said
    finally:
        notify.settimeout(WAIT_S)


def test_ready_only_when_it_serves_and_silent_when_it_hangs(
    server: LiveServer, notify: socket.socket
) -> None:
    server.start()
    hear(notify, "READY=1")
    for service in server.ports:
        server.connect(service).close()
    process = server.process
    assert process
    for _ in range(2):
        hear(notify, "WATCHDOG=1")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        heard_so_far(notify)
        notify.settimeout(3 * WATCHDOG_S)
        with pytest.raises(TimeoutError):
            notify.recv(1000)  # systemd would kill it now
        notify.settimeout(WAIT_S)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    hear(notify, "WATCHDOG=1")
    process.send_signal(signal.SIGHUP)
    hear(notify, "RELOADING=1")
    hear(notify, "READY=1")
    assert server.stop() == 0
    assert any("STOPPING=1" in said for said in heard_so_far(notify))


def test_never_ready_without_a_mail_root(server: LiveServer, notify: socket.socket) -> None:
    server.launch(guard=False)
    assert server.process
    assert server.process.wait(WAIT_S) == 1
    assert not any("READY=1" in said for said in heard_so_far(notify))
