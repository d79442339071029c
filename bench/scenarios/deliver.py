"""Mail comes in: smtp-source (Postfix's own load generator) against the MX port.

Counted until every message lies in its Maildir, not only until it was accepted: Postfix accepts
into a queue and delivers behind it, and the queue must be empty at the end. A send takes seconds,
so some are measured one after another on the same warm server, and the median of each is told.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.result import Figure, Result, median
from bench.server import DOMAIN, Server

_LONGEST_S = 600.0
# smtp-source asks for some numbers beyond the last message.
SPARE_USERS = 100


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent. ``one_mailbox``: all to the first user. ``mailboxes``: to so many, again and
    again; 0: each message to another one, or all to the same where they have several recipients.
    ``keep``: many messages on a connection. ``rounds``: sends of all messages that are measured."""

    name: str
    messages: int
    size: int = 4096
    sessions: int = 20
    recipients: int = 1
    one_mailbox: bool = False
    keep: bool = False
    goal: float = 0.0
    mailboxes: int = 0
    rounds: int = 1

    @property
    def copies(self) -> int:
        """Messages to be stored."""
        return self.messages * self.recipients


class Round(NamedTuple):
    """What one send took, and how many more copies lay in Maildirs after it."""

    accepted_s: float
    taken_s: float
    cpu_s: float
    stored: int


def run(server: Server, load: Load) -> Result:
    """Warm up once (mailboxes and caches made), then measure."""
    send(server, load)
    settle(server)
    rounds = [_round(server, load) for _ in range(load.rounds)]
    copies = load.copies
    figures = [
        median(
            Figure("delivered and durable", "msg/s", goal=load.goal),
            [copies / one.taken_s for one in rounds],
        ),
        median(Figure("accepted", "msg/s"), [load.messages / one.accepted_s for one in rounds]),
        median(Figure("CPU", "ms/msg", more=False), [one.cpu_s / copies * 1000 for one in rounds]),
        median(
            Figure("throughput", "MB/s"),
            [copies * load.size / one.taken_s / 1e6 for one in rounds],
        ),
    ]
    lost = [one for one in rounds if one.stored != copies]
    failures = [f"{one.stored} of {copies} copies were stored" for one in lost]
    facts: dict[str, object] = {"sessions": load.sessions, "rounds": load.rounds}
    return Result(load.name, server.name, figures, failures, facts)


def _round(server: Server, load: Load) -> Round:
    before, cpu = stored(server.mail), server.cpu_s()
    began = time.perf_counter()
    send(server, load)
    accepted_s = time.perf_counter() - began
    settle(server)
    taken_s = time.perf_counter() - began
    found = stored(server.mail) - before
    return Round(accepted_s, taken_s, server.cpu_s() - cpu, found)


def send(server: Server, load: Load) -> None:
    """Send the whole load; returns once all of it was accepted."""
    if load.one_mailbox or load.mailboxes == 1:
        _source(server, load, [(load.messages, load.sessions, ["-t", server.users[0]])])
    elif not load.mailboxes:
        names = ["-r", str(load.recipients)] if load.recipients > 1 else ["-N"]
        _source(server, load, [(load.messages, load.sessions, [*names, "-t", f"user@{DOMAIN}"])])
    elif load.mailboxes < load.sessions and load.recipients == 1:
        _source(server, load, _shares(server, load))
    else:
        # Through all mailboxes, then again: smtp-source itself only goes on counting.
        names = ["-N", "-r", str(load.recipients), "-t", f"user@{DOMAIN}"]
        most = load.mailboxes // load.recipients
        for first in range(0, load.messages, most):
            count = min(most, load.messages - first)
            _source(server, load, [(count, load.sessions, names)])


def _shares(server: Server, load: Load) -> list[tuple[int, int, list[str]]]:
    """Messages, sessions and recipient for each of a few mailboxes, all at the same time."""
    count = min(load.mailboxes, load.messages)
    return [
        (
            load.messages // count + (at < load.messages % count),
            load.sessions // count + (at < load.sessions % count),
            ["-t", server.users[at]],
        )
        for at in range(count)
    ]


def _source(server: Server, load: Load, shares: Sequence[tuple[int, int, list[str]]]) -> None:
    """Run smtp-source with each share at the same time, to the end."""
    host, port = server.address("smtp")
    common = ["smtp-source", "-l", str(load.size), "-f", "sender@elsewhere.test"]
    common += ["-M", "client.test", *(["-d"] if load.keep else [])]
    with ExitStack() as stack:
        running = []
        for messages, sessions, names in shares:
            command = [*common, "-s", str(min(sessions, messages)), "-m", str(messages), *names]
            tool = subprocess.Popen([*command, f"{host}:{port}"], stderr=subprocess.PIPE, text=True)
            stack.enter_context(tool)
            stack.callback(tool.kill)
            running.append(tool)
        for tool in running:
            said = tool.communicate(timeout=_LONGEST_S)[1]
            if tool.returncode:
                raise SystemExit(f"smtp-source: {said[-500:]}")


def settle(server: Server) -> None:
    """Wait until the server owes no delivery any more."""
    until = time.perf_counter() + _LONGEST_S
    while server.owed():
        if time.perf_counter() > until:
            raise SystemExit(f"{server.name}: the queue does not empty")
        time.sleep(0.02)


def stored(mail: Path) -> int:
    """Messages in all Maildirs."""
    found = 0
    for place, _, files in os.walk(mail):
        if place.endswith(("/new", "/cur")):
            found += len(files)
    return found
