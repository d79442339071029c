"""COPY and the folder it copies from: only read, unless a file is elsewhere."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from mailnode.model.flags import Flag
from mailnode.store import FlagsOp
from mailnode.store.ledger import FolderBusy
from tests.support.mail_store import OpenStore, findings, message, texts


def test_a_copy_needs_no_turn_as_the_writer_of_its_source(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path, lock_timeout_s=0.05)
    folder, target = opened.folder(), opened.folder("Sent")
    folder.append([message("a", Flag.SEEN, frozenset({"work"})), message("b")])
    with open(opened.path("mailnode.lock"), "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert folder.copy([1, 2], target) == [(1, 1), (2, 2)]
        with pytest.raises(FolderBusy):
            folder.move([1], target)
    assert [(i.flags, i.keywords) for i in target.infos([1])] == [(Flag.SEEN, {"work"})]
    assert findings(opened.root) == []
    opened.close()


def test_a_file_that_is_elsewhere_is_looked_for_by_the_only_writer(opened: OpenStore) -> None:
    folder, target = opened.folder(), opened.folder("Sent")
    folder.append([message("a"), message("b")])
    path = next(path for path in opened.path("cur").iterdir() if path.read_bytes()[-3:-2] == b"b")
    path.rename(opened.path("new") / path.name.partition(":")[0])
    assert folder.copy([1, 2], target) == [(1, 1), (2, 2)]
    assert texts(target) == ["a", "b"]
    assert findings(opened.root) == []


def test_a_copy_has_what_another_process_has_just_changed(tmp_path: Path) -> None:
    opened, beside = OpenStore(tmp_path), OpenStore(tmp_path, "n2")
    folder, target, other = opened.folder(), opened.folder("Sent"), beside.folder()
    folder.append([message("a")])
    other.refresh()
    other.store_flags([1], FlagsOp.ADD, Flag.FLAGGED, frozenset({"work"}))
    assert folder.copy([1], target) == [(1, 1)]
    copied = target.infos([1])[0]
    assert (copied.flags, copied.keywords) == (Flag.FLAGGED, {"work"})
    other.remove([1])
    assert folder.copy([1], target) == []
    opened.close()
    beside.close()
