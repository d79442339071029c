"""Is what was acknowledged on the disk? Counts the calls that make it so, on either side.

One client, one message after another, nothing to share a call with: the most that a message costs
and the least that a durable one can do with. Tracing slows both servers; this scenario has no rate.
"""

from __future__ import annotations

import smtplib

from bench import syscalls
from bench.result import Figure, Result
from bench.scenarios.deliver import settle
from bench.server import Server

MESSAGES = 50
_TEXT = b"From: Ann <ann@elsewhere.test>\r\nSubject: counted\r\n\r\n" + b"text\r\n" * 600


def run(server: Server, messages: int = MESSAGES) -> Result:
    """Deliver once to make the mailboxes, then count."""
    reason = syscalls.missing()
    if reason:
        raise SystemExit(f"durability: {reason}")
    _send(server, messages)
    settle(server)

    def work() -> None:
        _send(server, messages)
        settle(server)

    calls = syscalls.count(server.pids(), work)
    durable = syscalls.durable(calls) / messages
    figures = [
        Figure("calls that make durable", "/msg", durable, more=False),
        Figure("system calls", "/msg", sum(calls.values()) / messages, more=False),
    ]
    failures = [] if durable >= 1 else ["less than one durable call a message"]
    facts = {name: calls[name] for name in syscalls.DURABLE if name in calls}
    return Result("durability", server.name, figures, failures, dict(facts))


def _send(server: Server, messages: int) -> None:
    with smtplib.SMTP(*server.address("smtp"), timeout=300) as client:
        for number in range(messages):
            user = server.users[number % len(server.users)]
            client.sendmail("sender@elsewhere.test", [user], _TEXT)
