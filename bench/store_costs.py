"""What the store costs: accept per second, cold and warm open, and that neither grows with size.

Usage: python -m bench.store_costs [--folder DIR] [--messages N] [--json]
Writes only below a new folder in DIR (default: the system's temporary folder), removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.usage import memory_kib
from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.storage import StorageSettings
from mailnode.store import AccountRef, Delivery, FlagsOp, NewMessage
from mailnode.store import journal as journals
from mailnode.store.guard import lay_guard
from mailnode.store.maildir_store import MaildirStore

BODY = b"Subject: bench\r\n\r\n" + (b"x" * 78 + b"\r\n") * 51
MESSAGE = NewMessage((b"Return-Path: <a@example.test>\r\n", BODY), 1_700_000_000.0)
SECONDS = 3.0


def open_store(base: Path) -> MaildirStore:
    root = base / "mail"
    root.mkdir(exist_ok=True)
    lay_guard(root)
    return MaildirStore(
        root=root, state=base / "state", node="bench", settings=StorageSettings(),
        clock=SystemClock(), log=NullLog(), on_change=lambda *_: None, on_use=lambda *_: None,
    )  # fmt: skip


def ref(number: int) -> AccountRef:
    return AccountRef(f"u{number}@example.test", f"example.test/u{number}/")


def accepts_per_s(
    store: MaildirStore, threads: int, *, distinct: bool, batch: int = 1
) -> dict[str, float]:
    """Each thread delivers batches; ``distinct``: every copy of all threads has its own mailbox."""
    counts = [0] * threads
    for number in range(threads * batch):
        store.account(ref(number))
    until = time.perf_counter() + SECONDS
    before = resource.getrusage(resource.RUSAGE_SELF)

    def work(number: int) -> None:
        mailboxes = range(number * batch, number * batch + batch) if distinct else [0] * batch
        deliveries = [Delivery(ref(mailbox), MESSAGE) for mailbox in mailboxes]
        while time.perf_counter() < until:
            assert all(outcome.ok for outcome in store.accept(deliveries))
            counts[number] += batch

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "per_s": round(sum(counts) / SECONDS),
        "cpu_ms_each": round(cpu_s / sum(counts) * 1000, 3),
    }


def timed(call: Callable[[], object], times: int = 1) -> float:
    """Milliseconds of one call, the best of ``times``."""
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return round(best * 1000, 3)


def fill(base: Path, count: int) -> None:
    """A folder of ``count`` messages: links to one file, adopted by the first open."""
    store = open_store(base)
    store.account(ref(9)).open("INBOX").close()
    cur = base / "mail/example.test/u9/cur"
    source = cur / f"1.M000000P1Q0.bench,S={len(BODY)},W={len(BODY)}:2,S"
    source.write_bytes(BODY)
    for number in range(1, count):
        if number % 60_000 == 0:  # file systems bound the links of one file
            source = cur / f"1.M000000P1Q{number}.bench,S={len(BODY)},W={len(BODY)}:2,S"
            source.write_bytes(BODY)
            continue
        name = f"{number}.M000000P1Q{number}.bench,S={len(BODY)},W={len(BODY)}:2,S"
        os.link(source, cur / name)
    folder = store.account(ref(9)).open("INBOX")
    assert len(folder.refresh(rescan=True).uids) == count
    folder.close()
    store.close()


def open_costs(base: Path, count: int) -> dict[str, float]:
    fill(base, count)
    found: dict[str, float] = {}
    store = open_store(base)
    account = store.account(ref(9))
    before = memory_kib(os.getpid(), "Rss")

    def cold() -> None:
        store._services.shelf.close()
        account.open("INBOX").refresh()

    found["cold_open_ms"] = timed(cold, 3)
    folder = account.open("INBOX")
    picture = folder.refresh()
    found["folder_kib"] = memory_kib(os.getpid(), "Rss") - before
    found["column_bytes_per_message"] = round(column_bytes(folder) / count, 1)
    found["warm_refresh_us"] = timed(folder.refresh, 50) * 1000
    found["flag_one_ms"] = timed(lambda: toggle(folder), 5)
    found["refresh_and_diff_after_a_flag_ms"] = timed(
        lambda: folder.diff(picture, folder.refresh())
    )
    found["journal_bytes"] = (base / "mail/example.test/u9/mailnode.journal").stat().st_size
    folder.close()
    store.close()
    return found


def toggle(folder: object) -> None:
    op = FlagsOp.REMOVE if folder.infos([5])[0].flags & Flag.FLAGGED else FlagsOp.ADD  # type: ignore[attr-defined]
    folder.store_flags([5], op, Flag.FLAGGED, frozenset())  # type: ignore[attr-defined]


def column_bytes(folder: object) -> int:
    state = folder._core.state  # type: ignore[attr-defined]
    columns = (state.uids, state.flags, state.modseqs, state.bits, state.sizes,
               state.internal_us, state.save_us, state.name_at)  # fmt: skip
    return sum(len(c) * c.itemsize for c in columns) + len(state.blob)


def delivery_ms(base: Path, times: int = 300) -> float:
    """Median of one delivery into the filled folder, which nobody has open."""
    store = open_store(base)
    delivery = Delivery(ref(9), MESSAGE)
    took = [timed(lambda: store.accept([delivery])) for _ in range(times)]
    store.close()
    return sorted(took)[times // 2]


def run(base: Path, messages: int) -> dict[str, object]:
    found: dict[str, object] = {"record_overhead_bytes": journals.RECORD_OVERHEAD}
    for threads, batch in ((1, 1), (8, 1), (4, 20)):
        for distinct in (True, False):
            where = "distinct" if distinct else "same"
            label = f"accept_{threads}_threads_batches_of_{batch}_{where}"
            folder = base / label
            folder.mkdir()
            store = open_store(folder)
            found[label] = accepts_per_s(store, threads, distinct=distinct, batch=batch)
            store.close()
    for count in (10, messages):
        folder = base / str(count)
        folder.mkdir()
        found[f"open_{count}"] = open_costs(folder, count)
        found[f"delivery_into_{count}_ms"] = delivery_ms(folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="mailnode-bench-", dir=given.folder))
    try:
        found = run(base, given.messages)
    finally:
        shutil.rmtree(base)
    if given.json:
        print(json.dumps(found))
        return
    for label, value in found.items():
        print(f"{label:45} {value}")


if __name__ == "__main__":
    main()
