"""Many messages read at once: the same bytes as one by one, wherever the files lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.model.errors import StorageGone
from mailnode.runtime import files, tasks
from mailnode.runtime.tasks import MustWait
from mailnode.store import NewMessage
from mailnode.store.folder import MaildirFolder
from tests.support.mail_store import OpenStore

PAGE = b"0123456789abcd\r\n" * 256  # 4096 octets
BODIES = [
    b"Subject: a\r\n\r\nshort\r\n",
    b"Subject: bare\n\nline ends\n",
    PAGE,
    PAGE * (files.AT_HAND_BYTES // len(PAGE)),
    PAGE * (files.AT_HAND_BYTES // len(PAGE)) + b"and more\r\n",
    b"",
    b"last\r\n",
]


@pytest.fixture
def folder(tmp_path: Path):
    opened = OpenStore(tmp_path)
    found = opened.folder()
    found.append([NewMessage((body,), 1_700_000_000.0 + n) for n, body in enumerate(BODIES)])
    yield found
    found.close()
    opened.close()


@pytest.fixture(params=[False, True], ids=["in a thread", "on the loop"])
def brisk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(tasks._here, "brisk", request.param)
    return request.param


def all_of(folder: MaildirFolder, brisk: bool) -> list[bytes | None]:
    """As FETCH reads them: what cannot be had on the loop is asked for again in a thread."""
    found: list[bytes | None] = []
    uids = range(1, len(BODIES) + 1)
    while len(found) < len(uids):
        tasks._here.brisk = brisk
        try:
            some = folder.read_some(uids[len(found) :])
        except MustWait:
            tasks._here.brisk = False
            some = folder.read_some(uids[len(found) :])
        assert some
        found += some
    tasks._here.brisk = False
    return found


def shown() -> list[bytes | None]:
    return [body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for body in BODIES]


def file_of(folder: MaildirFolder, uid: int) -> Path:
    core = folder._core
    return Path(os.fsdecode(core.path + b"/" + core.expected(core.state.index(uid))))


def test_the_same_bytes_as_one_by_one(folder: MaildirFolder, brisk: bool) -> None:
    assert all_of(folder, brisk) == shown()


def gone(folder: MaildirFolder) -> list[bytes | None]:
    folder.remove([1, 3])
    return [None, *shown()[1:2], None, *shown()[3:]]


def renamed(folder: MaildirFolder) -> list[bytes | None]:
    file = file_of(folder, 2)
    file.rename(file.parent.parent / "new" / file.name.partition(":")[0])
    return shown()


def odd_name(folder: MaildirFolder) -> list[bytes | None]:
    file = file_of(folder, 1)
    file.rename(file.with_name(file.name + "F"))
    return shown()


def removed_by_others(folder: MaildirFolder) -> list[bytes | None]:
    file_of(folder, 2).unlink()
    return [*shown()[:1], None, *shown()[2:]]


@pytest.mark.parametrize("change", [gone, renamed, odd_name, removed_by_others])
def test_what_moved_or_went(
    folder: MaildirFolder, brisk: bool, change: Callable[[MaildirFolder], list[bytes | None]]
) -> None:
    tasks._here.brisk = False
    expected = change(folder)
    assert all_of(folder, brisk) == expected


def test_on_the_loop_nothing_waits_for_a_cold_file(
    folder: MaildirFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv, cold = os.preadv, [3]

    def half_cold(fd: int, buffers: list[memoryview], offset: int, how: int = 0) -> int:
        cold[0] -= 1
        if cold[0] <= 0:
            raise BlockingIOError
        return preadv(fd, buffers, offset, how)

    monkeypatch.setattr(os, "preadv", half_cold)
    monkeypatch.setattr(tasks._here, "brisk", True)
    assert folder.read_some([1, 2, 7]) == [*shown()[:2]]
    with pytest.raises(MustWait):
        folder.read_some([7])


def test_a_part_of_a_file_in_memory_is_not_taken_for_all(
    folder: MaildirFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of(folder, 1).write_bytes(PAGE * 2)

    def first_page(fd: int, buffers: list[memoryview], offset: int, how: int = 0) -> int:
        return os.readv(fd, [buffers[0][:4096]])

    monkeypatch.setattr(os, "preadv", first_page)
    monkeypatch.setattr(tasks._here, "brisk", True)
    with pytest.raises(MustWait):
        folder.read_some([1])


def test_no_descriptor_is_left_open(folder: MaildirFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    all_of(folder, False)
    all_of(folder, True)

    def fail(fd: int, size: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(StorageGone):
        folder.read_some([1, 2, 3])
    assert len(os.listdir("/proc/self/fd")) == before


def test_sizes_are_those_of_the_facts(folder: MaildirFolder) -> None:
    folder.remove([3])
    for uids in ([1, 2, 4], [1, 2, 3, 4], [2, 7, 99], [7], [], range(1, 8)):
        facts = {info.uid: (info.size, info.internal_date) for info in folder.infos(uids)}
        assert folder.sizes(uids) == facts
