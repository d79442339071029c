"""What a node says of itself beside its lock: a small JSON file, the same for every version.

Promises: replaced in one step, never half; unknown keys are kept out of sight, missing ones have
defaults, so that nodes of neighbouring versions read each other. ``token`` changes whenever the
lease changes hands; it alone decides who holds it, ``generation`` counts for people.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from mailnode.cluster.layout import nodes_folder
from mailnode.runtime import files

FORMAT = 1
_MAX_BYTES = 65_536


class Holding(StrEnum):
    """What became of the lease last. The lock tells whether that is still so."""

    HELD = "held"  # by the node itself
    STOPPED = "stopped"  # given back in order
    ADOPTED = "adopted"  # a survivor got the lock and works off the spool
    TAKEN = "taken"  # by a person's word that the node is off, lock or not


@dataclass(frozen=True, slots=True)
class Record:
    """``place`` names machine and process namespace, and ``pid_started`` tells a process from a
    later one of the same number, so that ``pid`` can be judged; ``by`` is who took the lease from
    the node; times are seconds since 1970."""

    node: str
    generation: int = 0
    token: str = ""
    holding: Holding = Holding.STOPPED
    by: str = ""
    pid: int = 0
    pid_started: int = 0
    place: str = ""
    started_at: float = 0.0
    changed_at: float = 0.0
    version: str = ""
    hint_version: int = 0
    addresses: tuple[str, ...] = ()
    spool: str = ""
    format: int = FORMAT

    def is_running_here(self) -> bool:
        """Whether the process that wrote it lives on, on this machine."""
        if self.place != this_place() or self.pid <= 0 or process_state(self.pid) in "ZX":
            return False
        return started_ticks(self.pid) == self.pid_started


def record_path(root: Path, node: str) -> Path:
    """Where a node's record is."""
    return nodes_folder(root) / f"{node}.json"


def read_record(root: Path, node: str) -> Record | None:
    """The node's record; ``None`` where there is none that can be read. Raises ``StorageGone``."""
    path = record_path(root, node)
    try:
        with files.storage_errors(str(path)), path.open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
        return _from_json(node, found)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _from_json(node: str, found: Any) -> Record:
    if not isinstance(found, dict):
        raise ValueError
    known: dict[str, Any] = {}
    blank = Record(node)
    for field in fields(Record):
        value = found.get(field.name, getattr(blank, field.name))
        like = type(getattr(blank, field.name))
        known[field.name] = tuple(map(str, value)) if like is tuple else like(value)
    return Record(**known | {"node": node})


def write_record(root: Path, record: Record) -> None:
    """Replace the node's record. Raises ``StorageFull``, ``StorageGone``."""
    text = json.dumps(asdict(record), indent=1) + "\n"
    files.replace(str(record_path(root, record.node)), text.encode(), mode=0o644)


def process_state(pid: int) -> str:
    """One letter, as ``ps`` shows it (T: stopped); X for a process that is gone."""
    fields = _stat(pid)
    return fields[0] if fields else "X"


def started_ticks(pid: int) -> int:
    """When the process began, in clock ticks since boot; 0 for one that is gone."""
    fields = _stat(pid)
    return int(fields[19]) if len(fields) > 19 else 0


def _stat(pid: int) -> list[str]:
    """proc(5): the fields of ``stat`` from the state on."""
    try:
        # The name in parentheses may hold anything, blanks included.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


@cache
def this_place() -> str:
    """This machine, and the namespace in which our process ids count. Asks for nothing that our
    systemd unit hides (ProcSubset=pid)."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{machine or socket.gethostname()}:{os.stat('/proc/self/ns/pid').st_ino}"
