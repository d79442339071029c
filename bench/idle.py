"""What an idle IMAP session costs: N sessions, each SELECTed and in IDLE.

Usage: python -m bench.idle [--sessions 1000]
Prints the workers' memory (PSS) before and after, and KiB per session.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import time

from bench.instance import Instance, resident_kib, running


def _until(sock: socket.socket, tag: bytes) -> None:
    data = b""
    while not any(line.startswith(tag) for line in data.split(b"\r\n")):
        chunk = sock.recv(65536)
        if not chunk:
            raise SystemExit(f"connection closed: {data[-200:]!r}")
        data += chunk


def open_idle(instance: Instance, number: int) -> socket.socket:
    """One session: LOGIN, SELECT INBOX, IDLE."""
    sock = socket.create_connection(instance.services["imap"])
    user = instance.users[number % len(instance.users)]
    _until(sock, b"* OK")
    for tag, text in ((b"a", f'LOGIN "{user}" "{instance.password}"'), (b"b", "SELECT INBOX")):
        sock.sendall(tag + b" " + text.encode() + b"\r\n")
        _until(sock, tag + b" OK")
    sock.sendall(b"c IDLE\r\n")
    _until(sock, b"+ ")
    return sock


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--users", type=int, default=100)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    with running(options.users) as instance:
        warm = [open_idle(instance, number) for number in range(options.users)]
        before = sum(resident_kib(pid) for pid in instance.worker_pids())
        start = time.perf_counter()
        socks = [open_idle(instance, number) for number in range(options.sessions)]
        spent_s = time.perf_counter() - start
        after = sum(resident_kib(pid) for pid in instance.worker_pids())
        facts = {
            "sessions": options.sessions,
            "workers": len(instance.worker_pids()),
            "before_kib": before,
            "after_kib": after,
            "kib_per_session": round((after - before) / options.sessions, 1),
            "logins_per_s": round(options.sessions / spent_s),
        }
        for sock in warm + socks:
            sock.close()
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
