"""Facts of the machine, without which no figure means anything, and what else kept it busy."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from bench.leftovers import working_folder
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
        "python build": _python_build(),
        "a million rounds of a Python loop, ms": round(_loop_ms(), 1),
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
    with working_folder("bench-disk-") as folder:
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
    """Its kind; whether ext4 has a journal, without which a sync is cheaper."""
    command = ["findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", tempfile.gettempdir()]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    kind, source = [*told, "", ""][:2]
    task = Path("/sys/fs/ext4", Path(source).resolve().name, "journal_task")
    if kind != "ext4" or not task.exists():
        return kind
    return f"{kind}, {'no ' if '<none>' in task.read_text() else ''}journal"


def _python_build() -> str:
    """The version in full, and how it was built, as far as that is known."""
    shared = "libpython" in Path("/proc/self/maps").read_text()
    linked = "shared library" if shared else "no shared library"
    told = f"{' '.join(sys.version.split())}; {linked}; {_guided(shared=shared)}"
    package = _package_of(os.path.realpath(sys.executable))
    return f"{told}; package {package} {_version(package)}" if package else told


def _guided(*, shared: bool) -> str:
    """Whether the interpreter was optimised for how it is used, by its build configuration."""
    if shared != bool(sysconfig.get_config_var("Py_ENABLE_SHARED")):
        # Debian builds twice; what it tells is of the build that has the shared library.
        return "profile-guided: not told (the configuration beside it is another build's)"
    names = ("CONFIG_ARGS", "PY_CFLAGS", "PY_CFLAGS_NODIST", "PY_CORE_CFLAGS")
    words = " ".join(str(sysconfig.get_config_var(name)) for name in names)
    guided = "--enable-optimizations" in words or "-fprofile-use" in words
    return f"profile-guided: {'yes' if guided else 'no'}"


def _loop_ms() -> float:
    """CPU of the best of five: what builds of the same version differ by."""

    def once() -> float:
        began, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number & 7
        return (time.process_time() - began) * 1000

    return min(once() for _ in range(5))


def _package_of(path: str) -> str:
    """Debian's name for what a file belongs to; empty where it is no package's."""
    try:
        command = ["dpkg-query", "-S", path]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""
    return told.partition(":")[0]


def _version(package: str) -> str:
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
