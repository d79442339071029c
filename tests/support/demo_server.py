"""A real mailnode in its own processes for tests: started by its own command, ended by its pid."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailnode.admin.instance import Instance

START_WITHIN_S = 60
STOP_WITHIN_S = 40


@contextmanager
def demo_server(folder: Path, *options: str, users: int = 2) -> Iterator[Instance]:
    """Run ``mailnode demo`` in ``folder``; the same folder again finds the same mail."""
    process = start(folder, *options, users=users)
    try:
        yield facts(process, folder)
    finally:
        stop(process)


def start(folder: Path, *options: str, users: int = 2) -> subprocess.Popen[bytes]:
    """Start it; ``facts`` waits until it serves."""
    command = [sys.executable, "-m", "mailnode", "demo", "--json", "--dir", str(folder)]
    command += ["--users", str(users), "--port-base", "0", *options]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "stderr").open("ab") as errors:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
        )


def facts(process: subprocess.Popen[bytes], folder: Path) -> Instance:
    """What the server says of itself once it serves."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"mailnode demo did not start:\n{(folder / 'stderr').read_text()[-3000:]}"
    return Instance.from_json(line.decode())


def stop(process: subprocess.Popen[bytes]) -> int:
    """End it politely; its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError("mailnode did not stop within its drain time") from None
    finally:
        if process.stdout:
            process.stdout.close()
    return status


def worker_pids(supervisor: int) -> list[int]:
    """The supervisor's children now."""
    text = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text()
    return [int(pid) for pid in text.split()]


def wait_gone(pids: list[int], within_s: float = 30.0) -> None:
    """Until none of these processes is left (they are not our children, so no wait())."""
    end = time.monotonic() + within_s
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"process {pid} is still there"
        finally:
            os.close(fd)
