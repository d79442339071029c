"""Several processes, two readers and the owner at once: each has the ``\\Seen`` that he set."""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from mailnode.model.flags import Flag
from mailnode.store import FlagsOp, Folder
from tests.support.mail_store import REF, OpenStore, findings, message

NONE: frozenset[str] = frozenset()
MESSAGES, ROUNDS = 60, 60
BOB, EVE = "bob@example.test", "eve@example.test"


def opened(base: Path, node: str, reader: str) -> tuple[OpenStore, Folder]:
    one = OpenStore(base, node)
    return one, one.store.account(REF).open("INBOX", reader=reader)


def read(base: Path, reader: str, part: int) -> None:
    """Mark messages of one third, at random, and in the end every second of them; nobody else
    marks these for this reader, so what is said here must be seen here."""
    one, folder = opened(base, f"{reader}-{part}", reader)
    chance = random.Random(part)
    mine = [uid for uid in range(1, MESSAGES + 1) if uid % 3 == part]
    last = folder.refresh()
    for _ in range(ROUNDS):
        some = chance.sample(mine, 4)
        op = chance.choice((FlagsOp.ADD, FlagsOp.REMOVE))
        folder.store_flags(some, op, Flag.SEEN, NONE)
        now = folder.refresh()
        for info in folder.infos(some):
            assert bool(info.flags & Flag.SEEN) == (op is FlagsOp.ADD)
        before = dict(zip(last.uids, last.flags, strict=True))
        changed = {u for u, f in zip(now.uids, now.flags, strict=True) if before.get(u, f) != f}
        assert changed <= set(folder.diff(last, now).flagged)
        assert now.highestmodseq >= last.highestmodseq
        last = now
    folder.store_flags(mine, FlagsOp.REMOVE, Flag.SEEN, NONE)
    folder.store_flags(mine[::2], FlagsOp.ADD, Flag.SEEN, NONE)
    folder.close()
    one.close()


def own(base: Path) -> None:
    """The owner marks, flags, receives and removes what came late."""
    one, folder = opened(base, "owner", "")
    for turn in range(ROUNDS):
        (uid,) = folder.append([message(f"late {turn}", Flag.SEEN)])
        folder.store_flags([turn % MESSAGES + 1], FlagsOp.ADD, Flag.SEEN | Flag.FLAGGED, NONE)
        if turn % 2:
            folder.remove([uid])
    folder.close()
    one.close()


def in_process(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def test_readers_and_owner_at_once(tmp_path: Path) -> None:
    first, inbox = opened(tmp_path, "first", "")
    inbox.append([message(str(n)) for n in range(MESSAGES)])
    jobs: list[Callable[[], None]] = [partial(own, tmp_path)]
    jobs += [partial(read, tmp_path, reader, part) for reader in (BOB, EVE) for part in range(3)]
    children = [in_process(job) for job in jobs]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(jobs)
    expected = {u for part in range(3) for u in [n for n in range(1, 61) if n % 3 == part][::2]}
    for reader in (BOB, EVE):
        one, folder = opened(tmp_path, f"after-{reader}", reader)
        picture = folder.refresh()
        seen = {u for u, bits in zip(picture.uids, picture.flags, strict=True) if bits & Flag.SEEN}
        assert seen == expected
        folder.close()
        one.close()
    picture = inbox.refresh()
    assert all(bits & Flag.SEEN for bits in picture.flags)
    assert findings(first.root) == []
    inbox.close()
    first.close()
