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
_TEXT = b"From: Ann <ann@elsewhere.test>\r\nSubject: over TLS\r\n\r\n" + b"x" * 70 + b"\r\n"
_BODY = _TEXT + (b"y" * 76 + b"\r\n") * 50


@dataclass(frozen=True, slots=True)
class Manner:
    """``login``: on the submission port, as the user; else on the MX port, as a stranger.
    ``messages`` on each connection."""

    name: str
    sessions: int = 20
    login: bool = True
    messages: int = 1
    goal: float = 0.0


def run(server: Server, manner: Manner, seconds: float = SECONDS) -> Result:
    """Warm up, then measure."""
    users = server.users[: manner.sessions]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def turn(number: int) -> None:
        with smtplib.SMTP(*server.address("submission" if manner.login else "smtp")) as client:
            client.starttls(context=context)
            if manner.login:
                client.login(users[number], server.password)
            for _ in range(manner.messages):
                client.sendmail(users[number], [users[(number + 1) % len(users)]], _BODY)

    crowd.run(manner.sessions, 2.0, turn)
    settle(server)
    before, cpu, began = stored(server.mail), server.cpu_s(), time.perf_counter()
    outcome = crowd.run(manner.sessions, seconds, turn)
    settle(server)
    taken, busy = time.perf_counter() - began, server.cpu_s() - cpu
    copies, wanted = stored(server.mail) - before, outcome.done * manner.messages
    failures = list(outcome.failures)
    if copies < wanted:
        failures.append(f"{copies} of {wanted} messages were stored")
    figures = [
        Figure("delivered and durable", "msg/s", copies / taken, goal=manner.goal),
        Figure("CPU", "ms/msg", busy / max(1, copies) * 1000, more=False),
        Figure("median session", "ms", outcome.percentile_ms(0.5), more=False),
        Figure("slowest 1 %", "ms", outcome.percentile_ms(0.99), more=False),
    ]
    return Result(manner.name, server.name, figures, failures, {"sessions": manner.sessions})
