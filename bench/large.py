"""How long a large folder takes to open: first time, warm, and in a new connection.

Usage: python -m bench.large [--messages 100000]
The folder is filled by writing files into ``cur/``, as another mail server would leave them.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import os
import time

from bench.instance import Instance, running

imaplib._MAXLINE = 100_000_000  # type: ignore[attr-defined]  # long SEARCH answers are wanted here


def fill(instance: Instance, count: int) -> None:
    """Write ``count`` small messages into the first user's folder ``Big``."""
    client = imaplib.IMAP4(*instance.services["imap"])
    client.login(instance.users[0], instance.password)
    client.create("Big")
    client.logout()
    found = [root for root, _, _ in os.walk(instance.folder) if os.path.basename(root) == ".Big"]
    for number in range(count):
        body = (
            f"From: sender{number % 50}@example.test\r\nTo: user1@example.test\r\n"
            f"Subject: message {number}\r\nMessage-ID: <{number}@bench.test>\r\n"
            f"Date: Tue, 24 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n\r\n"
            f"Body {number}\r\n"
        )
        name = f"{1_700_000_000 + number}.M0P1Q{number}.bench,S={len(body)},W={len(body)}:2,S"
        with open(os.path.join(found[0], "cur", name), "w", newline="") as file:
            file.write(body)


def select_ms(instance: Instance) -> tuple[float, int]:
    """Milliseconds of one SELECT on a new connection, and how many messages it saw."""
    client = imaplib.IMAP4(*instance.services["imap"])
    client.login(instance.users[0], instance.password)
    start = time.perf_counter()
    count = int(client.select("Big")[1][0] or 0)
    spent = (time.perf_counter() - start) * 1000
    client.logout()
    return round(spent, 1), count


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    with running() as instance:
        fill(instance, options.messages)
        client = imaplib.IMAP4(*instance.services["imap"])
        client.login(instance.users[0], instance.password)
        first = time.perf_counter()
        client.select("Big")
        # CHECK makes a server that does not watch for foreign files look for them.
        client.check()
        client.noop()
        first_ms = (time.perf_counter() - first) * 1000
        client.logout()
        warm = [select_ms(instance) for _ in range(8)]
    facts = {
        "messages": options.messages,
        "first_open_ms": round(first_ms),
        "warm_ms": [spent for spent, _ in warm],
        "seen": warm[-1][1],
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
