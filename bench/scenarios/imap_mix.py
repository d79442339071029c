"""Stateful IMAP: each client logs in, looks, reads, searches, changes and leaves, over and over."""

from __future__ import annotations

from bench import crowd
from bench.imap_client import ImapClient, code_of, count_of, fetches, must
from bench.result import Figure, Result
from bench.server import Server

CLIENTS = 50
SECONDS = 10.0
MESSAGES = 20
BODY = (
    b"From: Ann <ann@elsewhere.test>\r\nTo: someone@example.test\r\nSubject: weekly figures\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@bench.test>\r\n\r\n"
) + b"The quick brown fox jumps over the lazy dog, again and again.\r\n" * 30


def run(server: Server, clients: int = CLIENTS, seconds: float = SECONDS) -> Result:
    """Prepare the mailboxes, then measure completed sessions."""
    for number in range(clients):
        prepare(server, server.users[number], MESSAGES)
    cpu = server.cpu_s()
    outcome = crowd.run(clients, seconds, lambda number: session(server, server.users[number]))
    busy = server.cpu_s() - cpu
    figures = [
        Figure("completed sessions", "/s", outcome.per_s, goal=2.0),
        Figure("CPU", "ms/session", busy / max(1, outcome.done) * 1000, more=False),
        Figure("median session", "ms", outcome.percentile_ms(0.5), more=False),
        Figure("slowest 1 %", "ms", outcome.percentile_ms(0.99), more=False),
    ]
    return Result("imap-mix", server.name, figures, outcome.failures, {"clients": clients})


def prepare(server: Server, user: str, messages: int) -> None:
    """Fill an INBOX, make the folder that sessions copy to."""
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    client.command("CREATE Copies")
    for number in range(messages):
        client.command("APPEND INBOX (\\Seen)", BODY % number)
    client.command("LOGOUT")
    client.close()


def session(server: Server, user: str) -> None:
    """One session, every answer checked; the INBOX is afterwards as it was."""
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    look(client)
    before = count_of(client.command("SELECT INBOX"), b"EXISTS")
    must(before >= MESSAGES, f"{before} EXISTS")
    read(client, before)
    change(client, before)
    client.command("LOGOUT")
    client.close()


def look(client: ImapClient) -> None:
    """LIST and STATUS."""
    listed = client.command('LIST "" "*"')
    must(any(a.endswith((b"INBOX", b'"INBOX"')) for a in listed), "no INBOX in LIST")
    status = client.command("STATUS Copies (MESSAGES UIDNEXT UNSEEN)")
    must(b"MESSAGES" in status[0] and b"UIDNEXT" in status[0], "STATUS")


def read(client: ImapClient, before: int) -> None:
    """FETCH and SEARCH."""
    found = fetches(
        client.command(f"FETCH 1:{before} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)")
    )
    must(len(found) == before, f"{len(found)} FETCH responses for {before} messages")
    must(all(b"weekly figures" in one for one in found), "ENVELOPE without its subject")
    whole = fetches(client.command("FETCH 1 BODY.PEEK[]"))
    must(len(whole) == 1 and whole[0].count(b"quick brown fox") == 30, "BODY[]")
    hits = client.command("UID SEARCH SUBJECT figures")
    must(len(hits[0].split()) == before + 2, f"SEARCH found {hits[0][:80]!r}")


def change(client: ImapClient, before: int) -> None:
    """APPEND, STORE, COPY, EXPUNGE."""
    uid = (
        code_of(client.command("APPEND INBOX (\\Seen)", BODY % 0), b"APPENDUID").split()[1].decode()
    )
    seen = client.command("NOOP")
    must(count_of(seen, b"EXISTS") in (-1, before + 1), "EXISTS after APPEND")
    copied = client.command(f"UID COPY {uid} Copies")
    code_of(copied, b"COPYUID")
    stored = fetches(client.command(f"UID STORE {uid} +FLAGS (\\Deleted)"))
    must(len(stored) == 1 and b"\\Deleted" in stored[0], "STORE")
    gone = client.command("EXPUNGE")
    must(count_of(gone, b"EXPUNGE") == before + 1, "EXPUNGE")
