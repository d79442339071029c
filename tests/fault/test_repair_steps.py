"""A repair that fails or is killed at any step may be run again, and has lost nothing."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import MailnodeError
from mailnode.runtime import files
from tests.fault.test_store_steps import MAX_STEPS, MEMORY, At
from tests.store import test_check as breaking
from tests.store.test_check import check, fill
from tests.store.test_repair import files_of, repair
from tests.support.mail_store import OpenStore

pytestmark = pytest.mark.fault
BREACHES = [
    breaking.remove_journal,
    breaking.spoil_header,
    breaking.spoil_middle,
    breaking.uid_given_twice,
    breaking.name_given_twice,
    breaking.lose_a_file,
    breaking.add_a_file,
    breaking.twin,
    breaking.change_flags,
    breaking.wrong_keyword,
    breaking.wrong_size,
    breaking.wrong_quota,
    breaking.twin_folder,
]


@pytest.fixture
def worlds() -> Iterator[Path]:
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mailnode-repair-", dir=where) as name:
        yield Path(name)
    files.on_step = None


def broken_world(worlds: Path, breach: Callable[[OpenStore], None]) -> tuple[Path, list[bytes]]:
    base = worlds / "template"
    base.mkdir()
    one = OpenStore(base)
    fill(one)
    one.close()
    one = OpenStore(base)
    breach(one)
    before = files_of(one)
    one.close()
    return base, before


def nothing_lost(one: OpenStore, before: list[bytes]) -> None:
    """Every content is still there; a message may be there twice after a crash."""
    after = files_of(one)
    assert set(after) == set(before)
    assert len(after) in (len(before), len(before) + 1)


@pytest.mark.parametrize("breach", BREACHES, ids=lambda one: one.__name__)
def test_a_failed_step(worlds: Path, breach: Callable[[OpenStore], None]) -> None:
    template, before = broken_world(worlds, breach)
    for number in range(1, MAX_STEPS):
        one = OpenStore(shutil.copytree(template, worlds / str(number)))

        def fail() -> None:
            raise OSError(errno.EIO, "made")

        hook = files.on_step = At(number, fail)
        try:
            repair(one)
        except (MailnodeError, OSError):
            pass
        files.on_step = None
        nothing_lost(one, before)
        repair(one)
        assert check(one, deep=True) == [], hook.seen[-1]
        nothing_lost(one, before)
        one.close()
        if len(hook.seen) < number:
            return
    pytest.fail("it never ends")


@pytest.mark.parametrize("breach", BREACHES, ids=lambda one: one.__name__)
def test_killed_at_a_step(worlds: Path, breach: Callable[[OpenStore], None]) -> None:
    template, before = broken_world(worlds, breach)
    for number in range(1, MAX_STEPS):
        base = shutil.copytree(template, worlds / str(number))
        child = os.fork()
        if child == 0:
            try:
                files.on_step = At(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
                repair(OpenStore(base))
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        one = OpenStore(base)
        nothing_lost(one, before)
        repair(one)
        assert check(one, deep=True) == [], f"killed at step {number}"
        nothing_lost(one, before)
        one.close()
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            return
    pytest.fail("it never ends")
