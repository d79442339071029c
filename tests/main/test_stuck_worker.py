"""A worker that stands still (here: stopped) is noticed and replaced; the others go on."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.support.peopled_server import PeopledServer, peopled, until

pytestmark = [pytest.mark.e2e, pytest.mark.fault]

STUCK_S = 1.5


def _serving(server: PeopledServer, service: str) -> int:
    """How many of six connections are greeted at once."""
    greeted = 0
    for _ in range(6):
        with server.connect(service) as sock:
            sock.settimeout(0.3)
            try:
                greeted += bool(sock.recv(100))
            except TimeoutError:
                pass
    return greeted


def test_stopped_worker_is_replaced_and_the_other_goes_on(tmp_path: Path) -> None:
    with peopled(tmp_path, server={"stuck_s": STUCK_S}) as server:
        server.send("before", 0, 1)
        stopped, other = server.workers()
        # What is sent meanwhile to the stopped one waits in its queue of connections.
        sent: list[bool] = []
        threads = [
            threading.Thread(
                target=lambda n=n: (server.send(f"m{n}", 0), sent.append(True)), daemon=True
            )
            for n in range(8)
        ]
        os.kill(stopped, signal.SIGSTOP)
        try:
            start = time.monotonic()
            for thread in threads:
                thread.start()
            assert _serving(server, "imap") > 0
            server.until_event("worker-died", pid=str(stopped), status="stuck")
            assert time.monotonic() - start < STUCK_S + 3
        finally:
            server.until_gone(stopped)
        until(lambda: len(server.workers()) == 2)
        assert other in server.workers()
        for thread in threads:
            thread.join(30)
        assert len(sent) == 8
        assert _serving(server, "imap") == 6
        assert set(server.subjects()) == {"before", *(f"m{n}" for n in range(8))}
        server.check_store()
