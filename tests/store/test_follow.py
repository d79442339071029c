"""A folder that is open stays open when another process or session gives it another name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.model.errors import NoSuchFolder, TemporaryError
from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.runtime import files
from mailnode.store import FlagsOp
from mailnode.store.account import MaildirAccount
from tests.support.mail_store import REF, OpenStore, findings, message, texts

NONE = frozenset[str]()


@pytest.fixture(params=["same process", "other node"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[OpenStore, OpenStore]]:
    """Where the folder is open, and where it is renamed."""
    here = OpenStore(tmp_path, "n1")
    there = here if request.param == "same process" else OpenStore(tmp_path, "n2")
    here.store.account(REF).create("Work")
    yield here, there
    assert findings(here.root) == []
    for store in {id(one): one for one in (here, there)}.values():
        store.close()


def test_every_verb_goes_on_under_the_new_name(two: tuple[OpenStore, OpenStore]) -> None:
    here, there = two
    folder = here.folder("Work")
    folder.append([message("a"), message("b"), message("c")])
    before = folder.refresh()

    def renamed(new: str) -> None:
        there.store.account(REF).rename(folder.name, new)

    renamed("Job")
    there.folder("Job").append([message("d")])
    after = folder.refresh()
    assert folder.diff(before, after).added == (4,)
    assert (folder.name, after.uidvalidity) == ("Job", before.uidvalidity)
    assert after.highestmodseq > before.highestmodseq
    renamed("Job2")
    assert folder.read(1).endswith(b"a\r\n")
    renamed("Job3")
    assert folder.store_flags([1, 2], FlagsOp.ADD, Flag.SEEN, NONE).changed == (1, 2)
    renamed("Job4")
    assert folder.remove([2]) == [2]
    renamed("Job5")
    assert folder.append([message("e")]) == [5]
    renamed("Job6")
    inbox = here.folder()
    assert folder.copy([1], inbox) == [(1, 1)]
    renamed("Job7")
    assert folder.move([3], inbox) == [(3, 2)]
    renamed("Job8")
    assert inbox.copy([1], folder) == [(1, 6)]
    renamed("Job9")
    assert inbox.move([2], folder) == [(2, 7)]
    renamed("Job10")
    assert folder.status().messages == 5
    assert folder.key == here.folder("Job10").key
    assert texts(there.folder("Job10")) == ["a", "d", "e", "a", "c"]
    with pytest.raises(NoSuchFolder):
        here.folder("Work")


def test_a_message_is_read_under_a_name_that_was_another_folders(
    two: tuple[OpenStore, OpenStore],
) -> None:
    here, there = two
    here.store.account(REF).create("Old")
    old, folder = here.folder("Old"), here.folder("Work")
    old.append([message("of the old one")])
    folder.append([message("a")])
    there.store.account(REF).delete("Old")
    there.store.account(REF).rename("Work", "Old")
    # Not by way of ``refresh``: what is at hand under the name is the old one's.
    assert folder.read(1).endswith(b"a\r\n")
    assert folder.name == "Old"
    with pytest.raises(NoSuchFolder):
        old.refresh()


def test_a_child_follows_its_parent(two: tuple[OpenStore, OpenStore]) -> None:
    here, there = two
    here.store.account(REF).create("Work/Plans")
    folder = here.folder("Work/Plans")
    there.store.account(REF).rename("Work", "Job")
    assert folder.append([message("a")]) == [1]
    assert folder.name == "Job/Plans"


def test_a_name_used_again_is_another_folder(two: tuple[OpenStore, OpenStore]) -> None:
    here, there = two
    folder = here.folder("Work")
    folder.append([message("a")])
    elsewhere = there.store.account(REF)
    elsewhere.rename("Work", "Job")
    elsewhere.create("Work")
    there.folder("Work").append([message("new")])
    assert texts(folder) == ["a"]
    assert folder.name == "Job"
    # And both names may be changed about.
    elsewhere.rename("Work", "Third")
    elsewhere.rename("Job", "Work")
    assert texts(folder) == ["a"]
    assert (folder.name, here.folder("Work").mailbox_id) == ("Work", folder.mailbox_id)


def test_a_deleted_folder_is_gone_for_good(two: tuple[OpenStore, OpenStore]) -> None:
    here, there = two
    folder = here.folder("Work")
    folder.append([message("a")])
    there.store.account(REF).rename("Work", "Job")
    there.store.account(REF).delete("Job")
    for verb in (folder.refresh, lambda: folder.read(1), lambda: folder.append([message("b")])):
        with pytest.raises(NoSuchFolder):
            verb()
    there.store.account(REF).create("Job")
    with pytest.raises(NoSuchFolder):
        folder.refresh()
    assert here.store.account(REF).quota().messages == 0


def test_who_has_it_open_is_told_to_look(two: tuple[OpenStore, OpenStore]) -> None:
    here, there = two
    key = here.folder("Work").key
    there.changes.clear()
    there.store.account(REF).rename("Work", "Job")
    assert (key, 0) in there.changes


def test_nothing_is_stored_twice_when_the_name_changes_right_behind_the_message(
    two: tuple[OpenStore, OpenStore],
) -> None:
    here, there = two
    folder = here.folder("Work")
    names = iter(["Job", "Last"])

    def on_step(step: str, path: bytes | str) -> None:
        # The message is placed and recorded; its name is to be made durable now.
        if step == "fsync-dir" and str(path).rstrip("'").endswith("/cur"):
            new = next(names, "")
            if new:
                files.on_step = None
                there.store.account(REF).rename(folder.name, new)
                files.on_step = on_step

    files.on_step = on_step
    try:
        assert folder.append([message("a")]) == [1]
        inbox = here.folder()
        inbox.append([message("b")])
        assert inbox.copy([1], folder) == [(1, 2)]
    finally:
        files.on_step = None
    assert texts(folder) == ["a", "b"]
    assert folder.name == "Last"


def test_renames_without_end_beside_writers(two: tuple[OpenStore, OpenStore]) -> None:
    """Names change all the time; what was acknowledged is there, once."""
    here, there = two
    folders = [here.folder("Work") for _ in range(3)]
    done, stored = threading.Event(), list[str]()

    def write(number: int) -> None:
        for count in range(25):
            text = f"{number}-{count}"
            try:
                (uid,) = folders[number].append([message(text)])
                folders[number].store_flags([uid], FlagsOp.ADD, Flag.SEEN, NONE)
            except TemporaryError:
                continue
            stored.append(text)

    def rename(account: MaildirAccount) -> None:
        name, count = "Work", 0
        while not done.is_set():
            count += 1
            account.rename(name, new := f"Name{count}")
            name = new
            done.wait(0.01)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(3)]
    restless = threading.Thread(target=rename, args=(there.store.account(REF),), daemon=True)
    for thread in (*threads, restless):
        thread.start()
    for thread in threads:
        thread.join(120)
    done.set()
    restless.join(60)
    assert stored
    found = texts(folders[0])
    assert len(found) == len(set(found))
    assert set(stored) <= set(found)
    flags = folders[0].refresh().flags
    assert list(flags).count(int(NO_FLAGS)) <= len(found) - len(stored)


def test_a_name_that_another_node_gave_to_another_folder_opens_at_once(
    two: tuple[OpenStore, OpenStore],
) -> None:
    here, there = two
    here.folder("Work").close()  # kept at hand for the next use
    elsewhere = there.store.account(REF)
    elsewhere.delete("Work")
    elsewhere.create("Other")
    there.folder("Other").append([message("a")])
    elsewhere.rename("Other", "Work")
    assert texts(here.folder("Work")) == ["a"]
    here.deliver("b", folder="Work")
    assert texts(here.folder("Work")) == ["a", "b"]
