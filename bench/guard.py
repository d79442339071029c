"""Does a delivery or a command cost more than it did?  python -m bench.guard [--write]

Counts system calls, and among them those that make data durable, for one delivered message and
for each IMAP command, one client at a time, and compares them with ``baseline.json``. Counts do
not drift with the machine's load as seconds do. ``--write`` makes the present counts the baseline.
"""

from __future__ import annotations

import json
import smtplib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import syscalls
from bench.imap_client import ImapClient
from bench.ours import ours
from bench.server import Server
from mailnode.store.use_mirror import PACE

BASELINE = Path(__file__).parent / "baseline.json"
MARGIN = 1.25
SPARE = 3.0  # calls: what a background task may add to a unit
ROUNDS = 40
SETTLE_S = 3.0  # what changed just now may change again unseen, and is looked at twice
# Adding up what accounts hold is a delivery's as well, and done behind it: without waiting, a slow
# machine would have part of it counted, and a quick one none.
TOLD_S = 2.0 + ROUNDS / PACE
_TEXT = b"From: Ann <ann@elsewhere.test>\r\nSubject: weekly figures\r\n\r\n" + b"text\r\n" * 600
Counts = dict[str, dict[str, float]]


def measure(rounds: int = ROUNDS) -> Counts:
    """Calls for each unit of work: ``{"deliver": {"calls": …, "durable": …}, …}``."""
    found: Counts = {}
    # With more workers chance would decide which of them still has its caches to fill.
    with ours(rounds, workers=1) as server:
        for name, warm_up, work in _units(server, rounds):
            warm_up()
            time.sleep(SETTLE_S)
            calls = syscalls.count(server.pids(), work)
            found[name] = {
                "calls": round(syscalls.steady(calls) / rounds, 1),
                "durable": round(syscalls.durable(calls) / rounds, 2),
            }
    return found


def _units(
    server: Server, rounds: int
) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    def deliver() -> None:
        with smtplib.SMTP(*server.address("smtp"), timeout=120) as client:
            for user in server.users[:rounds]:
                client.sendmail("sender@elsewhere.test", [user], _TEXT)
        time.sleep(TOLD_S)

    def settled() -> None:
        """Folders that were made just now are listed anew each time they are added up."""
        deliver()
        deliver()

    yield "deliver", settled, deliver

    def session() -> None:
        for user in server.users[:rounds]:
            client = ImapClient(server.address("imap"))
            client.command(f"LOGIN {user} {server.password}")
            client.command("SELECT INBOX")
            client.command("LOGOUT")
            client.close()

    yield "login, SELECT, LOGOUT", session, session
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {server.users[0]} {server.password}")
    client.command("SELECT INBOX")
    for name, command in _COMMANDS:

        def repeat(command: str = command) -> None:
            for number in range(rounds):
                client.command(command % {"sign": "+-"[number % 2]})

        yield name, lambda command=command: client.command(command % {"sign": "-"}), repeat  # type: ignore[misc]

    def append() -> None:
        for _ in range(rounds):
            client.command("APPEND INBOX", _TEXT)

    yield "APPEND", lambda: client.command("NOOP"), append
    client.command("LOGOUT")
    client.close()


_COMMANDS = (
    ("NOOP", "NOOP"),
    ("STATUS", "STATUS Sent (MESSAGES UIDNEXT UNSEEN)"),
    ("LIST", 'LIST "" "*"'),
    ("FETCH ENVELOPE", "FETCH 1:* (UID FLAGS ENVELOPE)"),
    ("FETCH BODY[]", "FETCH 1 BODY.PEEK[]"),
    ("SEARCH", "UID SEARCH SUBJECT figures"),
    ("STORE", "STORE 1 %(sign)sFLAGS (\\Flagged)"),
    ("COPY", "COPY 1 Sent"),
)


def dearer(found: Counts, baseline: Counts) -> list[str]:
    """What costs more than the baseline and its margin allow, in words."""
    told = []
    for name, costs in baseline.items():
        for kind, before in costs.items():
            now = found[name][kind]
            spare = SPARE if kind == "calls" else 0.2
            if now > before * MARGIN + spare:
                told.append(f"{name}: {now} {kind} where there were {before}")
    return told


def main() -> int:
    """Measure, compare or write."""
    reason = syscalls.missing()
    if reason:
        print(f"bench.guard: {reason}", file=sys.stderr)
        return 2
    found = measure()
    print(json.dumps(found, indent=1))
    if "--write" in sys.argv[1:]:
        BASELINE.write_text(json.dumps(found, indent=1) + "\n")
        return 0
    told = dearer(found, json.loads(BASELINE.read_text()))
    for line in told:
        print(f"dearer: {line}", file=sys.stderr)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
