"""Gives this node's addresses up when mailnode here cannot serve.

Heartbeat with haresources moves addresses of nodes that are silent, but never looks whether a
service works. This watcher does, and has Heartbeat hand everything to the other node.
Promises: one failure alone, confirmed at once, is enough; a server that is still starting has
time; a question that hangs is a failure; addresses that come back to a server that still fails are
given up again within seconds, but not without end: two nodes of which neither serves pass them to
and fro ever more rarely.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

# Between a failure and the look that confirms it.
_CONFIRM_S = 0.3


class Answer(Enum):
    """What became of the question."""

    SERVES = "serves"
    NOT_RUNNING = "not running"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds. ``deep_s``: between questions that also try storage and directory; ``patience_s``:
    what a server that never served yet may take; ``first_rest_s``: after giving up once, twice
    that after the next time, up to ``rest_s``."""

    look_s: float = 2.0
    deep_s: float = 10.0
    answer_s: float = 5.0
    patience_s: float = 60.0
    first_rest_s: float = 2.0
    rest_s: float = 60.0


class Watcher:
    """``ask(level)`` answers in its own time, level 0 or 10; ``holds`` tells whether there may be
    something to give up; ``give_up`` hands the addresses over and returns whether it could;
    ``say`` tells people; ``tend`` is done after each look at a server that serves."""

    def __init__(
        self,
        *,
        ask: Callable[[int], Answer],
        holds: Callable[[], bool],
        give_up: Callable[[], bool],
        say: Callable[[str], None],
        rhythm: Rhythm,
        tend: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask, self._holds, self._give_up, self._say = ask, holds, give_up, say
        self._rhythm, self._tend = rhythm, tend
        self._began = time.monotonic()
        self._served = False
        self._failing = False
        self._deep_at = self._began
        self._rests_until = self._began
        self._next_rest_s = rhythm.first_rest_s

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set."""
        while not stop.wait(self._rhythm.look_s):
            self.look(stop)

    def look(self, stop: threading.Event) -> None:
        """One look, and what follows from it."""
        now = time.monotonic()
        level = 10 if now >= self._deep_at else 0
        answer = self._answer(level)
        if level:
            self._deep_at = now + self._rhythm.deep_s
        if answer is not Answer.SERVES and not stop.wait(_CONFIRM_S):
            answer = self._answer(level)
        if answer is Answer.SERVES:
            self._serves()
            self._tend()
        elif not stop.is_set():
            self._fails(answer, now)

    def _serves(self) -> None:
        if self._failing or not self._served:
            self._say("mailnode serves")
            # Whoever fails anew may have been given its addresses back meanwhile.
            self._rests_until = time.monotonic()
            self._next_rest_s = self._rhythm.first_rest_s
        self._served, self._failing = True, False

    def _fails(self, answer: Answer, now: float) -> None:
        if not self._failing:
            self._say(f"mailnode does not serve: {answer.value}")
        self._failing = True
        starting = not self._served and now - self._began < self._rhythm.patience_s
        if starting or now < self._rests_until or not self._holds():
            return
        done = self._give_up()
        # Heartbeats that meet again after a cut, or an agent that fails, bring addresses back soon.
        rest_s = min(self._next_rest_s, self._rhythm.rest_s)
        self._rests_until, self._next_rest_s = time.monotonic() + rest_s, 2 * rest_s
        self._say("the addresses were given up" if done else "the addresses could not be given up")

    def _answer(self, level: int) -> Answer:
        """The answer, or ``BROKEN`` when none came: storage may hang whoever touches it."""
        found: list[Answer] = []
        asking = threading.Thread(
            target=lambda: found.append(self._ask(level)), name="question", daemon=True
        )
        asking.start()
        asking.join(self._rhythm.answer_s)
        return found[0] if found else Answer.BROKEN
