"""Mailboxes from small to huge: opening, fetching, searching and sorting, and what size costs.

Everything is measured warm, as the median of some rounds on one connection, after the first
round has let the server build whatever it keeps. Opening and delivering, whose cost must not grow
with the mailbox, are told in CPU of the whole server too, which a busy machine lengthens less.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Callable, Iterator, Sequence

from bench import maildir
from bench.imap_client import ImapClient, count_of, fetches, must
from bench.result import Figure, Result
from bench.scenarios.deliver import settle
from bench.server import Server

SIZES = (10, 1000, 10_000, 100_000, 1_000_000)
ROUNDS = 5
# Of what is told in CPU, which the kernel counts in hundredths of a second; and of what is brief,
# as five answers of a fifth of a millisecond say more of the processor's caches than of a server.
MANY = 200
BRIEF_S = 0.5
# Longest that all rounds of one kind may take; at least one is made.
PATIENCE_S = 20.0
# A million messages are read and indexed by the first search through their text.
_LONGEST_S = 3600.0
# A search through all text takes minutes without an index: not beyond so many messages.
_UNINDEXED_UP_TO = 10_000
# In fewer messages than this there is little to search.
_WORTH_AN_INDEX = 1000
# The largest mailbox may cost so many times the smallest: what is flat, less the noise.
FLAT = 2.0
_TEXT = "From: Ann <ann@elsewhere.test>\r\nSubject: one more\r\n\r\n" + "text of it\r\n" * 300


def run(server: Server, sizes: Sequence[int], *, indexed: bool) -> Iterator[Result]:
    """A result for each size; the last one also tells how costs have grown. ``indexed``: a search
    through text is fast enough for the largest."""
    first: Result | None = None
    for user, size in zip(server.users, sizes, strict=False):
        maildir.fill(server, user, size)
        result = _measure(server, user, size, indexed or size <= _UNINDEXED_UP_TO)
        if first is None:
            first = result
        if size == sizes[-1] and result is not first:
            result.figures += [_grown(name, first, result) for name in ("SELECT", "delivery")]
        yield result


def _grown(name: str, first: Result, last: Result) -> Figure:
    small, large = (one.value(f"{name}, CPU") for one in (first, last))
    span = f"{last.facts['messages']} to {first.facts['messages']}"
    # A hundredth of a second is what the kernel may be off, in all rounds together.
    least = 10 / MANY
    return Figure(f"{name}, CPU, {span}", "times", large / max(least, small), more=False, most=FLAT)


def _measure(server: Server, user: str, size: int, text: bool) -> Result:
    client = ImapClient(server.address("imap"), _LONGEST_S)
    client.command(f"LOGIN {user} {server.password}")
    first_ms = _timed_ms(lambda: _select(client, size))
    figures = [Figure("first SELECT ever", "ms", first_ms, more=False)]
    figures += _often(server, "SELECT", lambda: _select(client, size))
    for name, work, goal in _kinds(client, size):
        figures.append(Figure(name, "ms", _median_ms(work), more=False, goal=goal))
    if text:
        search = _search(client, f"SEARCH TEXT {maildir.RARE}", _rare(size))
        figures.append(Figure("first SEARCH TEXT ever", "ms", _timed_ms(search), more=False))
        goal = 10.0 if size >= _WORTH_AN_INDEX else 0.0
        figures.append(Figure("SEARCH TEXT", "ms", _median_ms(search), more=False, goal=goal))
    figures += _deliveries(server, client, user, size)
    client.command("LOGOUT")
    client.close()
    return Result(f"big-mailbox-{size}", server.name, figures, [], {"messages": size})


def _kinds(client: ImapClient, size: int) -> list[tuple[str, Callable[[], None], float]]:
    """Name, work and goal of what is measured by the clock."""
    last = f"{max(1, size - 49)}:{size}"

    def fetch() -> None:
        found = fetches(client.command(f"FETCH {last} (UID FLAGS ENVELOPE)"))
        must(len(found) == min(size, 50), f"{len(found)} FETCH responses")

    none = _search(client, 'SEARCH SUBJECT "no such subject"', 0)
    return [
        ("FETCH of the last 50", fetch, 1.0),
        ("SEARCH UNSEEN", _search(client, "SEARCH UNSEEN", 0), 0.0),
        ("SEARCH SUBJECT", none, 0.0),
        ("SORT (ARRIVAL)", _search(client, "SORT (ARRIVAL) UTF-8 ALL", size), 0.0),
        ("SORT (SUBJECT)", _search(client, "SORT (SUBJECT) UTF-8 ALL", size), 0.0),
    ]


def _search(client: ImapClient, command: str, wanted: int) -> Callable[[], None]:
    def search() -> None:
        # Not the first answer: a long command tells that it goes on (INPROGRESS).
        verbs = (b"* SEARCH", b"* SORT")
        (answer,) = (a for a in client.command(command) if a.startswith(verbs))
        found = len(answer.split()) - 2
        must(found == wanted, f"{command}: {found} hits, not {wanted}")

    return search


def _rare(size: int) -> int:
    """Messages that hold the rare word: of each round of different ones, those that do."""
    rounds, rest = divmod(size, maildir.DIFFERENT)
    return sum(
        len(range(0, count, maildir.RARE_EVERY)) * times
        for count, times in ((maildir.DIFFERENT, rounds), (rest, 1))
    )


def _select(client: ImapClient, size: int) -> None:
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == size, "EXISTS")


def _deliveries(server: Server, client: ImapClient, user: str, size: int) -> list[Figure]:
    """One after another on one connection; then SELECT sees them all."""
    with smtplib.SMTP(*server.address("smtp"), timeout=_LONGEST_S) as sender:
        sender.sendmail("a@elsewhere.test", [user], _TEXT)
        settle(server)
        cpu, began = server.cpu_s(), time.perf_counter()
        for _ in range(MANY):
            sender.sendmail("a@elsewhere.test", [user], _TEXT)
        settle(server)
        spent, busy = time.perf_counter() - began, server.cpu_s() - cpu
    after_ms = _timed_ms(lambda: _select(client, size + MANY + 1))
    return [
        Figure("delivery", "ms", spent / MANY * 1000, more=False),
        Figure("delivery, CPU", "ms", busy / MANY * 1000, more=False),
        Figure(f"SELECT with {MANY} new", "ms", after_ms, more=False),
    ]


def _often(server: Server, name: str, work: Callable[[], None]) -> list[Figure]:
    """Median by the clock, and CPU, of many rounds."""
    work()
    cpu = server.cpu_s()
    times: list[float] = []
    until = time.perf_counter() + PATIENCE_S
    while len(times) < MANY and (not times or time.perf_counter() < until):
        times.append(_timed_ms(work))
    busy_ms = (server.cpu_s() - cpu) / len(times) * 1000
    return [
        Figure(name, "ms", sorted(times)[len(times) // 2], more=False),
        Figure(f"{name}, CPU", "ms", busy_ms, more=False),
    ]


def _timed_ms(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _median_ms(work: Callable[[], None]) -> float:
    work()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < MANY:
        spent = time.perf_counter() - began
        if times and spent > (BRIEF_S if len(times) >= ROUNDS else PATIENCE_S):
            break
        times.append(_timed_ms(work))
    return sorted(times)[len(times) // 2]
