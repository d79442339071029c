"""Is what was acknowledged on the disk? Counts what each server makes durable, and of what kind.

One client, one message after another, nothing to share a call with: the most that a message costs.
A server that acknowledges without such calls would be measured against others that do not. Tracing
slows both; this scenario has no rate.
"""

from __future__ import annotations

import re
import smtplib
from collections import Counter
from pathlib import Path

from bench import syscalls
from bench.result import Figure, Result
from bench.scenarios.deliver import settle
from bench.server import Server

MESSAGES = 50
_TEXT = b"From: Ann <ann@elsewhere.test>\r\nSubject: counted\r\n\r\n" + b"text\r\n" * 600
# Told of both sides, also where there are none.
_KINDS = ("message", "folder new/", "index or journal", "queue or database")
_CALL = re.compile(rf"({'|'.join(syscalls.DURABLE)})\(\d+<([^>]*)>")


def run(server: Server, messages: int = MESSAGES) -> Result:
    """Deliver once to make the mailboxes, then count."""
    reason = syscalls.missing()
    if reason:
        raise SystemExit(f"durability: {reason}")
    _send(server, messages)
    kinds = _kinds(server, messages)
    total = sum(kinds.values()) / messages
    figures = [Figure("calls that make durable", "/msg", total, more=False)]
    named = sorted({*_KINDS, *kinds})
    figures += [Figure(kind, "/msg", kinds[kind] / messages, more=False) for kind in named]
    failures = [] if total >= 1 else ["less than one durable call a message"]
    return Result("durability", server.name, figures, failures)


def _kinds(server: Server, messages: int) -> Counter[str]:
    told = syscalls.traced(
        server.pids(),
        lambda: _send(server, messages),
        "-y",
        "-e",
        f"trace={','.join(syscalls.DURABLE)}",
    )
    return Counter(_kind(path, str(server.mail)) for _, path in _CALL.findall(told))


def _kind(path: str, mail: str) -> str:
    """What was synced: a message, a folder of messages, or what lies beside them."""
    if not path.startswith(mail):
        return "queue or database"
    place = Path(path)
    if place.name in ("new", "cur", "tmp"):
        return f"folder {place.name}/"
    return "message" if place.parent.name in ("new", "cur", "tmp") else "index or journal"


def _send(server: Server, messages: int) -> None:
    with smtplib.SMTP(*server.address("smtp"), timeout=300) as client:
        for number in range(messages):
            user = server.users[number % len(server.users)]
            client.sendmail("sender@elsewhere.test", [user], _TEXT)
    settle(server)
