"""The watcher of haresources clusters: when it gives addresses up, and when not."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mailnode.admin.cli.cluster_watch import patience_s
from mailnode.cluster.standby import Answer, Rhythm, Watcher

SERVES, DOWN, BROKEN = Answer.SERVES, Answer.NOT_RUNNING, Answer.BROKEN
QUICK = Rhythm(look_s=0.01, deep_s=0, answer_s=0.1, patience_s=0, rest_s=0)


@dataclass
class World:
    answers: Iterable[Answer | Callable[[], Answer]]
    can: bool = True
    holds: bool = True
    levels: list[int] = field(default_factory=list)
    given_up: int = 0
    said: list[str] = field(default_factory=list)

    def watcher(self, rhythm: Rhythm) -> Watcher:
        answers = iter(self.answers)

        def ask(level: int) -> Answer:
            self.levels.append(level)
            answer = next(answers)
            return answer if isinstance(answer, Answer) else answer()

        def give_up() -> bool:
            self.given_up += 1
            return self.can

        return Watcher(
            ask=ask,
            holds=lambda: self.holds,
            give_up=give_up,
            say=self.said.append,
            rhythm=rhythm,
        )


def looks(world: World, count: int, rhythm: Rhythm = QUICK) -> World:
    watcher, never = world.watcher(rhythm), threading.Event()
    for _ in range(count):
        watcher.look(never)
    return world


def test_a_server_that_fails_twice_at_once_loses_its_addresses() -> None:
    world = looks(World([SERVES, BROKEN, BROKEN]), 2)
    assert world.given_up == 1
    assert world.said == [
        "mailnode serves",
        "mailnode does not serve: broken",
        "the addresses were given up",
    ]


def test_a_failure_that_is_not_confirmed_changes_nothing() -> None:
    assert looks(World([SERVES, DOWN, SERVES, SERVES]), 3).given_up == 0


def test_a_server_that_never_served_has_time_to_start() -> None:
    patient = Rhythm(deep_s=0, patience_s=60, rest_s=0)
    assert looks(World([DOWN] * 4 + [SERVES]), 3, patient).given_up == 0
    # Once it served, no more.
    assert looks(World([SERVES, DOWN, DOWN]), 2, patient).given_up == 1


def test_a_question_that_hangs_is_a_failure() -> None:
    forever = threading.Event()

    def hangs() -> Answer:
        forever.wait()
        return SERVES

    try:
        assert looks(World([SERVES, hangs, hangs]), 2).given_up == 1
    finally:
        forever.set()


def test_giving_up_is_not_repeated_at_once() -> None:
    slow = Rhythm(deep_s=0, first_rest_s=60)
    world = looks(World([SERVES] + [DOWN] * 6, can=False), 4, slow)
    assert world.given_up == 1
    assert world.said[-1] == "the addresses could not be given up"


def test_what_comes_back_is_given_up_again_and_ever_more_rarely() -> None:
    world = World(itertools.chain([SERVES], itertools.repeat(DOWN)))
    watcher, never = world.watcher(Rhythm(deep_s=60, first_rest_s=0.5, rest_s=1)), threading.Event()
    given_up: list[float] = []
    while len(given_up) < 4:
        watcher.look(never)
        if world.given_up > len(given_up):
            given_up.append(time.monotonic())
    rests = [after - before for before, after in itertools.pairwise(given_up)]
    assert [rest > least for rest, least in zip(rests, (0.5, 1, 1), strict=True)] == [True] * 3
    assert Rhythm().first_rest_s < 5


def test_what_is_not_here_is_not_given_up_and_costs_no_rest() -> None:
    world = looks(World([SERVES] + [DOWN] * 4, holds=False), 3, Rhythm(deep_s=0, first_rest_s=60))
    assert world.given_up == 0
    world = World([SERVES] + [DOWN] * 4, holds=False)
    watcher, never = world.watcher(Rhythm(deep_s=0, first_rest_s=60)), threading.Event()
    for world.holds in (False, False, True):
        watcher.look(never)
    assert world.given_up == 1


def test_who_watches_anew_long_after_the_machine_booted_is_less_patient() -> None:
    assert patience_s(up_s=20) == 60
    assert patience_s(up_s=86_400) <= 10


def test_the_deep_question_is_asked_now_and_then() -> None:
    assert looks(World([SERVES] * 3), 3, Rhythm(deep_s=60)).levels == [10, 0, 0]


def test_it_ends_when_told() -> None:
    stop = threading.Event()
    world = World([SERVES, stop.set])  # type: ignore[list-item]  # ends the run by answering
    thread = threading.Thread(target=world.watcher(QUICK).run, args=(stop,), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert world.given_up == 0


def test_who_served_again_rests_no_longer() -> None:
    slow = Rhythm(look_s=0.01, deep_s=0, answer_s=0.1, patience_s=0, first_rest_s=60)
    answers = [SERVES, BROKEN, BROKEN, BROKEN, BROKEN, SERVES, DOWN, DOWN]
    assert looks(World(answers), 5, slow).given_up == 2
