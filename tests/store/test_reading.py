"""Whole messages that are on their way before they are asked for: the same bytes, all closed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import NoSuchMessage, StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import FlagsOp, NewMessage, reading
from mailnode.store.folder import MaildirFolder
from mailnode.wire.mime.summary import summarise
from tests.support.mail_store import OpenStore

LARGE = b"line of text\r\n" * (files.AT_HAND_BYTES // 10)
BODIES = [b"Subject: %d\r\n\r\n%b" % (n, LARGE if n % 50 == 9 else b"x\n") for n in range(200)]
NONE: frozenset[str] = frozenset()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[MaildirFolder]:
    opened = OpenStore(tmp_path)
    found = opened.folder()
    found.append([NewMessage((body,), 1_700_000_000.0) for body in BODIES])
    yield found
    found.close()
    opened.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("step", [1, 2, 7])
def test_as_they_lie(folder: MaildirFolder, step: int) -> None:
    uids = list(range(1, len(BODIES) + 1))
    before = descriptors()
    read = reading.Wholes(folder._core, uids, folder.read)
    for uid in [*uids[::step], uids[3]]:
        raw = read(uid)
        assert raw.replace(b"\r\n", b"\n") == BODIES[uid - 1].replace(b"\r\n", b"\n")
    del read
    assert descriptors() <= before


def test_files_that_are_gone_or_elsewhere(folder: MaildirFolder) -> None:
    uids = list(range(1, len(BODIES) + 1))
    paths = {uid: os.fsencode(folder._core.path) + b"/" + folder._core.expected(uid - 1)
             for uid in (20, 30)}  # fmt: skip
    os.unlink(paths[20])
    os.rename(paths[30], paths[30] + b"F")  # another program's doing
    found = folder.summaries(uids, "bodystructure")
    assert list(found) == [uid for uid in uids if uid != 20]
    with pytest.raises(NoSuchMessage):
        reading.Wholes(folder._core, uids, folder.read)(20)


def test_flags_change_meanwhile(folder: MaildirFolder) -> None:
    uids = list(range(1, 61))
    read = reading.Wholes(folder._core, uids, folder.read)
    seen = []
    for uid in uids:
        folder.store_flags([uid + 1], FlagsOp.ADD, Flag.FLAGGED, NONE)
        seen.append(read(uid).split(b"\r\n")[0])
    assert seen == [b"Subject: %d" % (uid - 1) for uid in uids]


def test_a_structure_asked_for_after_the_envelope(folder: MaildirFolder) -> None:
    uids = list(range(1, len(BODIES) + 1))
    whole = [summarise(body) for body in BODIES]
    folder.summaries(uids[::2], "envelope")
    for kind in ("bodystructure", "envelope", "body", "headers"):
        assert list(folder.summaries(uids, kind).values()) == [made[kind] for made in whole]


def test_a_disk_that_fails(folder: MaildirFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "input/output error")

    read = reading.Wholes(folder._core, list(range(1, 61)), folder.read)
    monkeypatch.setattr(os, "read", broken)
    with pytest.raises(StorageGone):
        read(1)
