"""How many system calls processes make, by ``strace -c``: counts, which no busy machine changes.

Calls that only wait, wake or manage memory come and go with timing and are left out.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

# What makes data durable; the rest of the family is not used by either side.
DURABLE = ("fsync", "fdatasync", "sync_file_range", "syncfs", "sync", "msync")
_TIMING = frozenset(
    (
        *("futex", "epoll_wait", "epoll_pwait", "epoll_ctl", "poll", "ppoll", "select", "pselect6"),
        *("clock_nanosleep", "nanosleep", "clock_gettime", "sched_yield", "restart_syscall"),
        *(
            "madvise",
            "mmap",
            "munmap",
            "brk",
            "mprotect",
            "mremap",
            "gettid",
            "getpid",
            "getrandom",
        ),
        *("rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "sigaltstack", "clone", "clone3"),
        *("exit", "set_robust_list", "rseq", "wait4", "getrusage", "times"),
    )
)
_ROW = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.M)
_ATTACHED_WITHIN_S = 30


def missing() -> str:
    """What keeps this from working here; empty when nothing does."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "processes may not be traced here"


def count(pids: Sequence[int], work: Callable[[], object]) -> dict[str, int]:
    """Calls that these processes and their threads and children make during ``work``."""
    rows = _ROW.findall(traced(pids, work, "-c"))
    return {name: int(calls) for calls, name in rows if name != "total"}


def traced(pids: Sequence[int], work: Callable[[], object], *options: str) -> str:
    """What strace, called with these options, tells of these processes during ``work``."""
    with tempfile.TemporaryDirectory(prefix="bench-strace-") as folder:
        told = Path(folder) / "told"
        command = ["strace", "-f", "-o", str(told), *options]
        for pid in pids:
            command += ["-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            try:
                _wait_attached(tracer, set(pids))
                work()
            finally:
                tracer.send_signal(signal.SIGINT)
                try:
                    tracer.wait(_ATTACHED_WITHIN_S)
                finally:
                    tracer.kill()
        return told.read_text(errors="replace")


def _wait_attached(tracer: subprocess.Popen[str], pids: set[int]) -> None:
    assert tracer.stderr is not None
    for line in tracer.stderr:
        found = re.search(r"Process (\d+) attached", line)
        if found:
            pids.discard(int(found[1]))
        if not pids:
            return
    raise SystemExit("strace did not attach")


def durable(calls: dict[str, int]) -> int:
    """Calls that make data durable."""
    return sum(calls.get(name, 0) for name in DURABLE)


def steady(calls: dict[str, int]) -> int:
    """Calls that belong to the work, not to its timing."""
    return sum(number for name, number in calls.items() if name not in _TIMING)
