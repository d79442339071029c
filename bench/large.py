"""How long a large folder takes to open: first time, after a restart, and warm.

Usage: python -m bench.large [--messages 100000]
The folder is filled by writing files into ``cur/``, as another mail server would leave them.
Prints milliseconds of SELECT as one line of JSON: ``adopting`` reads the files of the Maildir for
the first time, ``cold`` is the first SELECT in a worker that has not had the folder open, ``warm``
those after it.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import os
import statistics
import time
from pathlib import Path

from bench.instance import new_workers, running, worker_pids, workers_kib
from mailnode.admin.instance import Instance

ROUNDS = 20


def fill(instance: Instance, count: int) -> None:
    """Write ``count`` small messages into the first user's folder ``Big``."""
    with imaplib.IMAP4(*instance.address("imap")) as client:
        client.login(instance.users[0], instance.password)
        client.create("Big")
    (found,) = Path(instance.folder, "mail").glob("**/.Big")
    for number in range(count):
        body = (
            f"From: sender{number % 50}@example.test\r\nTo: user1@example.test\r\n"
            f"Subject: message {number}\r\nMessage-ID: <{number}@bench.test>\r\n"
            f"Date: Tue, 24 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n\r\n"
            f"Body {number}\r\n"
        )
        name = f"{1_700_000_000 + number}.M0P1Q{number}.bench,S={len(body)},W={len(body)}:2,S"
        (found / "cur" / name).write_bytes(body.encode())


def select_ms(instance: Instance) -> tuple[float, int, str]:
    """Milliseconds of one SELECT on a new connection, the messages it saw, and the worker."""
    with imaplib.IMAP4(*instance.address("imap")) as client:
        client.login(instance.users[0], instance.password)
        start = time.perf_counter()
        count = int(client.select("Big")[1][0] or 0)
        spent = (time.perf_counter() - start) * 1000
        return round(spent, 1), count, _worker_of(client.sock.getsockname()[1], instance)


def _worker_of(port: int, instance: Instance) -> str:
    """The pid of the worker that serves the connection from our local ``port``."""
    inode = ""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == port and fields[3] == "01":
            inode = fields[9]
    for pid in worker_pids(instance):
        folder = f"/proc/{pid}/fd"
        for name in os.listdir(folder):
            if os.readlink(f"{folder}/{name}") == f"socket:[{inode}]":
                return str(pid)
    return ""


def adopt_ms(instance: Instance, count: int) -> float:
    """Until all files that were put there are messages."""
    start = time.perf_counter()
    with imaplib.IMAP4(*instance.address("imap")) as client:
        client.login(instance.users[0], instance.password)
        client.select("Big")
        # CHECK makes a server that does not watch for foreign files look for them.
        client.check()
        seen = int(client.select("Big")[1][0] or 0)
    if seen != count:
        raise SystemExit(f"{seen} of {count} messages were found")
    return (time.perf_counter() - start) * 1000


def opens(instance: Instance) -> tuple[list[float], list[float]]:
    """Cold and warm opens: the first in each worker, and those after it."""
    known: set[str] = set()
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(ROUNDS):
        spent, _, worker = select_ms(instance)
        (warm if worker in known else cold).append(spent)
        known.add(worker)
    return cold, warm


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    with running() as instance:
        fill(instance, options.messages)
        adopting = adopt_ms(instance, options.messages)
        new_workers(instance)
        before = workers_kib(instance)
        cold, warm = opens(instance)
        facts = {
            "messages": options.messages,
            "adopting_ms": round(adopting),
            "cold_ms": cold,
            "warm_ms": warm,
            "warm_median_ms": statistics.median(warm),
            "workers_grew_kib": workers_kib(instance) - before,
        }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
