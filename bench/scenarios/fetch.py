"""FETCH in the forms that clients use: asked for the first time, then again (warm caches).

The clock runs until the last octet of an answer has come; only then it is checked, so that the
client's own work, which is more than the server's for short answers, is no part of the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench import maildir
from bench.imap_client import ImapClient, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

MESSAGES = 2000
ROUNDS = 3
# At least so long, for the kernel counts CPU in hundredths of a second.
SECONDS = 0.5
MAX_ROUNDS = 300


class Form(NamedTuple):
    """What is asked for, what every answer must hold, and the ratio to reach."""

    name: str
    items: str
    marker: bytes
    goal: float


FORMS = (
    Form("flags", "(UID FLAGS)", b"\\Seen", 1.0),
    Form("envelopes", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", b"Some One", 1.0),
    Form("structures", "(UID BODYSTRUCTURE)", b'"plain"', 1.0),
    Form("some headers", "(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])", b"Subject:", 1.0),
    Form("headers", "(UID BODY.PEEK[HEADER])", b"Received:", 1.0),
    Form("bodies", "(UID BODY.PEEK[])", b"Received:", 0.7),
)


def run(server: Server, messages: int = MESSAGES, forms: Sequence[Form] = FORMS) -> Result:
    """Each form once, then the best of some rounds; CPU over all of those."""
    user = server.users[0]
    maildir.fill(server, user, messages)
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == messages, "EXISTS")
    figures = []
    for form in forms:
        first = _fetch(client, form, messages)
        cpu, times = server.cpu_s(), list[float]()
        while len(times) < ROUNDS or (sum(times) < SECONDS and len(times) < MAX_ROUNDS):
            times.append(_fetch(client, form, messages))
        busy_us = (server.cpu_s() - cpu) / (len(times) * messages) * 1e6
        figures.append(Figure(form.name, "msg/s", messages / min(times), goal=form.goal))
        figures.append(Figure(f"{form.name}, CPU", "us/msg", busy_us, more=False))
        figures.append(Figure(f"{form.name}, first", "msg/s", messages / first))
    client.command("LOGOUT")
    client.close()
    return Result("fetch", server.name, figures, [], {"messages": messages})


def _fetch(client: ImapClient, form: Form, messages: int) -> float:
    seconds, answers = client.timed(f"FETCH 1:* {form.items}")
    found = fetches(answers)
    must(len(found) == messages, f"{form.name}: {len(found)} answers")
    whole = all(form.marker.upper() in one[:1000].upper() for one in found)
    must(whole, f"{form.name}: {form.marker!r} is missing")
    return seconds
