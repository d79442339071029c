"""On which core the threads of a worker run.

The threads of a Python process take turns at the interpreter's lock. Spread over cores each turn is
an interrupt to another core, and a thread that is just being woken there fights with the one that
goes on; on one core it is a plain change of tasks. Measured (``docs/performance.md``): a delivery
takes an eighth less of the processor on a quiet machine, a quarter less on a busy one.
Promises: a worker keeps to one core only where there are as many workers as cores, so that no core
is left idle by it; what computes for long without the lock (hashing a password) may run anywhere.
Fails: never; a system that does not allow it leaves the threads where they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_away: frozenset[int] = frozenset()  # where the process might run before it settled
_home: frozenset[int] = frozenset()  # the core it settled on; empty: it did not


def settle(seat: int, seats: int) -> None:
    """Keep the calling thread, and all that it starts from now on, to the core of worker ``seat``
    of ``seats``."""
    global _away, _home
    allowed = sorted(os.sched_getaffinity(0))
    if not 1 < len(allowed) <= seats:
        return
    _away, _home = frozenset(allowed), frozenset({allowed[seat % len(allowed)]})
    _move(_home)


def anywhere(call: Callable[..., T], *args: object) -> T:
    """``call(*args)`` on whichever core is free, in a thread that comes back afterwards."""
    if not _home:
        return call(*args)
    _move(_away)
    try:
        return call(*args)
    finally:
        _move(_home)


def _move(cores: frozenset[int]) -> None:
    try:
        os.sched_setaffinity(0, cores)
    except OSError:
        pass  # a sandbox that forbids it, or cores that were taken from us meanwhile
