"""The supervisor: forks workers, replaces dead ones, notices stuck ones, swaps generations.

Promises: one thread, no event loop, so a fork copies nothing that runs. A worker that dies is
replaced at once, one that dies again and again after a growing pause, in which nobody is left
waiting for it. On SIGTERM and SIGINT every
worker drains and all are gone within ``drain_s`` and a little; a second such signal ends them at
once. A generation that does not get ready never replaces one that serves.
Fails: answers a process exit status: 0 ended as asked, 1 could not start.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.pauses import CrashPauses
from mailnode.runtime.seat import LOST, UNFIT, Seat
from mailnode.runtime.systemd import Notifier
from mailnode.runtime.tally import Tallies
from mailnode.runtime.worker_process import WorkerProcess, fork_worker

# A seat that pauses for so long lets the others take its connections.
_LONG_PAUSE_S = 1.0
# Beyond ``drain_s``: time to close the store after the last session.
_GRACE_S = 2.0
# Deaths before the first generation was ever ready, after which starting is given up.
_START_DEATHS_MAX = 5
_TICK_S = 1.0
_BEAT_S = 0.5
# A worker that is not ready by then will not be (imports, spool and store are seconds at most).
_START_S = 60.0
# If we did not run for so long (stopped, machine asleep), nobody could have been heard.
_LAPSE_S = 5.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Generation:
    """What one generation of workers runs with."""

    workers: int
    drain_s: float
    stuck_s: float
    start: Callable[[Seat], int]
    # Have nobody wait for a seat that is to stay empty for a while.
    rest: Callable[[int], None] = lambda seat: None


class Owner(Protocol):
    """Who built the supervisor and knows what the workers are for."""

    def became_ready(self) -> None:
        """The first generation serves. Called once."""

    def reload(self) -> Generation | None:
        """SIGHUP: the next generation, or ``None`` when the present one goes on."""

    def swapped(self) -> None:
        """The new generation serves, the old one drains or is gone."""

    def refused(self) -> None:
        """The new generation could not serve; the old one goes on."""

    def stopping(self) -> None:
        """The end began; workers were told to drain."""


class Supervisor:
    """Runs generations of workers until told to stop."""

    def __init__(
        self,
        generation: Generation,
        owner: Owner,
        *,
        notifier: Notifier,
        log: MailLog,
        beat: Callable[[Mapping[str, object]], None] = lambda facts: None,
    ) -> None:
        self._generation = generation
        self._number = 1
        self._next: Generation | None = None
        self._owner = owner
        self._notifier = notifier
        self._log = log
        self._beat = beat
        self._children: dict[int, WorkerProcess] = {}
        self._tallies = Tallies()
        self._pauses = CrashPauses()
        self._served = False
        self._start_deaths = 0
        self._stopping = False
        self._reload_asked = False
        self._status = 0
        self._selector = selectors.DefaultSelector()
        self._fed_at = 0.0
        self._beaten_at = float("-inf")
        self._told = (False, False)
        self._judged_at = time.monotonic()

    def run(self) -> int:
        """Supervise until the end; the exit status."""
        wake, waker = socket.socketpair()
        wake.setblocking(False)
        waker.setblocking(False)
        before = {number: signal.signal(number, _take_note) for number in _SIGNALS}
        old_fd = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ)
        self._own = (wake, waker)
        try:
            self._fill_seats()
            while self._children or not self._stopping:
                self._turn(wake)
        finally:
            signal.set_wakeup_fd(old_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            wake.close()
            waker.close()
        return self._status

    def _turn(self, wake: socket.socket) -> None:
        for key, _ in self._selector.select(self._wait_s()):
            child = key.data
            if isinstance(child, WorkerProcess):
                child.listen(time.monotonic())
        self._reap()
        self._obey(_drain_bytes(wake))
        self._judge(time.monotonic())
        if not self._stopping:
            self._fill_seats()
        self._feed_watchdog()
        self._say_how_it_goes(time.monotonic())

    def _say_how_it_goes(self, now: float) -> None:
        turn = (self._served, self._stopping)
        if now - self._beaten_at >= _BEAT_S or turn != self._told:
            self._beaten_at, self._told = now, turn
            self._beat(self._facts())

    def _facts(self) -> dict[str, object]:
        """How it goes, for whoever monitors this node."""
        now, children = time.monotonic(), list(self._children.values())
        return {
            "ready": self._served,
            "stopping": self._stopping,
            "seats": self._generation.workers,
            "ready_workers": sum(child.ready and not child.draining for child in children),
            "silent_s": round(max((now - child.heard_at for child in children), default=0.0), 2),
        }

    def _wait_s(self) -> float:
        """Until the next thing to do: a tick, a kill, a paused seat, the watchdog."""
        now, limits = time.monotonic(), [_TICK_S]
        limits += [child.kill_at - now for child in self._children.values() if child.kill_at]
        if not self._stopping:
            limits += [at - now for at in self._pauses.waiting()]
        if self._notifier.watchdog_s:
            limits.append(self._fed_at + self._notifier.watchdog_s / 2 - now)
        return max(0.0, min(limits))

    def _obey(self, numbers: bytes) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop(hurry=self._stopping)
            elif number == signal.SIGHUP:
                self._reload_asked = True
        # Asked for while starting or swapping, it waits for the end of that.
        if self._reload_asked and self._served and self._next is None and not self._stopping:
            self._reload_asked = False
            self._reload()

    # -- seats ---------------------------------------------------------------------------------

    def _fill_seats(self) -> None:
        """Fork a worker for each empty seat of the newest generation that need not pause."""
        wanted = self._next or self._generation
        taken = {c.seat for c in self._children.values() if c.generation == self._number}
        now = time.monotonic()
        for seat in range(wanted.workers):
            if seat not in taken and not self._stopping and self._pauses.may_start(seat, now):
                self._fork(seat, wanted, now)

    def _fork(self, seat: int, generation: Generation, now: float) -> None:
        others = [child.line for child in self._children.values()]
        others += [*self._own]
        first, start = not self._served, self._in_child(generation)
        try:
            tally = self._tallies.take(child.row for child in self._children.values())
            child = fork_worker(seat, self._number, first, start, tally, others, now)
        except OSError as error:
            # Out of processes, memory or descriptors: the seat waits like after a crash.
            self._log.event(Event.ERROR, what="no worker could be started", cause=error)
            self._pauses.died(seat, now, now)
            self._pauses.died(seat, now, now)
            return
        self._children[child.pid] = child
        self._selector.register(child.line, selectors.EVENT_READ, child)

    def _in_child(self, generation: Generation) -> Callable[[Seat], int]:
        def start(seat: Seat) -> int:
            self._selector.close()
            self._notifier.close()
            return generation.start(seat)

        return start

    def _reap(self) -> None:
        for child in list(self._children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid:
                child.listen(time.monotonic())
                self._bury(child, os.waitstatus_to_exitcode(status))

    def _bury(self, child: WorkerProcess, status: int) -> None:
        del self._children[child.pid]
        self._tallies.clear(child.row)
        self._selector.unregister(child.line)
        child.line.close()
        asked = child.kill_at is not None and not child.stuck
        if status or not asked:
            self._report(child, status)
        if status == LOST:
            # Whoever took the lease must not meet us half dead: everything ends now.
            self._status = 1
            self._stop(hurry=True)
        if self._stopping or child.generation != self._number:
            # Of an old generation while the new one starts: the new one fills the seat.
            return
        if self._next is not None:
            self._give_up_swap()
        elif not self._served:
            self._start_failed(status)
        now = time.monotonic()
        self._pauses.died(child.seat, child.started_at, now)
        taken = any(one.seat == child.seat for one in self._children.values())
        if self._pauses.left_s(child.seat, now) >= _LONG_PAUSE_S and not taken:
            self._generation.rest(child.seat)

    def _report(self, child: WorkerProcess, status: int) -> None:
        how = "stuck" if child.stuck else f"signal {-status}" if status < 0 else f"exit {status}"
        self._log.event(Event.WORKER_DIED, pid=child.pid, status=how, seat=child.seat)

    def _start_failed(self, status: int) -> None:
        self._start_deaths += 1
        if status == UNFIT or self._start_deaths >= _START_DEATHS_MAX:
            self._status = 1
            self._stop(hurry=False)

    # -- judging -------------------------------------------------------------------------------

    def _judge(self, now: float) -> None:
        lapsed = now - self._judged_at > _LAPSE_S
        self._judged_at = now
        for child in self._children.values():
            if lapsed:
                child.heard_at = max(child.heard_at, now)
            late = now - child.heard_at > self._generation.stuck_s
            late = late or (not child.ready and now - child.started_at > _START_S)
            if late and child.kill_at is None:
                child.stuck, child.kill_at = True, now
            if child.kill_at is not None and now >= child.kill_at:
                child.signal(signal.SIGKILL)
                child.kill_at = now + _TICK_S
        if not self._stopping:
            self._judge_readiness()

    def _judge_readiness(self) -> None:
        wanted = self._next or self._generation
        newest = [c for c in self._children.values() if c.generation == self._number]
        if len(newest) < wanted.workers or not all(child.ready for child in newest):
            return
        if self._next is not None:
            self._finish_swap()
        elif not self._served:
            self._served = True
            # Told before anybody hears that we are ready, and may ask.
            self._say_how_it_goes(time.monotonic())
            self._owner.became_ready()
            self._notifier.ready(f"{wanted.workers} workers")

    def _feed_watchdog(self) -> None:
        now = time.monotonic()
        if self._notifier.watchdog_s and now - self._fed_at >= self._notifier.watchdog_s / 2:
            self._notifier.alive()
            self._fed_at = now

    # -- generations ---------------------------------------------------------------------------

    def _reload(self) -> None:
        self._notifier.reloading()
        self._next = self._owner.reload()
        if self._next is None:
            for child in self._children.values():
                child.signal(signal.SIGHUP)
            self._notifier.ready(f"{self._generation.workers} workers")
            return
        self._number += 1
        self._pauses = CrashPauses()

    def _finish_swap(self) -> None:
        assert self._next is not None
        old_drain_s = self._generation.drain_s
        self._generation, self._next = self._next, None
        for child in self._children.values():
            if child.generation != self._number:
                self._drain(child, old_drain_s)
        self._owner.swapped()
        self._notifier.ready(f"{self._generation.workers} workers")

    def _give_up_swap(self) -> None:
        """Back to the generation that serves; its number moves up so that seats are its own."""
        failed, self._next = self._number, None
        self._number += 1
        for child in self._children.values():
            if child.generation == failed:
                self._drain(child, 0)
            elif child.kill_at is None:
                child.generation = self._number
        self._owner.refused()
        self._notifier.ready(f"{self._generation.workers} workers, last reload refused")

    def _stop(self, hurry: bool) -> None:
        if not self._stopping:
            self._stopping = True
            self._notifier.stopping()
            self._owner.stopping()
        for child in self._children.values():
            if hurry:
                child.signal(signal.SIGKILL)
            elif child.kill_at is None:
                self._drain(child, self._generation.drain_s)

    def _drain(self, child: WorkerProcess, drain_s: float) -> None:
        child.signal(signal.SIGTERM)
        child.kill_at = time.monotonic() + drain_s + _GRACE_S


def _take_note(number: int, frame: object) -> None:
    """The wake-up descriptor carries the number; Python only needs some handler to be there."""


def _drain_bytes(wake: socket.socket) -> bytes:
    try:
        return wake.recv(4096)
    except BlockingIOError:
        return b""
