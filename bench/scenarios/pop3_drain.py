"""POP3 clients fetch and delete all that came.

All had logged in once before, as a client that looks every few minutes has: what a first login
costs is a matter of the form in which a server keeps passwords.
"""

from __future__ import annotations

import poplib
import smtplib
import time

from bench import crowd
from bench.result import Figure, Result
from bench.scenarios.deliver import settle
from bench.server import Server

MESSAGES = 200
CLIENTS = 10
_TEXT = "Subject: to be fetched\r\n\r\n" + ("x" * 76 + "\r\n") * 50


def run(server: Server, messages: int = MESSAGES, clients: int = CLIENTS) -> Result:
    """Deliver to all users, then drain the mailboxes at the same time."""
    users = list(server.users[:clients])
    for user in users:
        _empty(server, user)
    with smtplib.SMTP(*server.address("smtp")) as sender:
        for _ in range(messages):
            sender.sendmail("sender@elsewhere.test", users, _TEXT)
    settle(server)
    began, cpu = time.perf_counter(), server.cpu_s()
    drained = crowd.run(clients, 0.001, lambda number: drain(server, server.users[number]))
    seconds, busy = time.perf_counter() - began, server.cpu_s() - cpu
    total = messages * clients
    figures = [
        Figure("fetched and deleted", "msg/s", total / seconds),
        Figure("CPU", "ms/msg", busy / total * 1000, more=False),
    ]
    return Result("pop3-drain", server.name, figures, drained.failures, {"clients": clients})


def drain(server: Server, user: str) -> None:
    """RETR and DELE everything, QUIT; the mailbox must be empty afterwards."""
    if not _empty(server, user):
        raise ValueError("nothing to drain")
    left = _empty(server, user)
    if left:
        raise ValueError(f"{left} messages are left")


def _empty(server: Server, user: str) -> int:
    client = poplib.POP3(*server.address("pop3"), timeout=120)
    client.user(user)
    client.pass_(server.password)
    count = client.stat()[0]
    for number in range(1, count + 1):
        if not client.retr(number)[1]:
            raise ValueError("an empty message")
        client.dele(number)
    client.quit()
    return count
