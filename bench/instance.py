"""A demo instance for a measurement: started on free ports, ended by its pid.

Promises: nothing is left running or on disk after the ``with`` block.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instance:
    """Where the instance listens and how to log in."""

    pid: int
    folder: Path
    password: str
    users: tuple[str, ...]
    services: dict[str, tuple[str, int]]

    def worker_pids(self) -> list[int]:
        """The supervisor's children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


def resident_kib(pid: int, key: str = "Pss") -> int:
    """Memory of a process in KiB, shared pages divided among those that share them."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    return 0


@contextmanager
def running(users: int = 1, database: str = "") -> Iterator[Instance]:
    """Start ``mailnode demo --json`` in a fresh folder and stop it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mailnode-bench-"))
    command = [sys.executable, "-m", "mailnode", "demo", "--dir", str(folder / "demo")]
    command += ["--users", str(users), "--json"]
    if database:
        command += ["--database", database]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("the instance did not start:\n" + (folder / "log").read_text()[-2000:])
        facts = json.loads(line)
        services = {
            name: (spot["host"], spot["port"])
            for name, spot in facts["services"].items()
            if "port" in spot
        }
        yield Instance(
            facts["pid"], folder / "demo", facts["password"], tuple(facts["users"]), services
        )
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
