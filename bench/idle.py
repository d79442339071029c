"""What an idle IMAP session costs: N sessions, each SELECTed and in IDLE, in memory and CPU.

Usage: python -m bench.idle [--sessions 1000] [--users N] [--messages 10] [--tls]
Prints the workers' memory (PSS) before and after and KiB per session as one line of JSON. By
default each session is another user's, so the figure holds folder and account too.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import time

from bench.instance import (
    allow_many_sockets,
    new_workers,
    open_idle,
    running,
    send,
    worker_pids,
    workers_kib,
)
from bench.usage import cpu_s
from mailnode.admin.instance import Instance

WATCHED_S = 10.0


def measure(instance: Instance, sessions: int, context: ssl.SSLContext | None) -> dict[str, float]:
    """Open all sessions, watch them, close them."""
    users = instance.users
    address = instance.address("imaps" if context else "imap")

    def session(user: str) -> socket.socket:
        return open_idle(address, user, instance.password, context)

    # One session in each worker first: what is loaded once is no session's cost.
    warm = [session(users[0]) for _ in range(8)]
    before = workers_kib(instance)
    start = time.perf_counter()
    socks = [session(users[number % len(users)]) for number in range(sessions)]
    opened_s = time.perf_counter() - start
    after = workers_kib(instance)
    pids = worker_pids(instance)
    busy = sum(map(cpu_s, pids))
    time.sleep(WATCHED_S)
    busy = sum(map(cpu_s, pids)) - busy
    for sock in warm + socks:
        sock.close()
    return {
        "sessions": sessions,
        "workers": len(pids),
        "before_kib": before,
        "after_kib": after,
        "kib_per_session": round((after - before) / sessions, 1),
        "opened_per_s": round(sessions / opened_s),
        "idle_cpu_percent": round(busy / WATCHED_S * 100, 1),
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--users", type=int, default=0, help="default: one for each session")
    parser.add_argument("--messages", type=int, default=10, help="in each INBOX")
    parser.add_argument("--tls", action="store_true", help="implicit TLS instead of plain text")
    options = parser.parse_args()
    allow_many_sockets()
    context = ssl.create_default_context() if options.tls else None
    if context:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with running(options.users or options.sessions) as instance:
        send(instance, options.messages)
        # What delivery took and gave back would hide what the sessions take.
        new_workers(instance)
        facts = measure(instance, options.sessions, context)
    print(json.dumps({"tls": options.tls, "messages": options.messages, **facts}))


if __name__ == "__main__":
    main()
