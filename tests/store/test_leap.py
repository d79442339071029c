"""An older copy takes the place of a mail root: UIDs that only the lost one gave out stay away."""

from __future__ import annotations

import shutil
from pathlib import Path

from mailnode.model.flags import Flag
from mailnode.store import FlagsOp
from mailnode.store.leap import leap, leap_account
from tests.support.mail_store import REF, OpenStore, findings, message, texts


def test_no_uid_names_two_messages_though_the_copy_was_older(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    folder = opened.folder("Sent")
    folder.append([message("copied"), message("and gone")])
    folder.store_flags([2], FlagsOp.ADD, Flag.DELETED, frozenset())
    folder.expunge()
    shutil.copytree(opened.root, tmp_path / "copy")
    assert folder.append([message("known to clients only")]) == [3]
    known = folder.refresh()
    opened.close()

    shutil.rmtree(opened.root)
    (tmp_path / "copy").rename(opened.root)
    again = OpenStore(tmp_path, "n2")
    seen = again.folder("Sent")
    before = seen.refresh()
    assert leap_account(again.store.home(REF.maildir), 1000) == 6
    after = seen.refresh()
    assert (after.uidnext, after.uidvalidity) == (1003, before.uidvalidity)
    assert after.highestmodseq > known.highestmodseq
    assert seen.diff(before, after) == seen.diff(after, after)
    assert seen.append([message("new")]) == [1003]
    assert texts(seen) == ["copied", "new"]
    assert findings(again.root) == []
    # What was expunged before the copy is remembered still.
    assert seen.vanished_since(before.highestmodseq - 1, range(1, 5)) == [2]
    again.close()


def test_near_the_end_of_all_uids_some_are_left(tmp_path: Path) -> None:
    opened = OpenStore(tmp_path)
    core = opened.store.home(REF.maildir)
    opened.folder().append([message("a")])
    inbox = core.open_core("INBOX")
    for _ in range(100):
        leap(inbox, 10**8)
    picture = opened.folder().refresh()
    assert 2**32 - 1 - 10**8 < picture.uidnext < 2**32 - 1
    assert opened.folder().append([message("b")]) == [picture.uidnext]
    core.release_core(inbox)
    assert findings(opened.root) == []
    opened.close()
