"""``mailnode cluster watch``: what Heartbeat runs beside a node."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer
from tests.support.processes import running

pytestmark = pytest.mark.e2e
WITHIN_S = 20


def test_a_dead_server_gives_its_addresses_up(tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    order = tmp_path / "hb_standby"
    order.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    order.chmod(0o755)
    server = LiveServer(tmp_path)
    command = [sys.executable, "-m", "mailnode", "cluster", "watch", "-c", str(server.config)]
    command += ["--interval", "0.2", "--deep", "0.5", "--command", str(order)]
    reader = os.open(told, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server.start()
        with running(command, stderr=subprocess.PIPE, text=True) as watcher:
            try:
                assert watcher.stderr
                assert watcher.stderr.readline() == "mailnode serves\n"
                assert not select.select([reader], [], [], 3)[0], "gave up a server that serves"
                server.signal(signal.SIGKILL)
                assert select.select([reader], [], [], WITHIN_S)[0], "the addresses stay"
                assert os.read(reader, 100) == b"all\n"
            finally:
                watcher.terminate()
            assert watcher.wait(WITHIN_S) == 0
    finally:
        os.close(reader)
        server.stop()
