"""The scenarios by name, with their sizes, their goals, and the time they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.ours import NAME, ours, ours_on_mysql
from bench.result import Result
from bench.scenarios import (
    big_mailbox,
    deliver,
    durability,
    failover,
    fetch,
    idle,
    imap_mix,
    imap_sync,
    login_storm,
    pop3_drain,
    postal,
    submit,
)
from bench.scenarios.deliver import SPARE_USERS, Load
from bench.scenarios.submit import Manner
from bench.server import Server

Start = Callable[[int], AbstractContextManager[Server]]
_MIB = 1024 * 1024
# What no machine can make quicker: starting and stopping a server.
_START_S = 8.0
# Deliveries are measured so many times on the same server; the median counts.
_ROUNDS = 3


@contextmanager
def nobody(_users: int) -> Iterator[Server]:
    """For a scenario that starts its servers itself."""
    yield Server(NAME, (), "", {}, list, Path())


@dataclass(frozen=True, slots=True)
class Scenario:
    """``users`` and ``run`` take the scale. ``seconds``: of work on two quiet cores, both sides
    together, at scale 1. ``mine`` starts mailnode; ``beside``: the peer is measured too. ``most``:
    by figure, what mailnode must not exceed."""

    users: Callable[[float], int]
    run: Callable[[Server, float], Iterable[Result]]
    seconds: float
    scales: bool = True
    mine: Start = ours
    beside: bool = True
    most: Mapping[str, float] = field(default_factory=dict)

    def planned_s(self, scale: float, *, alone: bool) -> float:
        """Seconds that it takes on two quiet cores, servers' starts included."""
        # Logins, waits and single messages are not fewer at a smaller scale.
        work = self.seconds * (max(0.5, scale) if self.scales else 1.0)
        sides = 2 if self.beside else 1
        return work / (sides if alone else 1) + _START_S * (1 if alone else sides)


def _deliver(name: str, messages: int, seconds: float, **facts: object) -> Scenario:
    def load(scale: float) -> Load:
        return Load(name, max(20, int(messages * scale)), rounds=_ROUNDS, **facts)  # type: ignore[arg-type]  # as given below

    def users(scale: float) -> int:
        one = load(scale)
        spread = 1 if one.one_mailbox else max(one.messages, one.recipients)
        return spread + SPARE_USERS

    return Scenario(users, lambda server, scale: [deliver.run(server, load(scale))], seconds)


def _submit(manner: Manner) -> Scenario:
    return Scenario(
        lambda _: 60, lambda server, _: [submit.run(server, manner)], seconds=18, scales=False
    )


def _idle(*, tls: bool) -> Scenario:
    def sessions(scale: float) -> int:
        return max(20, int(idle.SESSIONS * scale))

    return Scenario(
        lambda scale: min(sessions(scale), 2000),
        lambda server, scale: [idle.run(server, sessions(scale), tls=tls, pushes=100)],
        seconds=96,
        most={"memory": 40.0},
    )


def _idle_many(sessions: int) -> Scenario:
    def run(server: Server, scale: float) -> list[Result]:
        result = idle.run(server, max(20, int(sessions * scale)), tls=False)
        return [replace(result, scenario="idle-10k")]

    return Scenario(
        lambda _: 1000,
        run,
        seconds=45,
        beside=False,
        most={"all processes": 600.0, "push, slowest 1 %": 250.0},
    )


def big(*, text: bool) -> Scenario:
    """Mailboxes up to 10 000 messages, at scale 100 to a million. ``text``: mailnode, which indexes
    it, is asked for text in the largest ones, too."""

    def run(server: Server, scale: float) -> Iterator[Result]:
        sizes = [size for size in big_mailbox.SIZES if size <= 10_000 * scale]
        return big_mailbox.run(server, sizes, indexed=text and server.name == NAME)

    return Scenario(lambda _: 20, run, seconds=20)


SCENARIOS: dict[str, Scenario] = {
    "deliver": _deliver("deliver", 2000, 48, goal=5.0),
    "deliver-kept": _deliver("deliver-kept", 2000, 54, keep=True, goal=5.0),
    "deliver-one": _deliver("deliver-one", 2000, 28, one_mailbox=True, goal=2.0),
    "deliver-20m": _deliver(
        "deliver-20m", 20, 13, size=20 * _MIB, sessions=4, one_mailbox=True, goal=1.0
    ),
    "deliver-mysql": replace(_deliver("deliver-mysql", 2000, 68, goal=5.0), mine=ours_on_mysql),
    "deliver-tls": _submit(Manner("deliver-tls", login=False, messages=20)),
    "submit": _submit(Manner("submit")),
    "durability": Scenario(
        lambda _: 60, lambda server, _: [durability.run(server)], seconds=2, scales=False
    ),
    "login-storm": Scenario(
        lambda _: 250, lambda server, _: [login_storm.run(server)], seconds=18, scales=False
    ),
    "imap-mix": Scenario(
        lambda _: 60, lambda server, _: [imap_mix.run(server)], seconds=20, scales=False
    ),
    "imap-sync": Scenario(
        lambda _: 20,
        lambda server, scale: [imap_sync.run(server, max(100, int(10_000 * scale)))],
        seconds=4,
    ),
    "fetch": Scenario(
        lambda _: 20,
        lambda server, scale: [fetch.run(server, max(50, int(2000 * scale)))],
        seconds=7,
    ),
    "idle": _idle(tls=False),
    "idle-tls": _idle(tls=True),
    "idle-10k": _idle_many(10_000),
    "big-mailbox": big(text=True),
    "pop3-drain": Scenario(
        lambda _: 20,
        lambda server, scale: [pop3_drain.run(server, max(10, int(200 * scale)))],
        seconds=5,
    ),
    "failover": Scenario(
        lambda _: 0,
        lambda _server, _scale: [failover.result()],
        seconds=40,
        scales=False,
        mine=nobody,
        beside=False,
        most={"without a greeting": 2.5},
    ),
    # Without a goal: what is left out first when the time is up.
    "deliver-1k": _deliver("deliver-1k", 1000, 22, size=1024),
    "deliver-100-sessions": _deliver("deliver-100-sessions", 2000, 48, sessions=100),
    "deliver-20-recipients": _deliver("deliver-20-recipients", 200, 36, recipients=20),
    "deliver-postal": Scenario(
        lambda _: 500, lambda server, _: [postal.run(server)], seconds=28, scales=False
    ),
}
