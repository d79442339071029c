"""A client keeps a copy: a new one pulls everything, one that comes back only what changed.

How a new client asks: UIDs, flags, dates and sizes of all, as mutt and Thunderbird begin, too;
then the messages, many to a command (what fills a cache in one go), or one to a command with
several on their way at once, as mbsync does. The clock stands while the client checks an answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from bench import maildir
from bench.imap_client import ImapClient, code_of, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

MESSAGES = 10_000
BATCH = 200
IN_FLIGHT = 50
PULLS = 3
RETURNS = 30
_VANISHED = re.compile(rb"^\* VANISHED \(EARLIER\) (\S+)$")
_UID_AND_SIZE = re.compile(rb"(?=.*\bUID (\d+))(?=.*\bRFC822\.SIZE (\d+))")
_UID_AND_LITERAL = re.compile(rb"\* \d+ FETCH \(UID (\d+) BODY\[\] \{(\d+)\}\r\n")


class Pull(NamedTuple):
    """What a first synchronisation took."""

    seconds: float
    octets: int
    cpu_s: float


def run(server: Server, messages: int = MESSAGES) -> Result:
    """The first pull meets cold caches; the ones after it, of other clients, warm ones."""
    user = server.users[0]
    maildir.fill(server, user, messages)
    first = pull(server, user, messages)
    many = [pull(server, user, messages) for _ in range(PULLS)]
    single = [pull(server, user, messages, single=True) for _ in range(PULLS)]
    best = min(many)
    back_ms, back_cpu_ms = come_back(server, user, messages)
    figures = [
        Figure("new client, first of all", "msg/s", messages / first.seconds),
        Figure("new client", "msg/s", messages / best.seconds, goal=1.0),
        Figure("new client, volume", "MB/s", best.octets / best.seconds / 1e6),
        Figure("new client, CPU", "us/msg", _cpu_us(many, messages), more=False),
        Figure("new client, a message a command", "msg/s", messages / min(single).seconds),
        Figure("new client, a message a command, CPU", "us/msg", _cpu_us(single, messages), False),
        Figure("client that returns", "ms", back_ms, more=False, goal=1.0),
        Figure("client that returns, CPU", "ms", back_cpu_ms, more=False),
    ]
    return Result("imap-sync", server.name, figures, [], {"messages": messages})


def _cpu_us(pulls: list[Pull], messages: int) -> float:
    return sum(one.cpu_s for one in pulls) / len(pulls) / messages * 1e6


def log_in(server: Server, user: str) -> ImapClient:
    """A client that knows QRESYNC."""
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    client.command("ENABLE QRESYNC")
    return client


def pull(server: Server, user: str, messages: int, *, single: bool = False) -> Pull:
    """A first synchronisation: flags of all, then all messages, each as long as was told."""
    cpu, began = server.cpu_s(), time.perf_counter()
    client = log_in(server, user)
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == messages, "EXISTS")
    seconds = time.perf_counter() - began
    took, answers = client.timed("UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE MODSEQ)")
    seconds += took
    sizes = dict(_numbers(_UID_AND_SIZE, fetches(answers)))
    must(len(sizes) == messages, f"{len(sizes)} FETCH responses")
    for commands in _single(messages) if single else _many(messages):
        took, answers = client.timed(*commands)
        seconds += took
        for uid, size in _numbers(_UID_AND_LITERAL, fetches(answers)):
            must(sizes.pop(uid, -1) == size, f"message {uid} is not as large as was told")
    must(not sizes, f"{len(sizes)} messages did not come")
    octets = client.received
    began = time.perf_counter()
    client.command("LOGOUT")
    client.close()
    return Pull(seconds + time.perf_counter() - began, octets, server.cpu_s() - cpu)


def _many(messages: int) -> Iterator[list[str]]:
    for first in range(1, messages + 1, BATCH):
        yield [f"UID FETCH {first}:{min(first + BATCH - 1, messages)} (BODY.PEEK[])"]


def _single(messages: int) -> Iterator[list[str]]:
    for first in range(1, messages + 1, IN_FLIGHT):
        uids = range(first, min(first + IN_FLIGHT, messages + 1))
        yield [f"UID FETCH {uid} (BODY.PEEK[])" for uid in uids]


def _numbers(pattern: re.Pattern[bytes], answers: list[bytes]) -> Iterator[tuple[int, int]]:
    for answer in answers:
        found = pattern.match(answer[:500])
        must(found is not None, f"not what was asked for: {answer[:100]!r}")
        assert found is not None
        yield int(found[1]), int(found[2])


def come_back(server: Server, user: str, messages: int) -> tuple[float, float]:
    """Median wall and mean CPU milliseconds of a return after one new flag and one expunge."""
    other, client = log_in(server, user), log_in(server, user)
    other.command("SELECT INBOX")
    answers = client.command("SELECT INBOX")
    validity = int(code_of(answers, b"UIDVALIDITY"))
    modseq = int(code_of(answers, b"HIGHESTMODSEQ"))
    client.command("LOGOUT")
    client.close()
    times, busy = [], 0.0
    for turn in range(1, min(RETURNS, messages // 3) + 1):
        other.command(f"UID STORE {turn} +FLAGS.SILENT (\\Flagged)")
        other.command(f"UID STORE {messages - turn} +FLAGS.SILENT (\\Deleted)")
        other.command(f"UID EXPUNGE {messages - turn}")
        cpu, began = server.cpu_s(), time.perf_counter()
        client = log_in(server, user)
        answers = client.command(f"SELECT INBOX (QRESYNC ({validity} {modseq}))")
        times.append(time.perf_counter() - began)
        busy += server.cpu_s() - cpu
        changed = fetches(answers)
        must(any(b"UID %d " % turn in one and b"\\Flagged" in one for one in changed), "the flag")
        gone = [match[1] for answer in answers if (match := _VANISHED.match(answer))]
        must(any(str(messages - turn).encode() in one for one in gone), "the expunge")
        modseq = int(code_of(answers, b"HIGHESTMODSEQ"))
        client.command("LOGOUT")
        client.close()
    other.command("LOGOUT")
    other.close()
    return sorted(times)[len(times) // 2] * 1000, busy / len(times) * 1000
