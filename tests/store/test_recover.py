"""SIGKILL before every step of every change: nothing is lost, nothing stays half done."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import FlagsOp
from mailnode.store.folder import MaildirFolder
from tests.support.mail_store import OpenStore, findings, message, referee, texts

NONE: frozenset[str] = frozenset()
Work = Callable[[OpenStore], object]


def killed_at(base: Path, step: int, work: Work) -> bool:
    """Do ``work`` in a child that is killed before its N-th disk step; False: it came through."""
    child = os.fork()
    if child == 0:
        left = iter(range(step - 1))

        def kill(name: str, path: bytes | str) -> None:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            store = OpenStore(base, "victim")
            files.on_step = kill
            work(store)
            os._exit(0)
        finally:
            os._exit(1)  # or the child would go on as a second run of the tests
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def flag(store: OpenStore) -> object:
    return store.folder().store_flags([1, 2, 3], FlagsOp.ADD, Flag.FLAGGED, frozenset({"k"}))


def expunge(store: OpenStore) -> object:
    return store.folder().remove([1, 2])


def move(store: OpenStore) -> object:
    folder = store.folder()
    return folder.move([1, 2], store.folder("Trash"))


def append(store: OpenStore) -> object:
    return store.folder().append([message("x"), message("y")])


def deliver(store: OpenStore) -> object:
    return store.deliver("x", "y")


def names_follow_the_journal(folder: MaildirFolder) -> None:
    state = folder._core.state
    expected = sorted(state.name(i) + b":2," + state.letters(i) for i in range(len(state)))
    assert sorted(os.listdir(folder._core.path + b"/cur")) == expected


@pytest.mark.parametrize("work", [flag, expunge, move, append, deliver])
def test_killed_before_each_step(tmp_path: Path, work: Work) -> None:
    step, alive = 0, True
    while alive:
        step += 1
        base = tmp_path / str(step)
        base.mkdir()
        store = OpenStore(base)
        store.folder().append([message(text) for text in "abc"])
        store.folder("Trash").refresh()
        store.close()
        alive = killed_at(base, step, work)
        check(OpenStore(base, "after"), work, finished=not alive)
    assert step > 4


def check(store: OpenStore, work: Work, *, finished: bool) -> None:
    folder, trash = store.folder(), store.folder("Trash")
    with folder._core.changing(), trash._core.changing():
        pass  # the next writer finishes what the dead one began
    folder.refresh()
    names_follow_the_journal(folder)
    found = texts(folder) + texts(trash)
    names_follow_the_journal(trash)
    assert set("abc") - set(found) == (set("ab") if work is expunge and "a" not in found else set())
    uids = folder.refresh().uids
    assert folder.refresh(rescan=True).uids == uids
    assert sorted(texts(folder)) == referee(store.path())
    flags = {bool(bits & Flag.FLAGGED) for bits in folder.picture().flags}
    assert len(flags) == 1
    if finished:
        assert flags == {work is flag}
        assert ("a" in texts(trash)) == (work is move)
        assert len(found) == {flag: 3, expunge: 1, move: 3, append: 5, deliver: 5}[work]
    assert folder.append([message("after")])[0] >= 4
    assert findings(store.root) == []
    store.close()
