"""What large messages cost in memory: N at once by SMTP, then N read at once by IMAP and by POP3.

Usage: python -m bench.big_messages [--messages 50] [--mib 20]
Prints for each step the seconds and by how much the workers' own memory (RssAnon) grew at most,
in all workers together, as one line of JSON. Clients hold one chunk at a time.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypedDict

from bench.instance import new_workers, running, worker_pids
from bench.usage import memory_kib
from mailnode.admin.instance import Instance

# A worker takes ten POP3 sessions of one user from one address.
SESSIONS_PER_USER = 8
# Enough for each worker to get one.
LOGINS = 8
TIMEOUT_S = 120
REFUSALS = (b"4", b"5", b"-ERR", b"a NO", b"b NO", b"* BYE")
LINE = b"x" * 76 + b"\r\n"
CHUNK = LINE * (65536 // len(LINE))


class Growth(TypedDict):
    """What a step took, and by how much all workers together grew at most."""

    seconds: float
    grew_kib: int


def _expect(sock: socket.socket, start: bytes) -> None:
    """Read up to a line that begins so; one that refuses ends the measurement."""
    said = b""
    while not any(line.startswith(start) for line in said.split(b"\r\n")[:-1]):
        data = sock.recv(65536)
        said += data
        refused = any(line.startswith(REFUSALS) for line in said.split(b"\r\n"))
        if not data or refused:
            raise SystemExit(f"instead of {start!r} the server said {said[-300:]!r}")


def send(instance: Instance, user: str, size_bytes: int) -> None:
    """One message of about this size."""
    with socket.create_connection(instance.address("smtp"), TIMEOUT_S) as sock:
        _expect(sock, b"220 ")
        sock.sendall(b"HELO bench.test\r\nMAIL FROM:<>\r\n")
        sock.sendall(f"RCPT TO:<{user}>\r\nDATA\r\n".encode())
        _expect(sock, b"354 ")
        sock.sendall(b"Subject: big\r\n\r\n")
        for _ in range(size_bytes // len(CHUNK) + 1):
            sock.sendall(CHUNK)
        sock.sendall(b".\r\n")
        _expect(sock, b"250 2.0.0 accepted")


def _count_until(sock: socket.socket, end: bytes) -> int:
    """Bytes up to and including ``end``, which ends what the server says."""
    count, tail = 0, b""
    while not tail.endswith(end):
        data = sock.recv(262_144)
        if not data:
            raise SystemExit(f"connection closed: {tail!r}")
        count += len(data)
        tail = (tail + data)[-len(end) :]
    return count


def read_imap(instance: Instance, user: str, size_bytes: int) -> None:
    """FETCH the first message of INBOX."""
    with socket.create_connection(instance.address("imap"), TIMEOUT_S) as sock:
        _expect(sock, b"* OK")
        sock.sendall(f'a LOGIN "{user}" "{instance.password}"\r\nb SELECT INBOX\r\n'.encode())
        _expect(sock, b"b OK")
        sock.sendall(b"c FETCH 1 BODY.PEEK[]\r\nd LOGOUT\r\n")
        assert _count_until(sock, b"d OK logged out\r\n") > size_bytes


def read_pop3(instance: Instance, user: str, size_bytes: int) -> None:
    """RETR the first message."""
    with socket.create_connection(instance.address("pop3"), TIMEOUT_S) as sock:
        _expect(sock, b"+OK")
        sock.sendall(f"USER {user}\r\nPASS {instance.password}\r\n".encode())
        _expect(sock, b"+OK")
        sock.sendall(b"RETR 1\r\n")
        assert _count_until(sock, b"\r\n.\r\n") > size_bytes


def peak_growth(instance: Instance, work: Callable[[], None]) -> Growth:
    """Run ``work``; seconds, and the most that the workers grew meanwhile."""
    before = _own_kib(instance)
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, _own_kib(instance))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    try:
        work()
    finally:
        spent_s = time.perf_counter() - start
        done.set()
        watcher.join()
    return {"seconds": round(spent_s, 1), "grew_kib": peak - before}


def _own_kib(instance: Instance) -> int:
    return sum(memory_kib(pid, "Pss_Anon") for pid in worker_pids(instance))


def log_in(instance: Instance) -> None:
    """Have each worker check each password once, which takes 64 MiB for a moment."""
    for user in instance.users:
        for _ in range(LOGINS):
            with imaplib.IMAP4(*instance.address("imap")) as client:
                client.login(user, instance.password)


def measure(instance: Instance, messages: int, size_bytes: int) -> dict[str, Growth]:
    """Each step with one message, then with all at once."""
    found: dict[str, Growth] = {}
    users = [instance.users[number % len(instance.users)] for number in range(messages)]
    for step in (send, read_imap, read_pop3):
        for count in (1, messages):

            def work(step: Callable[..., None] = step, count: int = count) -> None:
                with ThreadPoolExecutor(count) as pool:
                    list(pool.map(lambda user: step(instance, user, size_bytes), users[:count]))

            found[f"{step.__name__}_{count}"] = peak_growth(instance, work)
    return found


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--mib", type=int, default=20)
    options = parser.parse_args()
    with running(options.messages // SESSIONS_PER_USER + 1) as instance:
        new_workers(instance)
        log_in(instance)
        found = measure(instance, options.messages, options.mib << 20)
    print(json.dumps({"mib": options.mib, **found}))


if __name__ == "__main__":
    main()
