"""Eight processes deliver to, read, flag and expunge one folder at once."""

from __future__ import annotations

import os
import random
import traceback
from pathlib import Path

from mailnode.model.errors import NoSuchMessage
from mailnode.model.flags import Flag
from mailnode.store import FlagsOp, PictureDiff
from tests.support.mail_store import REF, OpenStore, findings, message, referee, subject, texts

NONE: frozenset[str] = frozenset()
ROUNDS = 40


def work(base: Path, number: int) -> None:
    """One process: its own messages must stay unless it removes them itself."""
    store = OpenStore(base, f"n{number}")
    folder, chance = store.folder(), random.Random(number)
    picture, seen, mine = folder.refresh(), {}, 0
    for turn in range(ROUNDS):
        if turn % 2:
            store.deliver(f"{number}-{turn}")
        else:
            folder.append([message(f"{number}-{turn}")])
        mine += 1
        after = folder.refresh()
        assert after.highestmodseq >= picture.highestmodseq
        assert list(after.uids) == sorted(set(after.uids))
        check_diff(folder.diff(picture, after), list(picture.uids), list(after.uids))
        picture = after
        some = chance.sample(list(picture.uids), min(5, len(picture.uids)))
        for uid in some:
            try:
                text = subject(folder.read(uid))
            except NoSuchMessage:
                continue
            assert seen.setdefault(uid, text) == text  # a UID names one message for ever
        folder.store_flags(some[:3], FlagsOp.ADD, Flag(1 << chance.randrange(5)), NONE)
        folder.remove([uid for uid in some[3:] if seen.get(uid, "").startswith(f"{number}-")])
    store.close()


def check_diff(diff: PictureDiff, before: list[int], after: list[int]) -> None:
    assert set(before) - set(diff.expunged) | set(diff.added) == set(after)


def test_eight_processes_on_one_folder(tmp_path: Path) -> None:
    first = OpenStore(tmp_path)
    watcher = first.folder()
    watched = watcher.refresh()
    children = []
    for number in range(8):
        child = os.fork()
        if child == 0:
            try:
                work(tmp_path, number)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    assert statuses == [0] * 8
    last = watcher.refresh()
    check_diff(watcher.diff(watched, last), list(watched.uids), list(last.uids))
    assert last.uidnext == 8 * ROUNDS + 1
    gone = watcher.vanished_since(watched.highestmodseq)
    assert sorted([*last.uids, *(gone or [])]) == list(range(1, 8 * ROUNDS + 1))
    assert referee(first.path()) == sorted(texts(watcher))
    fresh = OpenStore(tmp_path, "fresh").folder()
    assert fresh.refresh() == last
    assert fresh.refresh(rescan=True).highestmodseq == last.highestmodseq
    use = first.store.account(REF).quota()
    assert use.messages == len(last.uids)
    assert findings(first.root) == []
    first.close()
