"""Repair: everything the checker finds, mended, and nothing lost on the way."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from mailnode.model.errors import StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.store import Finding, FlagsOp
from mailnode.store.check import Checker
from mailnode.store.repair import REMEDIES, Repairer
from tests.store import test_check as breaking
from tests.store.test_check import LaterClock, check, fill, the_file
from tests.support.mail_store import REF, OpenStore, message, texts

# Rules no program can mend: a person must look.
OTHER_FORMAT = {"journal-newer", "journal-older"}
BEYOND_REPAIR = {*OTHER_FORMAT, "unreadable", "folder-name"}


def repair(one: OpenStore, *, later: bool = False, deep: bool = False) -> list[Finding]:
    clock = LaterClock() if later else SystemClock()
    checker = Checker(one.root, clock, deep=deep)
    return list(Repairer(checker, one.store.home).account(REF.maildir))


def files_of(one: OpenStore) -> list[bytes]:
    """The bytes of every message file, sorted."""
    return sorted(
        path.read_bytes()
        for place in ("cur/*", "new/*", ".*/cur/*", ".*/new/*")
        for path in one.path().glob(place)
        if path.is_file() and not path.is_symlink()
    )


def reopen(one: OpenStore) -> None:
    """Another process, as it were: nothing remembered."""
    one.store._services.shelf.close()


@pytest.mark.parametrize("keep_open", [True, False], ids=["live", "cold"])
@pytest.mark.parametrize(
    "breach", [how for how, _ in breaking.BREACHES], ids=lambda one: one.__name__
)
def test_each_breach_is_mended_without_loss(
    opened: OpenStore, breach: Callable[[OpenStore], None], keep_open: bool
) -> None:
    fill(opened)
    watching = opened.folder() if keep_open else None
    if watching is not None:
        watching.refresh()
    else:
        reopen(opened)
    breach(opened)
    before = files_of(opened)
    found = repair(opened)
    assert found
    left = {finding.invariant for finding in found if not finding.repaired}
    assert left <= BEYOND_REPAIR
    assert {finding.invariant for finding in check(opened, deep=True)} == left
    assert files_of(opened) == before
    if watching is not None:
        watching.close()
    if not left & {*OTHER_FORMAT, "unreadable"}:
        # Every file is a message that can be read, by a store that knows nothing yet.
        reopen(opened)
        inbox = opened.folder()
        assert len(inbox.refresh().uids) == len(list(opened.path().glob("cur/*"))) + len(
            list(opened.path().glob("new/*"))
        )
        assert set(texts(inbox)) >= {"m2", "m3"}
        inbox.close()


@pytest.mark.parametrize(
    "breach",
    [
        breaking.counters_go_back,
        breaking.uid_given_twice,
        breaking.name_given_twice,
        breaking.add_a_file,
        breaking.twin,
        breaking.change_flags,
        breaking.wrong_size,
        breaking.twin_folder,
        breaking.spoil_middle,
        breaking.spoil_header,
    ],
    ids=lambda one: one.__name__,
)
def test_uids_are_kept_or_uidvalidity_is_new(
    opened: OpenStore, breach: Callable[[OpenStore], None]
) -> None:
    fill(opened)
    folder = opened.folder()
    before = folder.refresh()
    subjects = {uid: folder.read(uid) for uid in before.uids}
    folder.close()
    breach(opened)
    repair(opened)
    reopen(opened)
    folder = opened.folder()
    after = folder.refresh()
    if after.uidvalidity == before.uidvalidity:
        assert set(after.uids) >= set(before.uids)
        assert after.uidnext >= before.uidnext
        assert after.highestmodseq >= before.highestmodseq
        changed = {uid for uid in subjects if folder.read(uid) != subjects[uid]}
        assert changed <= {1}  # wrong_size wrote into message 1
    else:
        assert after.uidvalidity > before.uidvalidity
    folder.close()


def test_flags_of_the_name_count(opened: OpenStore) -> None:
    fill(opened)
    breaking.change_flags(opened)
    (finding,) = repair(opened)
    assert (finding.invariant, finding.uids) == ("flags", (1,))
    assert finding.repaired == REMEDIES["flags"]
    folder = opened.folder()
    assert folder.infos([1])[0].flags == Flag.DELETED
    folder.close()


def test_a_wrong_size_is_corrected_in_the_name(opened: OpenStore) -> None:
    fill(opened)
    folder = opened.folder()
    old_name = the_file(opened, 1)
    breaking.wrong_size(opened)
    repair(opened)
    new_name = the_file(opened, 1)
    assert new_name != old_name
    assert not old_name.exists()
    size = new_name.stat().st_size
    assert f",S={size},W={size}:2," in new_name.name
    assert folder.infos([1])[0].size == size
    assert folder.read(1).endswith(b"more\r\n")
    folder.close()


def test_a_reader_elsewhere_follows_a_repair(opened: OpenStore) -> None:
    """A second process whose picture is from before must find files under their new names."""
    fill(opened)
    other = OpenStore(opened.root.parent, node="n2")
    watching = other.folder()
    watching.refresh()
    breaking.wrong_size(opened)
    breaking.name_given_twice(opened)
    repair(opened)
    assert texts(watching) == ["m1", "m2", "m3", "m5"]
    watching.close()
    other.close()


def test_what_a_dead_writer_began_is_finished(opened: OpenStore) -> None:
    breaking.test_what_a_dead_writer_began_is_found(opened)
    (finding,) = repair(opened)
    assert finding.repaired == REMEDIES["unfinished"]
    assert check(opened) == []


def test_a_torn_tail_is_cut(opened: OpenStore) -> None:
    fill(opened)
    folder = opened.folder()
    folder.store_flags([1], FlagsOp.ADD, Flag.SEEN, frozenset())
    folder.close()
    reopen(opened)
    breaking.tear_tail(opened)
    found = repair(opened)
    assert {finding.invariant for finding in found} >= {"journal-torn"}
    assert all(finding.repaired for finding in found)
    assert check(opened) == []
    folder = opened.folder()
    # The record was torn, but the file's name still tells what it said.
    assert folder.infos([1])[0].flags == Flag.SEEN
    folder.close()


def test_leftovers_are_removed_and_young_files_stay(opened: OpenStore) -> None:
    fill(opened)
    opened.path("tmp/1.dead.host").write_bytes(b"half")
    assert repair(opened) == []
    assert opened.path("tmp/1.dead.host").exists()
    (finding,) = repair(opened, later=True)
    assert finding.repaired == REMEDIES["tmp"]
    assert not opened.path("tmp/1.dead.host").exists()


def test_a_sound_account_is_left_alone(opened: OpenStore) -> None:
    fill(opened)
    reopen(opened)
    before = {path: path.stat().st_mtime_ns for path in opened.path().rglob("*") if path.is_file()}
    assert repair(opened, later=True, deep=True) == []
    after = {path: path.stat().st_mtime_ns for path in opened.path().rglob("*") if path.is_file()}
    assert after == before


def test_all_accounts(opened: OpenStore) -> None:
    fill(opened)
    breaking.add_a_file(opened)
    found = list(Repairer(Checker(opened.root, SystemClock()), opened.store.home).everything())
    assert [finding.invariant for finding in found] == ["unrecorded"]
    assert all(finding.repaired for finding in found)


def test_wrong_totals_are_added_up_anew(opened: OpenStore) -> None:
    fill(opened)
    use = opened.store.account(REF).quota()
    breaking.wrong_quota(opened)
    assert opened.store.account(REF).quota() != use
    (finding,) = repair(opened)
    assert (finding.folder, finding.invariant) == ("INBOX", "quota")
    assert finding.repaired == REMEDIES["quota"]
    assert opened.store.account(REF).quota() == use
    opened.deliver("more")
    assert opened.store.account(REF).quota().messages == use.messages + 1
    assert check(opened) == []


def test_a_damaged_journal_is_kept_beside(opened: OpenStore) -> None:
    fill(opened)
    reopen(opened)
    breaking.spoil_middle(opened)
    raw = opened.path("mailnode.journal").read_bytes()
    repair(opened)
    assert opened.path("mailnode.journal.damaged").read_bytes() == raw


def test_repair_refuses_a_bare_mount_point(opened: OpenStore) -> None:
    fill(opened)
    os.unlink(opened.root / "mailnode.store")
    with pytest.raises(StorageGone):
        repair(opened)


def test_mail_goes_on_after_a_repair(opened: OpenStore) -> None:
    fill(opened)
    breaking.uid_given_twice(opened)
    repair(opened)
    opened.deliver("next")
    folder = opened.folder()
    picture = folder.refresh()
    assert texts(folder)[-1] == "next"
    assert picture.uids[-1] == picture.uidnext - 1
    folder.append([message("more")])
    folder.close()
    assert check(opened) == []
