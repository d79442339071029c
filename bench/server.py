"""A mail server under load, whichever it is: where it listens, who its users are, what it costs.

Users are ``user@example.test``, ``0user@example.test``, ``1user@example.test`` …, as smtp-source,
which puts a running number in front of the recipient, calls them; all have one password.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

DOMAIN = "example.test"
_TICKS = os.sysconf("SC_CLK_TCK")


def user_names(count: int) -> list[str]:
    """The users of every server measured here: smtp-source sends to the first one, too, where it
    has several recipients."""
    return [f"user@{DOMAIN}", *(f"{number}user@{DOMAIN}" for number in range(count - 1))]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``services`` maps smtp, submission, imap, pop3 to host and port; ``pids``
    lists all of its processes, database included, as of now; ``owed`` counts what was accepted but
    not delivered yet."""

    name: str
    users: tuple[str, ...]
    password: str
    services: Mapping[str, tuple[str, int]]
    pids: Callable[[], list[int]]
    mail: Path
    owed: Callable[[], int] = lambda: 0
    facts: Mapping[str, object] = field(default_factory=dict)

    def address(self, service: str) -> tuple[str, int]:
        """Host and port."""
        return self.services[service]

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far, ended children included."""
        return sum(cpu_s(pid) for pid in self.pids())

    def memory_kib(self) -> int:
        """Memory (PSS) of all its processes."""
        return sum(pss_kib(pid) for pid in self.pids())


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and of its children that ended; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def pss_kib(pid: int) -> int:
    """Proportional memory of a process; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


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
