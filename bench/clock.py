"""Time that is bounded: a scenario that takes too long is ended, its servers are stopped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TICK_S = 15.0


class Overtime(Exception):
    """The time is up."""


@contextmanager
def bounded(seconds: float, each_tick: Callable[[float], None]) -> Iterator[None]:
    """Raise ``Overtime`` in the body after so many seconds; call ``each_tick`` with the seconds
    that have gone by meanwhile. For the main thread; no forked child inherits it."""
    began = time.monotonic()

    def ring(_signal: int, _frame: FrameType | None) -> None:
        gone = time.monotonic() - began
        if gone >= seconds:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Overtime(f"not done after {seconds:.0f} s")
        each_tick(gone)
        signal.setitimer(signal.ITIMER_REAL, max(0.01, min(TICK_S, seconds - gone)))

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(0.01, min(TICK_S, seconds)))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def heed_endings() -> None:
    """End as by Ctrl-C when told to end, or when the terminal goes (unless under nohup): a server
    that is left behind would be in the way of the next run."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def say(text: str) -> None:
    """A line of progress; whole, also out of a signal's handler."""
    os.write(2, f"{time.strftime('%H:%M:%S')} {text}\n".encode())
