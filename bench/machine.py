"""Facts of the machine, without which no figure means anything."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

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
        "load average at start": os.getloadavg()[0],
        "postfix": _version("postfix"),
        "dovecot": _version("dovecot-core"),
        "mariadb": _version("mariadb-server"),
        "commit": _commit(),
    }


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
    command = ["stat", "-f", "-c", "%T", tempfile.gettempdir()]
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
