"""Signs of life of this node's processes, as small files in its own run folder.

The supervisor and each worker say every second how they are; the agent's monitor and the status
command read it. Ages are measured by the machine's monotonic clock, which all its processes share.
Promises: a file is whole or absent; those of dead processes are removed by whoever reads.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailnode.cluster.record import process_state
from mailnode.model.errors import MailnodeError
from mailnode.runtime import files

_FOLDER = "beats"
_MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Beat:
    """One process: its kind ("supervisor", "worker"), pid, process state as ``ps`` shows it,
    seconds since it last said something, and what it said."""

    kind: str
    pid: int
    state: str
    age_s: float
    facts: dict[str, Any]


class Heart:
    """Writes the beats of this process."""

    def __init__(self, run_dir: Path, kind: str) -> None:
        self._kind = kind
        self._folder = run_dir / _FOLDER
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = self._folder / f"{kind}-{os.getpid()}.json"

    def beat(self, **facts: object) -> None:
        """Say how we are. A full or missing run folder is not worth an error: silence tells."""
        text = json.dumps({"kind": self._kind, "at": time.monotonic(), **facts})
        try:
            files.replace(str(self._path), text.encode(), sync=False)
        except (OSError, MailnodeError):
            return

    def stop(self) -> None:
        """Nothing more will be said."""
        self._path.unlink(missing_ok=True)


def beats(run_dir: Path) -> list[Beat]:
    """What the living processes last said, supervisor first."""
    try:
        names = sorted(os.listdir(run_dir / _FOLDER))  # "supervisor" before "worker"
    except OSError:
        return []
    found = [_read(run_dir / _FOLDER / name) for name in names if name.endswith(".json")]
    return [one for one in found if one]


def _read(path: Path) -> Beat | None:
    try:
        facts = json.loads(path.read_bytes()[:_MAX_BYTES])
        kind, pid = path.stem.rpartition("-")[::2]
        state, age_s = process_state(int(pid)), time.monotonic() - float(facts.pop("at"))
        facts.pop("kind")
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if state in "ZX":
        path.unlink(missing_ok=True)
        return None
    return Beat(kind, int(pid), state, age_s, facts)
