"""Many sessions wait in IDLE: what each takes of memory and CPU, and how soon one hears of mail."""

from __future__ import annotations

import selectors
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence

from bench.instance import open_idle
from bench.result import Figure, Result
from bench.server import Server

SESSIONS = 1000
WATCHED_S = 10.0
PUSHES = 200
_PUSH_WITHIN_S = 30.0
_TEXT = "From: a@elsewhere.test\r\nSubject: push\r\n\r\nhello\r\n"


def run(server: Server, sessions: int = SESSIONS, *, tls: bool, pushes: int = PUSHES) -> Result:
    """Each session is another user's, with INBOX selected, until there are no more users.
    ``pushes``: messages whose news is timed, at most."""
    name = "idle-tls" if tls else "idle"
    context = ssl.create_default_context() if tls else None
    if context:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = server.address("imaps" if tls else "imap")

    def session(user: str) -> socket.socket:
        return open_idle(address, user, server.password, context)

    users = server.users[: max(1, min(sessions, len(server.users)))]
    # What is loaded once is no session's cost.
    warm = [session(users[0]) for _ in range(8)]
    before = server.memory_kib()
    socks = [session(users[at % len(users)]) for at in range(sessions)]
    after = server.memory_kib()
    cpu = server.cpu_s()
    time.sleep(WATCHED_S)
    busy = server.cpu_s() - cpu
    times, failures = _push(server, users, socks, pushes)
    for sock in warm + socks:
        sock.close()
    ordered = sorted(times) or [0.0]
    figures = [
        Figure("memory", "KiB/session", (after - before) / sessions, more=False),
        Figure("all processes", "MiB", after / 1024, more=False),
        Figure("CPU while idle", "% of a core", busy / WATCHED_S * 100, more=False),
        Figure("push, median", "ms", ordered[len(ordered) // 2] * 1000, more=False),
        Figure("push, slowest 1 %", "ms", ordered[int(len(ordered) * 0.99)] * 1000, more=False),
    ]
    return Result(name, server.name, figures, failures, {"sessions": sessions})


def _push(
    server: Server, users: Sequence[str], socks: Sequence[socket.socket], pushes: int
) -> tuple[list[float], list[str]]:
    """Deliver one message after another, each to another user; seconds from before it was sent
    to the EXISTS, so the delivery is part of it."""
    times: list[float] = []
    step = max(1, len(users) // pushes)
    with smtplib.SMTP(*server.address("smtp")) as sender:
        for at in range(0, len(users), step):
            began = time.perf_counter()
            sender.sendmail("a@elsewhere.test", [users[at]], _TEXT)
            if not _hears(socks[at], began + _PUSH_WITHIN_S):
                return times, [f"{users[at]} hears nothing of new mail"]
            times.append(time.perf_counter() - began)
    return times, []


def _hears(sock: socket.socket, until: float) -> bool:
    """Wait for an EXISTS, over whatever else the server says meanwhile."""
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while b"EXISTS\r\n" not in data:
            pending = isinstance(sock, ssl.SSLSocket) and sock.pending()
            left = until - time.perf_counter()
            if left <= 0 or not (pending or selector.select(left)):
                return False
            piece = sock.recv(4096)
            if not piece:
                return False
            data += piece
    return True
