"""Every disk step of every store operation, failed once (disk full, I/O error) and once the
place to die (SIGKILL): nothing acknowledged is lost, and the checker has nothing to say."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import MailnodeError
from mailnode.runtime import files
from mailnode.store import core
from tests.support.mail_store import OpenStore, message, texts
from tests.support.store_faults import (
    OPERATIONS,
    Operation,
    build_world,
    contents,
    copy_world,
    findings,
    settle,
)

pytestmark = pytest.mark.fault
MAX_STEPS = 200


# These faults are made, not met: memory is as good as a disk, and quicker.
MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def memory() -> Iterator[Path]:
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mailnode-steps-", dir=where) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def template(memory: Path) -> Path:
    base = memory / "template"
    base.mkdir()
    build_world(base)
    return base


@pytest.fixture
def worlds(memory: Path) -> Iterator[Path]:
    """Where this test's worlds may be made."""
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def no_hook() -> Iterator[None]:
    yield
    files.on_step = None


@pytest.fixture(params=[False, True], ids=["", "compacting"])
def compacting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With it each operation writes a new journal too."""
    if request.param:
        monkeypatch.setattr(core, "_COMPACT_BYTES", 1)
    return bool(request.param)


class At:
    """Calls ``act`` at the N-th step; counts them all."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.act, self.seen = number, act, list[str]()

    def __call__(self, step: str, path: bytes | str) -> None:
        self.seen.append(f"{step} {os.fsdecode(path)}")
        if len(self.seen) == self.number:
            self.act()


def fail_with(code: int) -> Callable[[], None]:
    def act() -> None:
        raise OSError(code, os.strerror(code))

    return act


def attempt(operation: Operation, one: OpenStore) -> bool:
    try:
        operation.run(one)
    except (MailnodeError, OSError):
        return False
    return True


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "io-error"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_failed_step(
    template: Path, worlds: Path, operation: Operation, code: int, compacting: bool
) -> None:
    for number in range(1, MAX_STEPS):
        one = OpenStore(copy_world(template, worlds / str(number)), flag_sync_s=0)
        hook = files.on_step = At(number, fail_with(code))
        acknowledged = attempt(operation, one)
        files.on_step = None
        if len(hook.seen) < number:
            assert acknowledged, "without a failure it works"
            one.close()
            assert number > 1
            return
        told = f"step {number}: {hook.seen[number - 1]}"
        # The process lives on, and so does the folder.
        check_world(one, operation, acknowledged, told)
        one.close()
        again = OpenStore(worlds / str(number))
        check_world(again, operation, acknowledged, told)
        again.close()
    pytest.fail("it never ends")


def check_world(one: OpenStore, operation: Operation, acknowledged: bool, told: str) -> None:
    try:
        operation.verify(contents(one), acknowledged=acknowledged)
        if acknowledged:
            operation.check(one)
        settle(one)
        operation_done = contents(one)
        operation.verify(operation_done, acknowledged=acknowledged)
        assert findings(one) == []
    except AssertionError as error:
        raise AssertionError(f"{told} (acknowledged: {acknowledged}): {error}") from error


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_killed_at_a_step(
    template: Path, worlds: Path, operation: Operation, compacting: bool
) -> None:
    for number in range(1, MAX_STEPS):
        base = copy_world(template, worlds / str(number))
        killed, told = run_and_die(operation, base, number)
        one = OpenStore(base)
        try:
            settle(one)
            operation.verify(contents(one), acknowledged=not killed)
            if not killed:
                operation.check(one)
            assert findings(one) == []
        except AssertionError as error:
            raise AssertionError(f"killed at step {number} ({told}): {error}") from error
        finally:
            one.close()
        if not killed:
            assert number > 1
            return
    pytest.fail("it never ends")


def run_and_die(operation: Operation, base: Path, number: int) -> tuple[bool, str]:
    """Run it in a child that is killed before step ``number``; whether it was, and at what."""
    child = os.fork()
    if child == 0:
        try:
            one = OpenStore(base, flag_sync_s=0)
            hook = At(number, lambda: None)

            def die() -> None:
                (base / "died-at").write_text(hook.seen[-1])
                os.kill(os.getpid(), signal.SIGKILL)

            hook.act = die
            files.on_step = hook
            operation.run(one)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True, (base / "died-at").read_text()
    assert os.WEXITSTATUS(status) == 0, "without a kill it works"
    return False, ""


def test_a_store_that_cannot_write_can_still_be_read(template: Path, worlds: Path) -> None:
    one = OpenStore(copy_world(template, worlds / "world"))
    folder = one.folder()

    def full(step: str, path: bytes | str) -> None:
        if "sync" not in step:  # what is on the disk already can be synced
            raise OSError(errno.ENOSPC, "full")

    files.on_step = full
    assert texts(folder) == ["m1", "m2", "m3", "m4", "m5"]
    with pytest.raises(MailnodeError):
        folder.append([message("no room")])
    files.on_step = None
    assert texts(folder) == ["m1", "m2", "m3", "m4", "m5"]
    folder.close()
    one.close()
