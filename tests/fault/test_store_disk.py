"""A disk that is really full, really read-only, really not there. Needs root, for the mounts."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import StorageFull, StorageGone
from mailnode.model.flags import Flag
from mailnode.model.status import Verdict
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event
from mailnode.store import Delivery, FlagsOp
from mailnode.store.check import Checker
from tests.support.mail_store import REF, OpenStore, message, texts

pytestmark = pytest.mark.fault
LARGE = "x" * 20_000


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=30)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte at ``mail`` in the given folder."""
    mail = tmp_path / "mail"
    mail.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", mail)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a tmpfs here: {error}")
    yield tmp_path
    while subprocess.run(["umount", "-l", mail], capture_output=True, check=False).returncode == 0:
        pass


@pytest.fixture
def one(disk: Path) -> Iterator[OpenStore]:
    made = OpenStore(disk, flag_sync_s=0)
    yield made
    made.close()


def fill_disk(one: OpenStore) -> Path:
    """Leave no byte."""
    ballast = one.root / "ballast"
    with ballast.open("wb", buffering=0) as opened:
        for size in (65536, 4096, 1):
            try:
                while True:
                    opened.write(b"\0" * size)
            except OSError:
                continue
    return ballast


def check(one: OpenStore) -> list[str]:
    return [str(f) for f in Checker(one.root, SystemClock(), deep=True).everything()]


def test_deliveries_until_the_disk_is_full(one: OpenStore) -> None:
    safe: list[str] = []
    for number in range(100):
        (outcome,) = one.store.accept([Delivery(REF, message(f"d{number}-{LARGE}"))])
        if not outcome.ok:
            break
        safe.append(f"d{number}-{LARGE}")
    assert (outcome.verdict, outcome.code) == (Verdict.LATER, "4.3.1")
    assert 10 < len(safe) < 60
    folder = one.folder()
    assert texts(folder) == safe
    with pytest.raises(StorageFull):
        folder.append([message(LARGE)])
    folder.close()
    one.close()
    again = OpenStore(one.root.parent, node="again")
    folder = again.folder()
    assert texts(folder) == safe
    folder.close()
    assert check(again) == []
    again.close()


def test_a_full_disk_can_be_read_and_emptied(one: OpenStore) -> None:
    one.deliver(*(f"m{n}-{LARGE}" for n in range(5)), "small")
    folder = one.folder()
    assert len(texts(folder)) == 6
    ballast = fill_disk(one)
    assert len(texts(folder)) == 6
    (outcome,) = one.store.accept([Delivery(REF, message(LARGE))])
    assert outcome.verdict is Verdict.LATER
    try:
        removed = folder.remove([1, 2, 3])
    except StorageFull:
        removed = []  # not even room for the record of it
        ballast.unlink()
        folder.refresh()
    assert len(texts(folder)) in (6 - len(removed), 3)
    ballast.unlink(missing_ok=True)
    folder.store_flags([5], FlagsOp.ADD, Flag.SEEN, frozenset())
    one.deliver("again")
    assert texts(folder)[-1] == "again"
    folder.close()
    assert check(one) == []


def test_every_verb_on_a_full_disk_fails_clearly(one: OpenStore) -> None:
    one.deliver("one", "two", "three")
    folder, archive = one.folder(), one.folder("Archive")
    folder.refresh()
    archive.refresh()
    ballast = fill_disk(one)
    account = one.store.account(REF)
    for verb in (
        lambda: folder.append([message(LARGE)]),
        lambda: folder.copy([1, 2], archive),
        lambda: folder.move([3], archive),
        lambda: folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, frozenset({"new"})),
        lambda: account.create("Fresh"),
        lambda: account.subscribe("Fresh", True),
        lambda: account.rename("Archive", "Old"),
    ):
        with contextlib.suppress(StorageFull):  # any other error fails the test
            verb()
    ballast.unlink()
    folder.append([message("room again")])
    found = {*texts(folder)}
    for name in ("Archive", "Old"):
        if name in {info.name for info in account.folders()}:
            other = one.folder(name)
            other.append([message("room again")])
            found |= {*texts(other)}
            other.close()
    assert {"one", "two", "three", "room again"} <= found
    folder.close()
    archive.close()
    assert check(one) == []


def test_a_read_only_disk(one: OpenStore) -> None:
    one.deliver("one")
    one.close()
    run("mount", "-o", "remount,ro", one.root)
    again = OpenStore(one.root.parent, node="again")
    (outcome,) = again.store.accept([Delivery(REF, message("two"))])
    assert (outcome.verdict, outcome.code[0]) == (Verdict.LATER, "4")
    with pytest.raises(StorageGone):
        again.store.account(REF)
    (told,) = [fields for event, fields in again.log.events if event is Event.STORAGE]
    assert "read-only" in str(told["reason"])
    run("mount", "-o", "remount,rw", one.root)
    again.deliver("two")
    folder = again.folder()
    assert texts(folder) == ["one", "two"]
    folder.close()
    again.close()


def test_an_unmounted_disk(disk: Path) -> None:
    """The mount goes away under a running store, and comes back."""
    mail, store_disk = disk / "mail", disk / "disk"
    store_disk.mkdir()
    run("mount", "--bind", mail, store_disk)
    run("umount", "-l", mail)
    run("mount", "--bind", store_disk, mail)
    one = OpenStore(disk)
    one.deliver("one")
    folder = one.folder()
    run("umount", "-l", mail)
    (outcome,) = one.store.accept([Delivery(REF, message("lost?"))])
    assert outcome.verdict is Verdict.LATER
    with pytest.raises(StorageGone):
        one.store.account(REF)
    with pytest.raises(StorageGone):
        one.store.guard()
    assert os.listdir(mail) == [], "nothing is made on a bare mount point"
    assert any(event is Event.STORAGE for event, _ in one.log.events)
    run("mount", "--bind", store_disk, mail)
    one.deliver("two")
    assert texts(folder) == ["one", "two"]
    folder.close()
    assert check(one) == []
    one.close()
    run("umount", "-l", store_disk)


def test_an_open_folder_on_an_unmounted_disk_fails_clearly(disk: Path) -> None:
    mail, store_disk = disk / "mail", disk / "disk"
    store_disk.mkdir()
    run("mount", "--bind", mail, store_disk)
    one = OpenStore(disk)
    one.deliver("one")
    folder = one.folder()
    folder.refresh()
    run("umount", "-l", mail)
    for verb in (folder.refresh, lambda: folder.append([message("two")]), lambda: folder.read(1)):
        with pytest.raises(StorageGone):
            verb()
    assert os.listdir(mail) == []
    run("mount", "--bind", store_disk, mail)
    assert texts(folder) == ["one"]
    folder.close()
    one.close()
    run("umount", "-l", store_disk)


def test_a_missing_guard_file(tmp_path: Path) -> None:
    one = OpenStore(tmp_path)
    one.deliver("one")
    os.rename(one.root / "mailnode.store", tmp_path / "kept")
    (outcome,) = one.store.accept([Delivery(REF, message("two"))])
    assert outcome.verdict is Verdict.LATER
    with pytest.raises(StorageGone):
        one.store.account(REF)
    with pytest.raises(StorageGone):
        Checker(one.root, SystemClock())
    os.rename(tmp_path / "kept", one.root / "mailnode.store")
    one.deliver("two")
    folder = one.folder()
    assert texts(folder) == ["one", "two"]
    folder.close()
    one.close()
