"""Mailboxes from small to huge: opening, fetching, searching and sorting, and what size costs.

Everything is measured warm, as the median of some rounds on one connection, after the first
round has let the server build whatever it keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bench import maildir
from bench.imap_client import ImapClient, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

SIZES = (10, 1000, 10_000, 100_000, 1_000_000)
ROUNDS = 5
# Longest that all rounds of one kind may take; at least one is made.
PATIENCE_S = 20.0
_LONGEST_S = 900.0
# A search through all text takes minutes without an index: not beyond so many messages.
_TEXT_UP_TO = 10_000


def run(server: Server, sizes: Sequence[int]) -> list[Result]:
    """A result for each size; the last one also tells how the cost of SELECT has grown."""
    results = []
    for user, size in zip(server.users, sizes, strict=False):
        maildir.fill(server, user, size)
        results.append(_measure(server, user, size))
    if len(results) > 1:
        first, last = results[0].figures[1].value, results[-1].figures[1].value
        grown = Figure(f"SELECT, {sizes[-1]} to {sizes[0]}", "times", last / first, more=False)
        results[-1].figures.append(grown)
    return results


def _measure(server: Server, user: str, size: int) -> Result:
    client = ImapClient(server.address("imap"), _LONGEST_S)
    client.command(f"LOGIN {user} {server.password}")
    began = time.perf_counter()
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == size, "EXISTS")
    first_ms = (time.perf_counter() - began) * 1000
    last = f"{max(1, size - 49)}:{size}"

    def select() -> None:
        must(count_of(client.command("SELECT INBOX"), b"EXISTS") == size, "EXISTS")

    def fetch() -> None:
        found = fetches(client.command(f"FETCH {last} (UID FLAGS ENVELOPE)"))
        must(len(found) == min(size, 50), f"{len(found)} FETCH responses")

    def hits(command: str, wanted: int) -> Callable[[], None]:
        def search() -> None:
            # Not the first answer: a long command tells that it goes on (INPROGRESS).
            verbs = (b"* SEARCH", b"* SORT")
            (answer,) = (a for a in client.command(command) if a.startswith(verbs))
            found = len(answer.split()) - 2
            must(found == wanted, f"{command}: {found} hits, not {wanted}")

        return search

    rare = len(range(0, size, maildir.RARE_EVERY))
    kinds = [
        ("SELECT", select, 0.0),
        ("FETCH of the last 50", fetch, 1.0),
        ("SEARCH UNSEEN", hits("SEARCH UNSEEN", 0), 0.0),
        ("SEARCH SUBJECT", hits('SEARCH SUBJECT "no such subject"', 0), 0.0),
        ("SORT (ARRIVAL)", hits("SORT (ARRIVAL) UTF-8 ALL", size), 0.0),
        ("SORT (SUBJECT)", hits("SORT (SUBJECT) UTF-8 ALL", size), 0.0),
    ]
    if size <= _TEXT_UP_TO:
        kinds.append(("SEARCH TEXT", hits(f"SEARCH TEXT {maildir.RARE}", rare), 10.0))
    figures = [Figure("first SELECT ever", "ms", first_ms, more=False)]
    figures += [
        Figure(name, "ms", _median_ms(work), more=False, goal=goal) for name, work, goal in kinds
    ]
    client.command("LOGOUT")
    client.close()
    return Result(f"big-mailbox-{size}", server.name, figures, [], {"messages": size})


def _median_ms(work: Callable[[], None]) -> float:
    work()
    times: list[float] = []
    until = time.perf_counter() + PATIENCE_S
    while len(times) < ROUNDS and (not times or time.perf_counter() < until):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1000
