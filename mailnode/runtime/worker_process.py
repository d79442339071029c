"""One forked worker, as its supervisor sees it.

Promises: the child starts with default signal actions, SIGINT ignored (a terminal sends it to the
whole group, but only the supervisor decides), and without the supervisor's other descriptors.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailnode.runtime.seat import DRAINING, READY, Line, Seat
from mailnode.runtime.tally import Tally

_DEFAULT = (signal.SIGTERM, signal.SIGCHLD)
# SIGHUP only means something once the worker has a handler for it.
_IGNORED = (signal.SIGINT, signal.SIGHUP)
_HELD = (*_DEFAULT, *_IGNORED)


@dataclass(slots=True)
class WorkerProcess:
    """A child and what it last said. Times are ``time.monotonic`` seconds."""

    pid: int
    seat: int
    generation: int
    row: int
    line: socket.socket
    started_at: float
    heard_at: float
    ready: bool = False
    draining: bool = False
    kill_at: float | None = None
    stuck: bool = False

    def listen(self, now: float) -> None:
        """Take in what the child said."""
        try:
            said = self.line.recv(4096)
        except OSError:
            return
        if said:
            self.heard_at = now
        self.ready = self.ready or READY in said
        self.draining = self.draining or DRAINING in said

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; the child is ours and not yet waited for, so the pid is its own."""
        os.kill(self.pid, number)


# Sessions make many objects that live for a command; looking for cycles among them after each 700,
# as Python does by itself, costs a tenth of the processor and finds hardly any.
_GC_THRESHOLDS = (10_000, 20, 20)


def fork_worker(
    number: int,
    generation: int,
    first: bool,
    start: Callable[[Seat], int],
    tally: Tally,
    others: Iterable[socket.socket],
    now: float,
) -> WorkerProcess:
    """Fork; the child runs ``start(seat)`` and exits with its answer, never coming back here.

    ``others`` are descriptors that the child must not keep. Raises ``OSError``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    # Objects made so far stay on pages that all processes share.
    gc.freeze()
    # A signal for the child must not be written to our wake-up descriptor, which it still shares.
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        ours.close()
        theirs.close()
        raise
    if pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
        theirs.close()
        return WorkerProcess(pid, number, generation, tally.number_of_row, ours, now, now)
    status = 1
    try:
        _forget_supervisor([ours, *others])
        gc.set_threshold(*_GC_THRESHOLDS)
        status = start(Seat(number, generation, first, Line(theirs), tally))
    except BaseException:  # noqa: BLE001  the child's last barrier: say it and end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _forget_supervisor(others: Iterable[socket.socket]) -> None:
    signal.set_wakeup_fd(-1)
    for number in _DEFAULT:
        signal.signal(number, signal.SIG_DFL)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    for sock in others:
        sock.close()
