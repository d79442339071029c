"""What processes take of processor and memory, as the kernel tells of any process."""

from __future__ import annotations

import os
import time
from glob import glob
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# clock_getcpuclockid(3): the clock of all threads of a process, ended ones too.
_WHOLE_PROCESS = 2


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of its children that ended; 0 when it is gone.

    Its own by its clock: /proc cuts hundredths off, for user and system apart, and of the hundreds
    of processes that a server may have, each with little to do, that is seconds.
    """
    try:
        own_s = time.clock_gettime(~pid << 3 | _WHOLE_PROCESS)
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return 0.0
    return own_s + sum(map(int, fields[13:15])) / TICKS


def memory_kib(pid: int, key: str = "Pss") -> int:
    """Memory of a process in KiB, 0 when it is gone. ``Pss``: pages that are shared are divided
    among those that share them; other keys as in /proc/PID/smaps_rollup."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)


def family(pids: list[int]) -> list[int]:
    """These processes and all their descendants."""
    found, waiting = [], list(pids)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        # Not Path.glob: it raises for a process that ends meanwhile.
        for task in glob(f"/proc/{pid}/task/*/children"):
            try:
                waiting += map(int, Path(task).read_text().split())
            except OSError:
                continue
    return found
