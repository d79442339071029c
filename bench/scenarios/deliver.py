"""Mail comes in: smtp-source (Postfix's own load generator) against the MX port.

Counted until every message lies in its Maildir, not only until it was accepted: Postfix accepts
into a queue and delivers behind it, and the queue must be empty at the end.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.result import Figure, Result
from bench.server import DOMAIN, Server

_LONGEST_S = 600.0
# smtp-source asks for some numbers beyond the last message.
SPARE_USERS = 100


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent. ``one_mailbox``: all to the first user; else each to another one, through
    ``users`` again and again. ``keep``: many messages on a connection."""

    name: str
    messages: int
    size: int = 4096
    sessions: int = 20
    recipients: int = 1
    one_mailbox: bool = False
    keep: bool = False
    goal: float = 0.0


def run(server: Server, load: Load) -> Result:
    """Warm up once (mailboxes and caches made), then measure."""
    send(server, load)
    settle(server)
    before, cpu = stored(server.mail), server.cpu_s()
    began = time.perf_counter()
    send(server, load)
    accepted_s = time.perf_counter() - began
    wanted = before + load.messages * load.recipients
    settle(server)
    taken_s = time.perf_counter() - began
    found = stored(server.mail)
    copies = load.messages * load.recipients
    failures = [] if found == wanted else [f"{found - before} of {copies} copies were stored"]
    busy = server.cpu_s() - cpu
    figures = [
        Figure("delivered and durable", "msg/s", copies / taken_s, goal=load.goal),
        Figure("accepted", "msg/s", load.messages / accepted_s),
        Figure("CPU", "ms/msg", busy / copies * 1000, more=False),
        Figure("throughput", "MB/s", copies * load.size / taken_s / 1e6),
    ]
    return Result(load.name, server.name, figures, failures, {"sessions": load.sessions})


def send(server: Server, load: Load) -> None:
    """Send the whole load; returns once all of it was accepted."""
    host, port = server.address("smtp")
    command = ["smtp-source", "-s", str(load.sessions), "-m", str(load.messages)]
    command += ["-l", str(load.size), "-f", "sender@elsewhere.test", "-M", "client.test"]
    command += ["-d"] if load.keep else []
    if load.one_mailbox:
        command += ["-t", server.users[0]]
    elif load.recipients > 1:
        command += ["-r", str(load.recipients), "-t", f"user@{DOMAIN}"]
    else:
        command += ["-N", "-t", f"user@{DOMAIN}"]
    done = subprocess.run(
        [*command, f"{host}:{port}"],
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"smtp-source: {done.stderr[-500:]}")


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
