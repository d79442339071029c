"""Mail over TLS by clients of our own (no load generator of Postfix speaks TLS): people who submit
one message a session, and servers that deliver many on one connection.

Counted until every message lies in its Maildir, as in ``deliver``.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from dataclasses import dataclass

from bench import crowd
from bench.result import Figure, Result
from bench.scenarios.deliver import settle, stored
from bench.server import Server

SECONDS = 8.0
_HEAD = b"From: Ann <ann@elsewhere.test>\r\nSubject: over TLS\r\n\r\n" + b"x" * 70 + b"\r\n"
_LINE = b"y" * 76 + b"\r\n"


@dataclass(frozen=True, slots=True)
class Manner:
    """``login``: on the submission port, as the user; else on the MX port, as a stranger.
    ``messages`` on each connection, each to ``recipients`` of ``mailboxes`` (0: as many as there
    are sessions, but no fewer than recipients)."""

    name: str
    sessions: int = 20
    login: bool = True
    messages: int = 1
    goal: float = 0.0
    size: int = 4020
    recipients: int = 1
    mailboxes: int = 0


def run(server: Server, manner: Manner, seconds: float = SECONDS) -> Result:
    """Warm up, then measure."""
    users = server.users[: manner.mailboxes or max(manner.sessions, manner.recipients)]
    text = _HEAD + _LINE * max(1, round((manner.size - len(_HEAD)) / len(_LINE)))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    turns = [0] * manner.sessions

    def turn(number: int) -> None:
        with smtplib.SMTP(*server.address("submission" if manner.login else "smtp")) as client:
            client.starttls(context=context)
            if manner.login:
                client.login(users[number % len(users)], server.password)
            for _ in range(manner.messages):
                first = number + 1 + turns[number] * manner.sessions
                turns[number] += manner.recipients
                to = [users[(first + at) % len(users)] for at in range(manner.recipients)]
                client.sendmail(users[number % len(users)], to, text)

    crowd.run(manner.sessions, 2.0, turn)
    settle(server)
    before, cpu, began = stored(server.mail), server.cpu_s(), time.perf_counter()
    outcome = crowd.run(manner.sessions, seconds, turn)
    settle(server)
    taken, busy = time.perf_counter() - began, server.cpu_s() - cpu
    copies = stored(server.mail) - before
    wanted = outcome.done * manner.messages * manner.recipients
    failures = list(outcome.failures)
    if copies < wanted:
        failures.append(f"{copies} of {wanted} copies were stored")
    figures = [
        Figure("delivered and durable", "msg/s", copies / taken, goal=manner.goal),
        Figure("CPU", "ms/msg", busy / max(1, copies) * 1000, more=False),
        Figure("median session", "ms", outcome.percentile_ms(0.5), more=False),
        Figure("slowest 1 %", "ms", outcome.percentile_ms(0.99), more=False),
    ]
    return Result(manner.name, server.name, figures, failures, {"sessions": manner.sessions})
