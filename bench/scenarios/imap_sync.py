"""A client keeps a copy: a new one pulls everything, one that comes back only what changed."""

from __future__ import annotations

import re
import time

from bench import maildir
from bench.imap_client import ImapClient, code_of, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

MESSAGES = 10_000
BATCH = 200
RETURNS = 30
_VANISHED = re.compile(rb"^\* VANISHED \(EARLIER\) (\S+)$")


def run(server: Server, messages: int = MESSAGES) -> Result:
    """The first pull meets cold caches; the second, of another client, warm ones."""
    user = server.users[0]
    maildir.fill(server, user, messages)
    cold_s, _ = pull(server, user, messages)
    cpu = server.cpu_s()
    warm_s, size = pull(server, user, messages)
    busy = server.cpu_s() - cpu
    back_ms, back_cpu_ms = come_back(server, user, messages)
    figures = [
        Figure("new client, first of all", "msg/s", messages / cold_s),
        Figure("new client", "msg/s", messages / warm_s, goal=1.0),
        Figure("new client, volume", "MB/s", size / warm_s / 1e6),
        Figure("new client, CPU", "ms/msg", busy / messages * 1000, more=False),
        Figure("client that returns", "ms", back_ms, more=False, goal=1.0),
        Figure("client that returns, CPU", "ms", back_cpu_ms, more=False),
    ]
    return Result("imap-sync", server.name, figures, [], {"messages": messages})


def log_in(server: Server, user: str) -> ImapClient:
    """A client that knows QRESYNC."""
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    client.command("ENABLE QRESYNC")
    return client


def pull(server: Server, user: str, messages: int) -> tuple[float, int]:
    """Seconds and octets of a first synchronisation: flags of all, then all messages."""
    began = time.perf_counter()
    client = log_in(server, user)
    must(count_of(client.command("SELECT INBOX"), b"EXISTS") == messages, "EXISTS")
    found = fetches(client.command("UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE MODSEQ)"))
    must(len(found) == messages, f"{len(found)} FETCH responses")
    size = 0
    for first in range(1, messages + 1, BATCH):
        whole = fetches(client.command(f"UID FETCH {first}:{first + BATCH - 1} (BODY.PEEK[])"))
        must(len(whole) == min(BATCH, messages - first + 1), f"{len(whole)} messages")
        size += sum(map(len, whole))
    client.command("LOGOUT")
    client.close()
    return time.perf_counter() - began, size


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
