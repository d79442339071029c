"""Facts of the machine, without which no figure means anything, and what else kept it busy."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from bench.usage import TICKS

_CREATES = 200


def facts() -> dict[str, object]:
    """Processor, memory, disk, versions and load."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "processor": _first("/proc/cpuinfo", "model name"),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": _filesystem(),
        "durable creates one after another, /s": round(durable_creates_per_s()),
        "load average at start": round(os.getloadavg()[0], 1),
        "postfix": _version("postfix"),
        "dovecot": _version("dovecot-core"),
        "mariadb": _version("mariadb-server"),
        "commit": _commit(),
    }


class Watch:
    """Who had the processors since it was made. ``server_s``: CPU seconds of the server so far."""

    def __init__(self, server_s: float) -> None:
        self._began, self._server_s = time.monotonic(), server_s
        self._own_s, self._busy_s, self._stolen_s = own_s(), *_busy_s()

    def facts(self, server_s: float) -> dict[str, object]:
        """Load, and percent of all processors that others took: neither the server nor this
        program and its children that have ended."""
        whole = max(0.01, (time.monotonic() - self._began) * (os.cpu_count() or 1))
        busy_s, stolen_s = _busy_s()
        ours_s = server_s - self._server_s + own_s() - self._own_s
        others = max(0.0, busy_s - self._busy_s - ours_s)
        return {
            "load average": round(os.getloadavg()[0], 1),
            "others' CPU, %": round(others / whole * 100, 1),
            "stolen CPU, %": round((stolen_s - self._stolen_s) / whole * 100, 1),
        }


def own_s() -> float:
    """CPU seconds of this program and its children that have ended."""
    return sum(os.times()[:4])


def _busy_s() -> tuple[float, float]:
    """CPU seconds that all processors were busy, and that another guest had instead (proc(5))."""
    first = Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq, stolen = (int(one) for one in first[:8])
    return (user + nice + system + irq + softirq) / TICKS, stolen / TICKS


def durable_creates_per_s() -> float:
    """Files of 4 KiB made, synced and renamed with the folder synced, one after another."""
    with tempfile.TemporaryDirectory(prefix="bench-disk-") as folder:
        place = os.open(folder, os.O_RDONLY)
        began = time.perf_counter()
        for number in range(_CREATES):
            path = f"{folder}/{number}"
            fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(fd, bytes(4096))
            os.fsync(fd)
            os.close(fd)
            os.rename(path, path + ".done")
            os.fsync(place)
        spent = time.perf_counter() - began
        os.close(place)
    return _CREATES / spent


def _first(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return ""


def _filesystem() -> str:
    command = ["findmnt", "-n", "-o", "FSTYPE", "-T", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _version(package: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
