"""FETCH in the forms that clients use, on a mailbox that was read before (warm caches)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from bench import maildir
from bench.imap_client import ImapClient, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

MESSAGES = 2000
ROUNDS = 3


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
    """Each form once to warm up, then the best of some rounds; CPU over all of them."""
    user = server.users[0]
    maildir.fill(server, user, messages)
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == messages, "EXISTS")
    figures = []
    for form in forms:
        _fetch(client, form, messages)
        cpu, times = server.cpu_s(), []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            _fetch(client, form, messages)
            times.append(time.perf_counter() - began)
        busy_us = (server.cpu_s() - cpu) / (ROUNDS * messages) * 1e6
        figures.append(Figure(form.name, "msg/s", messages / min(times), goal=form.goal))
        figures.append(Figure(f"{form.name}, CPU", "us/msg", busy_us, more=False))
    client.command("LOGOUT")
    client.close()
    return Result("fetch", server.name, figures, [], {"messages": messages})


def _fetch(client: ImapClient, form: Form, messages: int) -> None:
    found = fetches(client.command(f"FETCH 1:* {form.items}"))
    must(len(found) == messages, f"{form.name}: {len(found)} answers")
    whole = all(form.marker.upper() in one[:1000].upper() for one in found)
    must(whole, f"{form.name}: {form.marker!r} is missing")
