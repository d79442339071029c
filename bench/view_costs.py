"""What the node's view costs: first envelopes and structures, SEARCH and SORT of a whole folder.

Usage: python -m bench.view_costs [--messages N]
No server and no client: CPU of the calls alone, in one process, each kind for the first time and
again. Writes only below a temporary folder, which is removed at the end.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import maildir
from bench.server import Server
from bench.store_costs import open_store
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.orders import Orders
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.sort import sort_rows
from mailnode.access.imap.thread import threaded_rows
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, Folder
from mailnode.wire.imap.ast import Criterion, FlagKey, HeaderKey, SearchKey, SortKey, Threading

USER = "user@example.test"
AT_ONCE = 1000
AGAIN = 5


class Costs(NamedTuple):
    """One folder, and how to do things with all of it."""

    folder: Folder
    orders: Orders

    def summaries(self, kind: str) -> None:
        uids = self.folder.picture().uids
        for at in range(0, len(uids), AT_ONCE):
            self.folder.summaries(uids[at : at + AT_ONCE], kind)

    def search(self, key: SearchKey) -> None:
        searcher = Searcher(
            self.folder, key, self.folder.picture(), is_recent=lambda uid: False, saved=(),
            now=0.0, cache=MessageCache(),
        )  # fmt: skip
        while not searcher.advance():
            pass

    def sort(self, key: SortKey, orders: Orders | None) -> None:
        picture = self.folder.picture()
        every = range(len(picture.uids))
        _finish(sort_rows(self.folder, picture, every, [Criterion(key)], orders=orders))

    def thread(self, orders: Orders) -> None:
        picture = self.folder.picture()
        every = range(len(picture.uids))
        _finish(threaded_rows(self.folder, picture, every, Threading.REFS, orders))


def _finish(steps: Generator[None, None, Sequence[int]]) -> None:
    for _ in steps:
        pass


def works(costs: Costs) -> list[tuple[str, Callable[[], None]]]:
    """What is measured, by name, in this order."""
    return [
        ("envelopes", lambda: costs.summaries("envelope")),
        ("structures, after envelopes", lambda: costs.summaries("bodystructure")),
        ("sort keys", lambda: costs.summaries("sortkeys")),
        ("SEARCH UNSEEN", lambda: costs.search(FlagKey(Flag.SEEN, present=False))),
        ("SEARCH SUBJECT, no hit", lambda: costs.search(HeaderKey("SUBJECT", "no such subject"))),
        ("SEARCH SUBJECT, 1 in 12", lambda: costs.search(HeaderKey("SUBJECT", "invoice"))),
        ("SEARCH FROM, all", lambda: costs.search(HeaderKey("FROM", "elsewhere"))),
        ("SORT (SUBJECT)", lambda: costs.sort(SortKey.SUBJECT, None)),
        ("SORT (DATE)", lambda: costs.sort(SortKey.DATE, None)),
        ("SORT (ARRIVAL)", lambda: costs.sort(SortKey.ARRIVAL, None)),
        ("THREAD REFS", lambda: costs.thread(Orders())),
        ("THREAD REFS, threads known", lambda: costs.thread(costs.orders)),
        ("SORT (ARRIVAL), order known", lambda: costs.sort(SortKey.ARRIVAL, costs.orders)),
    ]


def _cpu_ms(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000)
    count = parser.parse_args().messages
    with tempfile.TemporaryDirectory(prefix="mailnode-view-") as name:
        store = open_store(Path(name))
        server = Server("view", (USER,), "", {}, list, Path(name, "mail"))
        maildir.fill(server, USER, count)
        account = store.account(AccountRef(USER, "example.test/user/"))
        folder = account.open("INBOX", True)
        if len(folder.refresh().uids) != count:
            raise SystemExit("not all messages were found")
        print(f"CPU of all {count} messages, ms: first, then")
        for title, work in works(Costs(folder, Orders())):
            first = _cpu_ms(work)
            print(f"{title:32}{first:10.1f}{min(_cpu_ms(work) for _ in range(AGAIN)):10.2f}")
        folder.close()
        store.close()


if __name__ == "__main__":
    main()
