"""CPU milliseconds of each IMAP command on a small mailbox: python -m bench.imap_costs [--peer]

One client, one command after another, so nothing waits for a turn; the CPU time of all processes
of the server is counted, which a busy machine lengthens less than it does seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

from bench.imap_client import ImapClient, code_of
from bench.ours import ours
from bench.peers.stack import peer
from bench.scenarios.imap_mix import BODY, MESSAGES, prepare
from bench.server import Server

ROUNDS = 300
_COMMANDS = (
    ("NOOP", "NOOP"),
    ("LIST", 'LIST "" "*"'),
    ("STATUS", "STATUS Copies (MESSAGES UIDNEXT UNSEEN)"),
    ("SELECT", "SELECT INBOX"),
    ("FETCH envelopes of 20", "FETCH 1:20 (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"),
    ("FETCH BODY[] of one", "FETCH 1 BODY.PEEK[]"),
    ("SEARCH SUBJECT among 20", "UID SEARCH SUBJECT figures"),
    ("STORE", "STORE 1 {sign}FLAGS (\\Flagged)"),
)


def measure(server: Server, rounds: int = ROUNDS) -> dict[str, float]:
    """Milliseconds of CPU by command."""
    user = server.users[0]
    prepare(server, user, MESSAGES)
    found = {}

    def count(name: str, work: Callable[[int], object]) -> None:
        work(0)
        before = server.cpu_s()
        for number in range(rounds):
            work(number)
        found[name] = round((server.cpu_s() - before) / rounds * 1000, 2)

    def log_in_and_out(_: int = 0) -> None:
        other = ImapClient(server.address("imap"))
        other.command(f"LOGIN {user} {server.password}")
        other.command("LOGOUT")
        other.close()

    def append_and_expunge(_: int = 0) -> None:
        answers = client.command("APPEND INBOX (\\Deleted)", BODY % 0)
        uid = code_of(answers, b"APPENDUID").split()[1].decode()
        client.command(f"UID EXPUNGE {uid}")

    count("connect, LOGIN, LOGOUT", log_in_and_out)
    client = ImapClient(server.address("imap"))
    client.command(f"LOGIN {user} {server.password}")
    client.command("SELECT INBOX")
    for name, text in _COMMANDS:

        def command(number: int, text: str = text) -> None:
            client.command(text.format(sign="+-"[number % 2]))

        count(name, command)
    count("APPEND and EXPUNGE", append_and_expunge)
    count("COPY", lambda _: client.command("UID COPY 1 Copies"))
    client.command("LOGOUT")
    client.close()
    return found


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="store_true", help="Dovecot instead of mailnode")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with (peer if options.peer else ours)(5) as server:
        print(json.dumps(measure(server, options.rounds), indent=1))


if __name__ == "__main__":
    main()
