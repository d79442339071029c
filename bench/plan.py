"""The scenarios by name, with their sizes and goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.ours import NAME
from bench.result import Result
from bench.scenarios import (
    big_mailbox,
    deliver,
    durability,
    fetch,
    idle,
    imap_mix,
    imap_sync,
    login_storm,
    pop3_drain,
    submit,
)
from bench.scenarios.deliver import SPARE_USERS, Load
from bench.scenarios.submit import Manner
from bench.server import Server

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scenario:
    """``users`` and ``run`` take the scale. ``mysql``: mailnode reads its users from MariaDB, as
    the peer always does."""

    users: Callable[[float], int]
    run: Callable[[Server, float], Iterable[Result]]
    mysql: bool = False


def _deliver(name: str, messages: int, mysql: bool = False, **facts: object) -> Scenario:
    def load(scale: float) -> Load:
        return Load(name, max(20, int(messages * scale)), **facts)  # type: ignore[arg-type]  # as given below

    def users(scale: float) -> int:
        one = load(scale)
        spread = 1 if one.one_mailbox else max(one.messages, one.recipients)
        return spread + SPARE_USERS

    return Scenario(users, lambda server, scale: [deliver.run(server, load(scale))], mysql)


def _submit(manner: Manner) -> Scenario:
    return Scenario(lambda _: 60, lambda server, _: [submit.run(server, manner)])


def _idle(*, tls: bool) -> Scenario:
    def sessions(scale: float) -> int:
        return max(20, int(idle.SESSIONS * scale))

    return Scenario(
        lambda scale: min(sessions(scale), 2000),
        lambda server, scale: [idle.run(server, sessions(scale), tls=tls)],
    )


def _big_mailbox(scale: float) -> list[int]:
    """Up to 10 000 messages; ``--scale 100`` goes up to a million."""
    return [size for size in big_mailbox.SIZES if size <= 10_000 * scale]


SCENARIOS: dict[str, Scenario] = {
    "deliver": _deliver("deliver", 2000, goal=5.0),
    "deliver-kept": _deliver("deliver-kept", 2000, keep=True, goal=5.0),
    "deliver-one": _deliver("deliver-one", 2000, one_mailbox=True, goal=2.0),
    "deliver-1k": _deliver("deliver-1k", 1000, size=1024),
    "deliver-100-sessions": _deliver("deliver-100-sessions", 2000, sessions=100),
    "deliver-20-recipients": _deliver("deliver-20-recipients", 200, recipients=20),
    "deliver-20m": _deliver(
        "deliver-20m", 20, size=20 * _MIB, sessions=4, one_mailbox=True, goal=1.0
    ),
    "deliver-mysql": _deliver("deliver-mysql", 2000, mysql=True, goal=5.0),
    "deliver-tls": _submit(Manner("deliver-tls", login=False, messages=20)),
    "submit": _submit(Manner("submit")),
    "durability": Scenario(lambda _: 60, lambda server, _: [durability.run(server)]),
    "login-storm": Scenario(lambda _: 250, lambda server, _: [login_storm.run(server)]),
    "imap-mix": Scenario(lambda _: 60, lambda server, _: [imap_mix.run(server)]),
    "imap-sync": Scenario(
        lambda _: 20,
        lambda server, scale: [imap_sync.run(server, max(100, int(10_000 * scale)))],
    ),
    "fetch": Scenario(
        lambda _: 20, lambda server, scale: [fetch.run(server, max(50, int(2000 * scale)))]
    ),
    "idle": _idle(tls=False),
    "idle-tls": _idle(tls=True),
    "big-mailbox": Scenario(
        lambda _: 20,
        lambda server, scale: big_mailbox.run(
            server, _big_mailbox(scale), indexed=server.name == NAME
        ),
    ),
    "pop3-drain": Scenario(
        lambda _: 20,
        lambda server, scale: [pop3_drain.run(server, max(10, int(200 * scale)))],
    ),
}
