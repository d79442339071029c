"""The blocks of lines in the view."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.store.lines import KINDS, SPAN, Block, merge
from mailnode.store.view import FolderView, View
from mailnode.wire.mime.summary import KINDS as PARTS
from tests.support.mail_store import OpenStore

SUBJECT, SENDER = "field subject", "field from"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[FolderView]:
    view = View(tmp_path)
    yield view.folder("ann@example.test", "aa11", 7)
    view.close()


def block(*uids: int) -> Block:
    return Block(array("I", uids), b"\n".join(b"line %d" % uid for uid in uids))


def lines(*uids: int) -> dict[int, bytes]:
    return {uid: b"line %d" % uid for uid in uids}


def test_lines_are_kept_in_blocks_and_added_to(folder: FolderView) -> None:
    assert folder.lines(SUBJECT, [0]) == {}
    last = 0xFFFFFFFF
    folder.keep_lines(SUBJECT, lines(3, SPAN - 1, SPAN, last))
    folder.keep_lines(SUBJECT, lines(1, 5))
    wanted = [0, 1, 2, last // SPAN]
    assert folder.lines(SUBJECT, wanted) == {
        0: block(1, 3, 5, SPAN - 1),
        1: block(SPAN),
        last // SPAN: block(last),
    }
    assert folder.lines(SUBJECT, [1]) == {1: block(SPAN)}
    assert folder.lines(SENDER, wanted) == {}


def test_kinds_and_folders_do_not_meet(tmp_path: Path, folder: FolderView) -> None:
    for number, kind in enumerate(KINDS):
        folder.keep_lines(kind, {1: b"%d" % number})
    other = View(tmp_path).folder("ann@example.test", "bb22", 7)
    other.keep_lines(SUBJECT, {1: b"other"})
    for number, kind in enumerate(KINDS):
        assert folder.lines(kind, [0])[0].lines == b"%d" % number
    folder.forget_folder()
    assert all(folder.lines(kind, [0]) == {} for kind in KINDS)
    assert other.lines(SUBJECT, [0])[0].lines == b"other"


def test_expunged_messages_leave_no_line(folder: FolderView) -> None:
    folder.put({2: dict.fromkeys(PARTS, b"part")})
    folder.keep_lines(SUBJECT, lines(1, 2, SPAN))
    folder.keep_lines(KINDS[-1], lines(2))
    folder.forget([2])
    assert folder.lines(SUBJECT, [0, 1]) == {1: block(SPAN)}
    assert folder.lines(KINDS[-1], [0]) == {}


def test_merging_keeps_the_order() -> None:
    assert merge(block(2, 9), lines(5, 1)) == block(1, 2, 5, 9)
    assert merge(Block(array("I"), b""), {4: b""}) == Block(array("I", [4]), b"")


def test_a_block_that_is_not_whole_counts_as_none(tmp_path: Path, folder: FolderView) -> None:
    folder.keep_lines(SUBJECT, lines(1, 2))
    with sqlite3.connect(next(tmp_path.rglob("*.sqlite"))) as db:
        db.execute("UPDATE line SET lines = ?", (b"line 1",))
    db.close()
    assert folder.lines(SUBJECT, [0]) == {}


def test_a_view_from_before_there_were_lines_is_used_on(tmp_path: Path, folder: FolderView) -> None:
    folder.put({2: dict.fromkeys(PARTS, b"part")})
    with sqlite3.connect(next(tmp_path.rglob("*.sqlite"))) as db:
        db.execute("DROP TABLE line")
    db.close()
    again = View(tmp_path).folder("ann@example.test", "aa11", 7)
    assert again.get([2], "body") == {2: b"part"}
    again.keep_lines(SUBJECT, lines(1))
    assert again.lines(SUBJECT, [0]) == {0: block(1)}


def test_a_folder_has_its_lines(opened: OpenStore) -> None:
    folder = opened.folder()
    folder.keep_lines(SUBJECT, lines(1))
    assert folder.lines(SUBJECT, [0, 1]) == {0: block(1)}
    folder.close()
