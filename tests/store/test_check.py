"""The checker: silent on what is sound, and one finding for each rule broken."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailnode.model.errors import NoSuchFolder, StorageGone
from mailnode.model.flags import Flag
from mailnode.runtime.clock import SystemClock
from mailnode.store import Finding, FlagsOp, journal
from mailnode.store.check import Checker
from mailnode.store.invariants import INVARIANTS
from mailnode.store.journal import HEADER_SIZE, Added, Kind, Totals
from mailnode.store.maildir_store import MaildirStore
from tests.support.mail_store import REF, OpenStore, message

DOCS = Path(__file__).parents[2] / "docs" / "store.md"


class LaterClock(SystemClock):
    """Two days on, for what grows old."""

    def now(self) -> float:
        return time.time() + 48 * 3600


def check(one: OpenStore, *, deep: bool = False, later: bool = False) -> list[Finding]:
    clock = LaterClock() if later else SystemClock()
    return list(Checker(one.root, clock, deep=deep).account(REF.maildir))


def broken(one: OpenStore, **how: bool) -> list[tuple[str, str]]:
    return [(finding.folder, finding.invariant) for finding in check(one, **how)]


def fill(one: OpenStore) -> None:
    """INBOX with UIDs 1 to 5 (2 flagged, 4 gone), Archive with a copy."""
    folder, archive = one.folder(), one.folder("Archive")
    folder.append([message(f"m{n}") for n in range(1, 6)])
    folder.store_flags([2], FlagsOp.ADD, Flag.FLAGGED, frozenset({"work"}))
    folder.remove([4])
    folder.copy([1], archive)
    folder.close()
    archive.close()


def the_file(one: OpenStore, uid: int, folder: str = "INBOX") -> Path:
    opened = one.folder(folder)
    core = opened._core
    with core.ledger.mutex:
        path = core.path + b"/" + core.expected(core.state.index(uid))
    opened.close()
    return Path(os.fsdecode(path))


def add_record(
    one: OpenStore,
    kind: int,
    uidnext: int,
    modseq: int,
    payload: bytes = b"",
    more: Totals = journal.NOTHING,
) -> None:
    """Write a record; ``more`` is what its totals say beyond what it adds."""
    totals = last_totals(one).plus(more)
    if kind == Kind.ADD:
        totals = totals.plus(journal.added_totals(payload))
    with one.path("mailnode.journal").open("ab") as opened:
        opened.write(journal.pack_record(kind, uidnext, modseq, payload, totals=totals))


def last_totals(one: OpenStore) -> Totals:
    path = one.path("mailnode.journal")
    with path.open("rb") as opened:
        last = journal.last_record(opened.fileno(), path.stat().st_size)
    assert last is not None
    return last.totals


def test_a_sound_account_has_no_findings(opened: OpenStore) -> None:
    fill(opened)
    opened.deliver("one", "two")
    assert check(opened, deep=True) == []
    assert check(opened, deep=True, later=True) == []


def test_an_account_nobody_opened_is_sound(opened: OpenStore, tmp_path: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (opened.root / "b.test" / "bob" / part).mkdir(parents=True)
    (opened.root / "b.test" / "bob" / "cur" / "1.x.host:2,S").write_bytes(b"x")
    checker = Checker(opened.root, SystemClock())
    assert list(checker.accounts()) == ["b.test/bob"]
    assert list(checker.everything()) == []
    assert not list((opened.root / "b.test" / "bob").glob("mailnode*"))


def test_every_account_is_found(opened: OpenStore) -> None:
    opened.deliver("one")
    for maildir in ("example.test/zoe", "other.test/a/b"):
        for part in ("cur", "new", "tmp"):
            (opened.root / maildir / part).mkdir(parents=True)
    assert list(Checker(opened.root, SystemClock()).accounts()) == [
        "example.test/user", "example.test/zoe", "other.test/a/b",
    ]  # fmt: skip


def test_a_root_without_guard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageGone):
        Checker(tmp_path, SystemClock())


def test_one_folder(opened: OpenStore) -> None:
    fill(opened)
    the_file(opened, 1).unlink()
    checker = Checker(opened.root, SystemClock())
    assert [f.invariant for f in checker.folder(REF.maildir, "inbox")] == ["missing"]
    assert checker.folder(REF.maildir, "Archive") == []
    with pytest.raises(NoSuchFolder):
        checker.folder(REF.maildir, "None")
    assert list(checker.account("example.test/nobody/")) == []


# -- one breach at a time ------------------------------------------------------------------


def remove_tmp(one: OpenStore) -> None:
    one.path("tmp").rmdir()


def remove_journal(one: OpenStore) -> None:
    one.path("mailnode.journal").unlink()


def spoil_header(one: OpenStore) -> None:
    with one.path("mailnode.journal").open("r+b") as opened:
        opened.seek(20)
        opened.write(b"\xff")


def spoil_middle(one: OpenStore) -> None:
    with one.path("mailnode.journal").open("r+b") as opened:
        opened.seek(HEADER_SIZE + 30)
        opened.write(b"\xff\xfe\xfd")


def tear_tail(one: OpenStore) -> None:
    path = one.path("mailnode.journal")
    with path.open("r+b") as opened:
        opened.truncate(path.stat().st_size - 3)


def newer_format(one: OpenStore, version: int = 99) -> None:
    path = one.path("mailnode.journal")
    raw = bytearray(path.read_bytes())
    raw[8:10] = version.to_bytes(2, "little")
    raw[60:64] = __import__("zlib").crc32(bytes(raw[:60])).to_bytes(4, "little")
    path.write_bytes(raw)


def older_format(one: OpenStore) -> None:
    newer_format(one, 1)


def newer_record(one: OpenStore) -> None:
    add_record(one, 77, 6, 100)


def counters_go_back(one: OpenStore) -> None:
    add_record(one, Kind.MARK, 2, 1)


def uid_given_twice(one: OpenStore) -> None:
    added = Added(4, 0, 0, 5, 0, 0, b"1.again.host")
    add_record(one, Kind.ADD, 6, 100, journal.pack_added([added]))
    one.path("cur/1.again.host:2,").write_bytes(b"x\r\nyz")


def name_given_twice(one: OpenStore) -> None:
    base = the_file(one, 1).name.partition(":")[0].encode()
    size = the_file(one, 1).stat().st_size
    added = Added(6, 0, 0, size, 0, 0, base)
    add_record(one, Kind.ADD, 7, 100, journal.pack_added([added]))


def lose_a_file(one: OpenStore) -> None:
    the_file(one, 1).unlink()


def add_a_file(one: OpenStore) -> None:
    one.path("cur/17.foreign.host:2,S").write_bytes(b"Subject: x\r\n\r\ny\r\n")


def restore_an_expunged_file(one: OpenStore) -> None:
    folder = one.folder()
    kept = the_file(one, 5)
    raw = kept.read_bytes()
    folder.remove([5])
    folder.close()
    kept.write_bytes(raw)


def twin(one: OpenStore) -> None:
    path = the_file(one, 1)
    path.with_name(path.name + "S").write_bytes(path.read_bytes())


def change_flags(one: OpenStore) -> None:
    path = the_file(one, 1)
    path.rename(path.with_name(path.name + "T"))


def wrong_keyword(one: OpenStore) -> None:
    one.path("dovecot-keywords").write_bytes(b"0 play\n")


def no_keyword(one: OpenStore) -> None:
    one.path("dovecot-keywords").unlink()


def wrong_size(one: OpenStore) -> None:
    with the_file(one, 1).open("ab") as opened:
        opened.write(b"more\r\n")


def link_as_message(one: OpenStore) -> None:
    path = the_file(one, 1)
    path.unlink()
    path.symlink_to("/etc/passwd")


def wrong_quota(one: OpenStore) -> None:
    add_record(one, Kind.MARK, 6, 7, more=Totals(1, 1000))


def twin_folder(one: OpenStore) -> None:
    shutil.copytree(one.path(".Archive"), one.path(".Copy"))


def unspeakable_folder(one: OpenStore) -> None:
    one.path(".bad\x01").mkdir()
    for part in ("cur", "new", "tmp"):
        (one.path(".bad\x01") / part).mkdir()


BREACHES: list[tuple[Callable[[OpenStore], None], set[str]]] = [
    (remove_tmp, {"layout"}),
    (remove_journal, {"journal-missing"}),
    (spoil_header, {"journal-damaged"}),
    (spoil_middle, {"journal-damaged"}),
    (newer_format, {"journal-newer"}),
    (newer_record, {"journal-newer"}),
    (older_format, {"journal-older"}),
    (counters_go_back, {"counters"}),
    (uid_given_twice, {"uids", "unrecorded"}),
    (name_given_twice, {"names"}),
    (lose_a_file, {"missing"}),
    (add_a_file, {"unrecorded"}),
    (restore_an_expunged_file, {"expunged"}),
    (twin, {"twins"}),
    (change_flags, {"flags"}),
    (wrong_keyword, {"keywords-file"}),
    (no_keyword, {"keywords-file"}),
    (wrong_size, {"size"}),
    (link_as_message, {"unreadable"}),
    (wrong_quota, {"quota"}),
    (twin_folder, {"mailbox-id"}),
    (unspeakable_folder, {"folder-name"}),
]


@pytest.mark.parametrize(
    ("breach", "expected"), BREACHES, ids=lambda one: getattr(one, "__name__", "")
)
def test_each_breach_is_found(
    opened: OpenStore, breach: Callable[[OpenStore], None], expected: set[str]
) -> None:
    fill(opened)
    breach(opened)
    invariants = {invariant for _, invariant in broken(opened)}
    # A record of a message that is none counts it nevertheless.
    assert expected <= invariants <= expected | {"quota"}


def test_a_torn_tail_is_found(opened: OpenStore) -> None:
    fill(opened)
    tear_tail(opened)
    # What the torn record said is not known any more: here, that message 4 is gone.
    assert ("INBOX", "journal-torn") in broken(opened)


def test_what_a_dead_writer_began_is_found(opened: OpenStore) -> None:
    fill(opened)
    folder = opened.folder()
    with folder._core.ledger.hold():
        folder._core.catch_up()
        folder._core.ledger.begin(folder._core.offset)
    folder.close()
    assert broken(opened) == [("INBOX", "unfinished")]


def test_old_leftovers_in_tmp_are_found(opened: OpenStore) -> None:
    fill(opened)
    opened.path("tmp/1.dead.host").write_bytes(b"half")
    os.utime(opened.path("tmp/1.dead.host"), (0, 0))  # a message from 1970 is no old file
    assert broken(opened) == []
    assert broken(opened, later=True) == [("INBOX", "tmp")]


def test_line_ends_are_counted_when_asked(opened: OpenStore) -> None:
    fill(opened)
    path = the_file(opened, 2)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"\r\n", b"\n", 1) + b"x")
    assert broken(opened) == []
    assert broken(opened, deep=True) == [("INBOX", "size")] * 2


def test_every_rule_is_broken_somewhere_and_written_down() -> None:
    covered = {name for _, names in BREACHES for name in names} | {
        "journal-torn", "unfinished", "tmp",
    }  # fmt: skip
    assert covered == set(INVARIANTS)
    page = DOCS.read_text()
    assert [name for name in INVARIANTS if f"| `{name}` |" not in page] == []


# -- a live store --------------------------------------------------------------------------


def test_no_false_findings_while_others_write(opened: OpenStore, tmp_path: Path) -> None:
    opened.deliver("first")
    stop = threading.Event()
    failures: list[BaseException] = []

    def work(store: MaildirStore, number: int) -> None:
        account = store.account(REF)
        inbox, archive = account.open("INBOX"), account.open("Archive")
        try:
            while not stop.is_set():
                opened.deliver(f"d{number}")
                uids = list(inbox.append([message("a"), message("b", Flag.SEEN)]))
                inbox.store_flags(uids, FlagsOp.ADD, Flag.FLAGGED, frozenset({f"k{number}"}))
                inbox.copy(uids[:1], archive)
                inbox.move(uids[1:], archive)
                inbox.remove(list(inbox.refresh().uids)[:2])
        except BaseException as error:
            failures.append(error)
        finally:
            inbox.close()
            archive.close()

    threads = [threading.Thread(target=work, args=(opened.store, n), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        found = [finding for _ in range(4) for finding in check(opened)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert found == []
    assert check(opened, deep=True) == []
