"""Eight processes deliver to, read and expunge from one mailbox through two workers' sockets: UIDs
ascend, none names two messages, every session's picture converges, nothing is lost."""

from __future__ import annotations

import contextlib
import multiprocessing
from pathlib import Path

import pytest

from tests.support import busy_mailbox as busy
from tests.support.peopled_server import peopled
from tests.support.processes import children

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

EACH = 50


def test_eight_processes_on_one_mailbox(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(peopled(tmp_path))
        results = spawn.Queue()
        # Those that end a picture, and we.
        meet, calm = spawn.Barrier(6), spawn.Event()
        work = busy.Work(server.ports, server.users[0], results, calm, meet)
        senders = [
            spawn.Process(target=busy.deliver, args=(work, service, number, EACH), daemon=True)
            for number, service in enumerate(("lmtp", "lmtp", "smtp"))
        ]
        readers = [
            spawn.Process(target=busy.watch, args=(work,), daemon=True),
            spawn.Process(target=busy.watch, args=(work,), daemon=True),
            spawn.Process(target=busy.expunge, args=(work, 0), daemon=True),
            spawn.Process(target=busy.expunge, args=(work, 3), daemon=True),
            spawn.Process(target=busy.empty_by_pop3, args=(work,), daemon=True),
        ]
        stack.enter_context(children(*senders, *readers))
        for process in senders:
            process.join(60)
        calm.set()
        meet.wait(60)
        found = [results.get(timeout=30) for _ in senders + readers]
        for process in senders + readers:
            process.join(30)
            assert process.exitcode == 0
        results.close()
        _judge(found, server.subjects())
        with server.imap() as box:
            uids = [int(uid) for uid in box.uid("SEARCH", "ALL")[1][0].split()]
        for one in found:
            if one.kind in ("watch", "expunge"):
                assert one.picture == uids, one.kind
        assert server.faults() == []
        server.check_store()


def _judge(found: list[busy.Found], left: list[str]) -> None:
    assert [one.wrong for one in found if one.wrong] == []
    accepted = {subject for one in found for subject in one.accepted}
    removed = {subject for one in found for subject in one.removed}
    assert len(accepted) == 3 * EACH
    assert len(left) == len(set(left))
    assert set(left) == accepted - removed
    # Each process that removes has really been at work.
    assert all(one.removed for one in found if one.kind in ("expunge", "pop3"))
    named: dict[int, str] = {}
    for one in found:
        for uid, subject in one.named.items():
            assert named.setdefault(uid, subject) == subject
    assert len(set(named.values())) == len(named)
