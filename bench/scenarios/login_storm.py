"""Everybody comes back at once: connect, LOGIN, SELECT, LOGOUT."""

from __future__ import annotations

from bench import crowd
from bench.imap_client import ImapClient, count_of, must
from bench.result import Figure, Result
from bench.server import Server

CLIENTS = 50
SECONDS = 8.0


def run(server: Server, clients: int = CLIENTS, seconds: float = SECONDS) -> Result:
    """Each client logs in as one user after another; all had logged in once before."""
    per_client = 4
    users = server.users[: clients * per_client]
    turns = [0] * clients

    def turn(number: int) -> None:
        user = users[number * per_client + turns[number] % per_client]
        turns[number] += 1
        client = ImapClient(server.address("imap"))
        client.command(f"LOGIN {user} {server.password}")
        must(count_of(client.command("SELECT INBOX"), b"EXISTS") >= 0, "EXISTS")
        client.command("LOGOUT")
        client.close()

    crowd.run(clients, 4.0, turn)
    cpu = server.cpu_s()
    outcome = crowd.run(clients, seconds, turn)
    busy = server.cpu_s() - cpu
    figures = [
        Figure("logins", "/s", outcome.per_s, goal=3.0),
        Figure("CPU", "ms/login", busy / max(1, outcome.done) * 1000, more=False),
        Figure("slowest 1 %", "ms", outcome.percentile_ms(0.99), more=False),
    ]
    return Result("login-storm", server.name, figures, outcome.failures, {"clients": clients})
