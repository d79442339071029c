"""A whole server in a folder, run as a program by tests.

``LiveServer`` starts it; as a program (``python -m tests.support.live_server CONFIG``) it is
``mailnode.main.serve`` with what ``Ready`` says printed as one line of JSON.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mailnode.admin.instance import settings_text
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.logline import parse_logfmt
from mailnode.store.guard import lay_guard

SERVICES = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s")
WAIT_S = 20.0


# A server started with this in its environment is so many seconds ahead of the others.
CLOCK_OFFSET = "MAILNODE_TEST_CLOCK_OFFSET_S"


class OffsetClock(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, offset_s: float) -> None:
        self._offset_s = offset_s

    def now(self) -> float:
        """Seconds since 1970, as that machine believes."""
        return super().now() + self._offset_s


class LiveServer:
    """One server; every folder it uses is below ``folder``."""

    def __init__(self, folder: Path, **sections: Mapping[str, object]) -> None:
        self.folder = folder
        self.config = folder / "mailnode.toml"
        self.log = folder / "mail.log"
        self.sections: dict[str, dict[str, object]] = {
            "server": {
                "hostname": "mx.example.test",
                "node": "n1",
                "workers": 2,
                "drain_s": 3,
                "mail_dir": str(folder / "mail"),
                "state_dir": str(folder / "state"),
                "run_dir": str(folder / "run"),
                "spool_dir": str(folder / "spool"),
            },
            "listen": {name: ["127.0.0.1:0"] for name in SERVICES},
            "tls": {"self_signed": True},
            "log": {"destination": "file", "file": str(self.log)},
            "directory": {"urls": [f"sqlite:///{folder}/directory.db"]},
        }
        for name, keys in sections.items():
            self.sections.setdefault(name, {}).update(keys)
        self.ports: dict[str, int] = {}
        self.clock_offset_s = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        # Another tree of mailnode to run from, and what its environment has more.
        self.tree: Path | None = None
        self.environment: dict[str, str] = {}

    def write(self) -> None:
        """The settings file as ``sections`` says now."""
        self.config.write_text(settings_text(self.sections, ["for a test"]))

    def launch(self, guard: bool = True) -> None:
        """Start without waiting for anything."""
        if guard:
            (self.folder / "mail").mkdir(exist_ok=True)
            lay_guard(self.folder / "mail")
        self.write()
        command = self.python("-m", "tests.support.live_server", str(self.config))
        with (self.folder / "stderr").open("ab") as stderr:
            environment = os.environ | {CLOCK_OFFSET: str(self.clock_offset_s)} | self.environment
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=stderr, env=environment, cwd=self.tree
            )

    def python(self, *words: str) -> list[str]:
        """The command that runs Python with these words where this server lives."""
        return [sys.executable, *words]

    def start(self) -> LiveServer:
        """Start and wait until every worker serves."""
        self.launch()
        assert self.process
        assert self.process.stdout
        try:
            line = self.process.stdout.readline()
            assert line, (self.folder / "stderr").read_text() + self._log_text()
            self.ports = json.loads(line)
        except BaseException:
            self._end_hard()
            raise
        return self

    def _end_hard(self) -> None:
        """Whoever waits for it is about to give up, and nobody else would end it."""
        assert self.process
        assert self.process.stdout
        with suppress(OSError):
            for pid in self.workers():
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(WAIT_S)
        self.process.stdout.close()

    def _log_text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def events(self, name: str = "") -> list[dict[str, str]]:
        """The log's events, or those called ``name``."""
        found = [parse_logfmt(line) for line in self._log_text().splitlines()]
        return [one for one in found if not name or one["event"] == name]

    def until_event(self, name: str, count: int = 1, **fields: str) -> dict[str, str]:
        """Wait until the log has ``count`` such events; the last of them."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = [one for one in self.events(name) if fields.items() <= one.items()]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError(f"no {name} {fields} in:\n{self._log_text()}")

    def connect(self, service: str) -> socket.socket:
        """A connection to a service."""
        return socket.create_connection(("127.0.0.1", self.ports[service]), WAIT_S)

    def workers(self) -> list[int]:
        """The supervisor's children."""
        assert self.process
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [int(one) for one in children.read_text().split()]

    def until_gone(self, pid: int) -> None:
        """Wait for the end of a process."""
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            assert select.select([fd], [], [], WAIT_S)[0], f"{pid} lives on"
        finally:
            os.close(fd)

    def signal(self, number: signal.Signals) -> None:
        """To the supervisor."""
        assert self.process
        self.process.send_signal(number)

    def wait(self) -> int:
        """The exit status. Raises ``subprocess.TimeoutExpired``; nothing runs on then."""
        assert self.process
        assert self.process.stdout
        try:
            status = self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self._end_hard()
            raise
        self.process.stdout.close()
        return status

    def stop(self) -> int:
        """End it; the exit status."""
        assert self.process
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()


def _main() -> int:
    from mailnode.main import Ready, serve
    from mailnode.runtime.settings.load import load_settings

    path = Path(sys.argv[1])

    def ready(found: Ready) -> None:
        ports: dict[str, Any] = {name: spots[0].port for name, spots in found.services.items()}
        print(json.dumps(ports), flush=True)

    clock = OffsetClock(float(os.environ.get(CLOCK_OFFSET, "0")))
    return serve(load_settings(path), ready, reload=lambda: load_settings(path), clock=clock)


if __name__ == "__main__":
    sys.exit(_main())
