"""Many clients at once, each a forked process of its own, for a fixed time.

Promises: all clients start together after all are ready; none outlives ``run``; a client that
failed is counted, its first words are kept.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

_GRACE_S = 60.0
_fork = multiprocessing.get_context("fork")

# Does one unit of work; raises when the server did wrong.
Turn = Callable[[int], object]


@dataclass(slots=True)
class Outcome:
    """What a crowd did: units of work per second, the time of each, and failures."""

    done: int = 0
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """Units per second."""
        return self.done / self.seconds if self.seconds else 0.0

    def percentile_ms(self, part: float) -> float:
        """Milliseconds within which ``part`` of the units were done."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000 if ordered else 0.0


def run(clients: int, seconds: float, turn: Turn) -> Outcome:
    """Have ``clients`` processes call ``turn(client number)`` again and again."""
    start = _fork.Event()
    lines: list[Connection] = []
    processes = []
    for number in range(clients):
        mine, theirs = _fork.Pipe(duplex=False)
        process = _fork.Process(
            target=_client, args=(number, seconds, turn, start, theirs), daemon=True
        )
        process.start()
        theirs.close()
        lines.append(mine)
        processes.append(process)
    began = time.perf_counter()
    start.set()
    outcome = Outcome()
    try:
        for line in lines:
            try:
                times, failure = line.recv() if line.poll(seconds + _GRACE_S) else ([], "hangs")
            except EOFError:
                times, failure = [], "died"
            outcome.times += times
            outcome.failures += [failure] if failure else []
        outcome.done, outcome.seconds = len(outcome.times), time.perf_counter() - began
        for process in processes:
            process.join(1)
    finally:
        # Also when the time of the whole scenario is up.
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()
    return outcome


def _client(number: int, seconds: float, turn: Turn, start: object, line: Connection) -> None:
    times: list[float] = []
    failure = ""
    start.wait()  # type: ignore[attr-defined]  # multiprocessing's Event has no public type
    until = time.perf_counter() + seconds
    try:
        while (before := time.perf_counter()) < until:
            turn(number)
            times.append(time.perf_counter() - before)
    except Exception as error:  # noqa: BLE001  whatever it is, it is a result
        failure = f"{type(error).__name__}: {error}"
    line.send((times, failure))
    line.close()
