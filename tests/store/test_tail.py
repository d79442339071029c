"""Where the journal ends is looked up once while its lock is held, and anew after a failure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mailnode.model.errors import StorageFull, StorageGone
from mailnode.runtime import files
from mailnode.store.journal import Kind
from mailnode.store.ledger import Ledger
from tests.support.mail_store import OpenStore, findings, texts


@pytest.fixture
def ledger(opened: OpenStore) -> Ledger:
    opened.deliver("one")
    return opened.folder()._core.ledger


def test_a_delivery_looks_once(
    opened: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.deliver("one")
    other = OpenStore(tmp_path, "n2")  # which does not know what the folder holds
    other.deliver("two")
    looks: list[Ledger] = []
    real = Ledger.stat
    monkeypatch.setattr(Ledger, "stat", lambda self: looks.append(self) or real(self))
    other.deliver("three")
    assert len(looks) == 1
    other.deliver("four", "five")
    assert len(looks) == 2
    other.close()
    assert texts(opened.folder()) == ["one", "two", "three", "four", "five"]


def test_what_others_wrote_between_is_seen(opened: OpenStore, tmp_path: Path) -> None:
    opened.deliver("one")
    other = OpenStore(tmp_path, "n2")
    other.deliver("two")
    opened.deliver("three")
    other.close()
    assert texts(opened.folder()) == ["one", "two", "three"]
    assert findings(opened.root) == []


def test_a_journal_that_is_not_surely_in_place_is_looked_at_anew(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(step: str, _path: bytes | str) -> None:
        if step == "fsync-dir":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ledger.hold():
        before = ledger.tail()
        assert ledger.header is not None
        raw = ledger.read(64, before.end)
        monkeypatch.setattr(files, "on_step", fail)
        with pytest.raises(StorageGone):
            ledger.replace(ledger.header._replace(epoch=ledger.header.epoch + 1), raw + raw[:8])
        monkeypatch.setattr(files, "on_step", None)
        assert ledger.tail() == before  # the eight bytes were a torn tail, which is cut
        assert os.path.getsize(ledger.journal_path) == before.end
        assert ledger.is_current(ledger.stat())


def test_an_append_that_could_not_be_taken_back_is_cut(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(fd: int, data: bytes) -> None:
        os.write(fd, data[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def stuck(fd: int, length: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ledger.hold():
        before = ledger.tail()
        with monkeypatch.context() as broken:
            broken.setattr(files, "write_all", torn)
            broken.setattr(os, "ftruncate", stuck)
            with pytest.raises(StorageFull):
                ledger.append(Kind.FLAGS, b"", before.uidnext, before.modseq + 1, before.totals)
        assert os.path.getsize(ledger.journal_path) == before.end + 9
        assert ledger.tail() == before
        assert os.path.getsize(ledger.journal_path) == before.end
