"""Each reader's own ``\\Seen``: the real store on two nodes and the one in memory, one contract."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailnode.model.errors import MailnodeError, NoSuchFolder, StorageGone
from mailnode.model.flags import ALL_FLAGS, NO_FLAGS, Flag
from mailnode.runtime import files, tasks
from mailnode.store import Account, Allowed, FlagsOp, Folder, Picture, Store
from mailnode.store.folder import MaildirFolder
from mailnode.store.seen_file import Marks, Record, SeenFile, pack_header, pack_record, path_of
from tests.support.fake_store import FakeStore
from tests.support.mail_store import REF, FailAt, OpenStore, findings, message

BOB, EVE = "bob@example.test", "eve@example.test"
ALL = frozenset[str]()


@dataclass
class Nodes:
    """Accounts of one owner, as one or two nodes have them."""

    stores: list[Store]
    root: Path | None = None
    accounts: list[Account] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = [store.account(REF) for store in self.stores]

    def open(self, reader: str, node: int = 0, name: str = "INBOX") -> Folder:
        return self.accounts[node % len(self.accounts)].open(name, reader=reader)


@pytest.fixture(params=["memory", "two nodes"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nodes]:
    if request.param == "memory":
        yield Nodes([FakeStore()])
        return
    opened = [OpenStore(tmp_path, node) for node in ("n1", "n2")]
    yield Nodes([one.store for one in opened], opened[0].root)
    for one in opened:
        one.close()


def shown(folder: Folder) -> dict[int, Flag]:
    picture = folder.refresh()
    return {uid: Flag(bits) for uid, bits in zip(picture.uids, picture.flags, strict=True)}


def test_flags_of_others_are_never_seen(nodes: Nodes) -> None:
    owner, bob, eve = nodes.open(""), nodes.open(BOB), nodes.open(EVE, 1)
    owner.append([message("a"), message("b", Flag.SEEN | Flag.FLAGGED)])
    assert shown(bob) == {1: NO_FLAGS, 2: Flag.FLAGGED}
    done = bob.store_flags([1, 2, 9], FlagsOp.ADD, Flag.SEEN, ALL)
    assert (done.changed, done.gone) == ((1, 2), (9,))
    assert shown(bob) == {1: Flag.SEEN, 2: Flag.SEEN | Flag.FLAGGED}
    assert shown(eve) == {1: NO_FLAGS, 2: Flag.FLAGGED}
    assert shown(owner) == {1: NO_FLAGS, 2: Flag.SEEN | Flag.FLAGGED}
    assert bob.store_flags([1], FlagsOp.ADD, Flag.SEEN, ALL).changed == ()
    assert (bob.status().unseen, eve.status().unseen, owner.status().unseen) == (0, 2, 1)
    assert [info.flags for info in bob.infos([1])] == [Flag.SEEN]
    for folder in (owner, bob, eve):
        folder.close()


def test_one_modseq_for_own_and_common_flags(nodes: Nodes) -> None:
    bob, eve = nodes.open(BOB), nodes.open(EVE, 1)
    bob.append([message("a"), message("b"), message("c", Flag.SEEN)])
    before, theirs = bob.refresh(), eve.refresh()
    done = bob.store_flags([1, 2, 3], FlagsOp.ADD, Flag.SEEN | Flag.FLAGGED, frozenset({"word"}))
    after = bob.refresh()
    assert list(after.modseqs) == [done.modseq] * 3
    assert done.modseq == after.highestmodseq == before.highestmodseq + 1
    assert bob.diff(before, after).flagged == (1, 2, 3)
    assert eve.diff(theirs, eve.refresh()).flagged == (1, 2, 3)
    theirs = eve.refresh()
    done = bob.store_flags([1], FlagsOp.REMOVE, Flag.SEEN, ALL)
    assert bob.diff(after, bob.refresh()).flagged == (1,)
    assert eve.diff(theirs, eve.refresh()).flagged == ()
    assert eve.refresh().highestmodseq == done.modseq
    stale = bob.store_flags([1, 2], FlagsOp.ADD, Flag.SEEN, ALL, done.modseq - 1)
    assert (stale.modified, stale.changed) == ((1,), ())
    for folder in (bob, eve):
        folder.close()


def test_only_flags_that_are_allowed_change(nodes: Nodes) -> None:
    bob = nodes.open(BOB)
    bob.append([message("a", Flag.SEEN | Flag.FLAGGED | Flag.DELETED, frozenset({"word"}))])
    may = Allowed(Flag.SEEN, keywords=False)
    bob.store_flags([1], FlagsOp.REPLACE, Flag.ANSWERED, frozenset({"other"}), None, may)
    assert shown(bob) == {1: Flag.FLAGGED | Flag.DELETED}
    assert bob.infos([1])[0].keywords == {"word"}
    may = Allowed(ALL_FLAGS & ~Flag.SEEN, keywords=True)
    bob.store_flags([1], FlagsOp.REPLACE, Flag.SEEN | Flag.DRAFT, ALL, None, may)
    assert shown(bob) == {1: Flag.DRAFT}
    assert bob.infos([1])[0].keywords == ALL
    bob.close()


def test_copies_and_moves_take_the_readers_flag_along(nodes: Nodes) -> None:
    bob, owner = nodes.open(BOB), nodes.open("")
    bob.append([message("a", Flag.SEEN), message("b")])
    owner.store_flags([2], FlagsOp.ADD, Flag.SEEN, ALL)
    there, plain = nodes.open(BOB, name="Archive"), nodes.open("", 1, name="Archive")
    assert [new for _, new in bob.copy([1, 2], there)] == [1, 2]
    assert shown(there) == {1: Flag.SEEN, 2: NO_FLAGS}
    assert shown(plain) == {1: NO_FLAGS, 2: NO_FLAGS}
    own = nodes.open("", name="Trash")
    bob.copy([1, 2], own)
    assert shown(own) == {1: Flag.SEEN, 2: NO_FLAGS}
    bob.copy([1], own, Allowed(NO_FLAGS, keywords=False))
    assert shown(own)[3] == NO_FLAGS
    owner.move([2], there)
    assert shown(there)[3] == Flag.SEEN
    assert shown(plain)[3] == NO_FLAGS
    bob.move([1], own)
    assert shown(own)[4] == Flag.SEEN
    assert shown(bob) == {}
    for folder in (bob, owner, there, plain, own):
        folder.close()


@dataclass
class View:
    """One open folder, and what it must show."""

    folder: Folder
    reader: str
    last: Picture


@pytest.mark.parametrize("seed", range(4))
def test_any_order_of_changes_is_told_to_each_in_one_row_of_modseqs(
    nodes: Nodes, seed: int
) -> None:
    """Whatever happens: each view shows the model, and its diff and modseqs tell how it came."""
    dice = random.Random(seed)
    common: dict[int, Flag] = {}
    seen: dict[str, set[int]] = {BOB: set(), EVE: set()}
    views = []
    for node, reader in enumerate(["", BOB, BOB, EVE, ""]):
        folder = nodes.open(reader, node)
        views.append(View(folder, reader, folder.refresh()))
    for _ in range(120):
        _change(dice, dice.choice(views), common, seen)
        for view in dice.sample(views, 3):
            _check(view, common, seen)
    for view in views:
        _check(view, common, seen)
        view.folder.close()
    if nodes.root is not None:
        assert findings(nodes.root) == []


def _change(
    dice: random.Random, view: View, common: dict[int, Flag], seen: dict[str, set[int]]
) -> None:
    folder, mine = view.folder, seen.get(view.reader)
    flags = Flag(dice.randrange(32))
    chosen = [uid for uid in common if dice.random() < 0.4]
    what = dice.random()
    if what < 0.25 or not common:
        for uid in folder.append([message("x", flags), message("y", flags)]):
            common[uid] = flags if mine is None else flags & ~Flag.SEEN
            if mine is not None and flags & Flag.SEEN:
                mine.add(uid)
    elif what < 0.35:
        for uid in folder.remove(chosen[:3]):
            del common[uid]
            for uids in seen.values():
                uids.discard(uid)
    else:
        op = dice.choice(list(FlagsOp))
        folder.store_flags(chosen, op, flags, ALL)
        for uid in chosen:
            old = common[uid] if mine is None else common[uid] & ~Flag.SEEN
            old |= Flag.SEEN if mine is not None and uid in mine else NO_FLAGS
            new = {FlagsOp.ADD: old | flags, FlagsOp.REMOVE: old & ~flags, FlagsOp.REPLACE: flags}[
                op
            ]
            if mine is None:
                common[uid] = new
                continue
            common[uid] = common[uid] & Flag.SEEN | new & ~Flag.SEEN
            (mine.add if new & Flag.SEEN else mine.discard)(uid)


def _check(view: View, common: dict[int, Flag], seen: dict[str, set[int]]) -> None:
    old, new = view.last, view.folder.refresh()
    mine = seen.get(view.reader)
    for uid, bits in zip(new.uids, new.flags, strict=True):
        own = common[uid]
        if mine is not None:
            own = own & ~Flag.SEEN | (Flag.SEEN if uid in mine else NO_FLAGS)
        assert Flag(bits) == own
    assert list(new.uids) == sorted(common)
    assert new.highestmodseq >= max([old.highestmodseq, *new.modseqs])
    diff = view.folder.diff(old, new)
    before = dict(zip(old.uids, zip(old.flags, old.modseqs, strict=True), strict=True))
    after = dict(zip(new.uids, zip(new.flags, new.modseqs, strict=True), strict=True))
    assert set(diff.expunged) == before.keys() - after.keys()
    assert set(diff.added) == after.keys() - before.keys()
    assert set(diff.flagged) == {u for u in before.keys() & after.keys() if before[u] != after[u]}
    for uid in before.keys() & after.keys():
        # RFC 7162 3.1: a new modseq with each change, greater than any before.
        moved = before[uid][1] != after[uid][1]
        assert moved or before[uid][0] == after[uid][0]
        assert not moved or after[uid][1] > old.highestmodseq
    gone = view.folder.vanished_since(old.highestmodseq)
    assert gone is not None
    assert set(gone) >= before.keys() - after.keys()
    view.last = new


# ---------------------------------------------------------------------- the file


def test_file_grows_little_and_is_written_anew(opened: OpenStore) -> None:
    account = opened.store.account(REF)
    bob = account.open("INBOX", reader=BOB)
    bob.append([message(f"{n}") for n in range(50)])
    for turn in range(1500):
        op = FlagsOp.REMOVE if turn % 2 else FlagsOp.ADD
        bob.store_flags(range(1, 51, 1 + turn % 3), op, Flag.SEEN, ALL)
    path = Path(path_of(bytes(opened.path()), BOB).decode())
    assert path.stat().st_size < 64 * 1024 + 64 * 60
    assert len(shown(bob)) == 50
    here = shown(bob)
    bob.close()
    again = OpenStore(opened.root.parent, "n2")
    other = again.store.account(REF).open("INBOX", reader=BOB)
    assert shown(other) == here
    other.close()
    again.close()


@pytest.mark.parametrize("tail", [b"", b"x", b"\x19\0\0\0garbage", b"\xff" * 40])
def test_torn_end_is_passed_over_and_cut(opened: OpenStore, tail: bytes) -> None:
    account = opened.store.account(REF)
    bob = account.open("INBOX", reader=BOB)
    bob.append([message("a", Flag.SEEN), message("b")])
    path = Path(path_of(bytes(opened.path()), BOB).decode())
    with path.open("ab") as file:
        file.write(tail)
    assert shown(bob) == {1: Flag.SEEN, 2: NO_FLAGS}
    bob.store_flags([2], FlagsOp.ADD, Flag.SEEN, ALL)
    assert shown(bob) == {1: Flag.SEEN, 2: Flag.SEEN}
    assert tail not in path.read_bytes()[40:] or not tail
    bob.close()


def test_file_of_other_uids_says_nothing_and_a_newer_one_is_left(opened: OpenStore) -> None:
    account = opened.store.account(REF)
    bob = account.open("INBOX", reader=BOB)
    bob.append([message("a")])
    path = Path(path_of(bytes(opened.path()), BOB).decode())
    record = pack_record(Record(2, True, ((1, 1),)))
    path.write_bytes(pack_header(7, BOB) + record)
    assert shown(bob) == {1: NO_FLAGS}
    bob.close()
    header = bytearray(pack_header(7, BOB))
    header[6] = 9
    path.write_bytes(bytes(header))
    opened.deliver("b")
    bob = account.open("INBOX", reader=BOB)
    with pytest.raises(StorageGone):
        bob.refresh()
    with pytest.raises(StorageGone):
        bob.store_flags([1], FlagsOp.ADD, Flag.SEEN, ALL)
    bob.close()
    assert path.read_bytes() == bytes(header)


def test_records_ahead_of_the_journal_wait_for_it(tmp_path: Path) -> None:
    """A journal that lost its end in a power failure; the next writer takes such records away."""
    seen = SeenFile(bytes(tmp_path), BOB)
    path = Path(path_of(bytes(tmp_path), BOB).decode())
    ahead = pack_record(Record(5, True, ((1, 3),)))
    path.write_bytes(pack_header(7, BOB) + pack_record(Record(4, True, ((9, 9),))) + ahead)
    assert seen.catch_up(7, 4) == {0, 9}
    assert seen.marks.get(2) == (0, False)
    with seen.writing(Record(5, True, ((2, 2),)), 7, seen.marks.uids, 4):
        pass
    assert seen.catch_up(7, 5) == {0, 9, 2}
    assert (seen.marks.get(2), seen.marks.get(1)) == ((5, True), (0, False))


def test_marks_since_a_modseq_however_many_there_were() -> None:
    marks = Marks()
    for n in range(1, 6000):
        marks.put(n, n + 1, True)
    assert set(marks.since(5990)) == set(range(5990, 6000))
    assert set(marks.since(10)) == set(range(10, 6000))
    assert set(marks.since(0)) == set(range(1, 6000))


def test_any_failing_step_leaves_a_folder_that_goes_on(tmp_path: Path) -> None:
    """Disk full at each step in turn: what is refused is not there, or there whole."""
    number = 0
    while True:
        number += 1
        base = tmp_path / str(number)
        base.mkdir()
        opened = OpenStore(base)
        account = opened.store.account(REF)
        bob = account.open("INBOX", reader=BOB)
        bob.append([message("a"), message("b", Flag.SEEN)])
        bob.store_flags([1], FlagsOp.ADD, Flag.SEEN, ALL)
        files.on_step = hook = FailAt(number)
        try:
            bob.store_flags([1, 2], FlagsOp.REPLACE, Flag.FLAGGED, ALL)
            bob.append([message("c", Flag.SEEN)])
        except MailnodeError:
            pass
        files.on_step = None
        now = shown(bob)
        assert {now[1], now[2]} <= {Flag.SEEN, Flag.FLAGGED, Flag.SEEN | Flag.FLAGGED}
        bob.store_flags([1, 2], FlagsOp.REPLACE, Flag.SEEN, ALL)
        assert list(shown(bob).values())[:2] == [Flag.SEEN, Flag.SEEN]
        bob.close()
        opened.close()
        again = OpenStore(base, "n2")
        other = again.store.account(REF).open("INBOX", reader=BOB)
        assert shown(other)[1] == Flag.SEEN
        other.close()
        again.close()
        assert findings(opened.root) == []
        if not hook.failed:
            break
    assert number > 8


def test_file_that_goes_with_its_folder_makes_nothing_unseen(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    seen = SeenFile(bytes(folder), BOB)
    with seen.writing(Record(2, True, ((1, 3),)), 7, seen.marks.uids, 1):
        pass
    assert seen.catch_up(7, 2) == {0, 1, 2, 3}
    folder.rename(tmp_path / "b")
    with pytest.raises(NoSuchFolder):
        seen.catch_up(7, 2)
    assert seen.marks.get(2) == (2, True)
    folder.mkdir()
    assert seen.catch_up(7, 2) == {0}
    assert seen.marks.get(2) == (0, False)


def test_renamed_folder_keeps_what_its_readers_have_seen(opened: OpenStore) -> None:
    account = opened.store.account(REF)
    account.create("Team")
    bob = account.open("Team", reader=BOB)
    bob.append([message("a", Flag.SEEN), message("b")])
    account.rename("Team", "Crew")
    assert shown(bob) == {1: Flag.SEEN, 2: NO_FLAGS}
    bob.store_flags([2], FlagsOp.ADD, Flag.SEEN, ALL)
    again = account.open("Crew", reader=BOB)
    assert shown(again) == {1: Flag.SEEN, 2: Flag.SEEN}
    bob.close()
    again.close()


def test_pictures_and_infos_follow_a_rename(opened: OpenStore) -> None:
    """Renamed by another session when the reader's next look must read the file."""
    account = opened.store.account(REF)
    account.create("Team")
    bob = account.open("Team", reader=BOB)
    bob.append([message("a", Flag.SEEN)])
    for look, op in ((bob.picture, FlagsOp.REMOVE), (lambda: bob.infos([1]), FlagsOp.ADD)):
        bob.refresh()
        bob.store_flags([1], op, Flag.SEEN, ALL)
        account.rename(bob.name, op.name)
        look()
        assert bob.name == op.name
    bob.close()


# ---------------------------------------------------------------------- what failed or died


def _store(bob: Folder, _other: Folder) -> None:
    bob.store_flags([1], FlagsOp.ADD, Flag.SEEN, ALL)


def _store_both(bob: Folder, _other: Folder) -> None:
    bob.store_flags([1], FlagsOp.ADD, Flag.SEEN | Flag.FLAGGED, ALL)


def _append(bob: Folder, _other: Folder) -> None:
    bob.append([message("mine", Flag.SEEN)])


def _copy(bob: Folder, other: Folder) -> None:
    other.copy([1], bob)


def _move(bob: Folder, other: Folder) -> None:
    other.move([1], bob)


VERBS = [_store, _store_both, _append, _copy, _move]


def subjects(folder: Folder) -> dict[int, str]:
    return {uid: folder.read(uid).split(b"\r\n")[0].decode()[9:] for uid in folder.refresh().uids}


def world(base: Path, known: bool) -> tuple[OpenStore, MaildirFolder, MaildirFolder]:
    """Bob's look at a folder with one message (``known``: he has a file already), and one more
    with a message that he has seen."""
    base.mkdir(exist_ok=True)
    opened = OpenStore(base)
    account = opened.store.account(REF)
    bob, other = account.open("INBOX", reader=BOB), account.open("Archive")
    if not bob.refresh().uids:
        opened.deliver("first")
        other.append([message("seen", Flag.SEEN)])
        if known:
            bob.store_flags([1], FlagsOp.ADD, Flag.SEEN, ALL)
            bob.store_flags([1], FlagsOp.REMOVE, Flag.SEEN, ALL)
    return opened, bob, other


def later(opened: OpenStore, bob: Folder) -> None:
    """Whatever is shown now stays so when mail comes, and the mail is new."""
    now, known = shown(bob), subjects(bob)
    for text in ("late", "later"):
        opened.deliver(text)
        after, named = shown(bob), subjects(bob)
        assert {uid: after[uid] for uid in now} == now
        assert {named[uid]: after[uid] for uid in after.keys() - now.keys()}[text] == NO_FLAGS
        now = after
    assert set(known.values()) <= {"first", "mine", "seen"}
    bob.close()
    opened.close()


class FailFrom(FailAt):
    """The N-th step fails, and all after it."""

    def __call__(self, step: str, path: bytes | str) -> None:
        super().__call__(step, path)
        self.left += self.left == 0


@pytest.mark.parametrize("known", [False, True], ids=["no file", "file"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", [FailAt, FailFrom])
def test_what_was_refused_says_nothing_of_later_mail(
    tmp_path: Path, fault: type[FailAt], verb: Callable[[Folder, Folder], None], known: bool
) -> None:
    for number in range(1, 100):
        opened, bob, other = world(tmp_path / str(number), known)
        before = shown(bob)
        files.on_step = hook = fault(number)
        refused = False
        try:
            verb(bob, other)
        except MailnodeError:
            refused = True
        files.on_step = None
        if refused and verb is _store:
            assert shown(bob) == before
        if refused and fault is FailAt and verb is _append and "mailnode.seen" in hook.failed:
            assert shown(bob).keys() == before.keys()
        if not refused and verb is not _move and verb is not _copy:
            assert Flag.SEEN in shown(bob)[max(shown(bob))]
        other.close()
        later(opened, bob)
        if not hook.failed:
            return
    pytest.fail("it never ends")


@pytest.mark.parametrize("known", [False, True], ids=["no file", "file"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_writer_killed_at_any_step_says_nothing_of_later_mail(
    tmp_path: Path, verb: Callable[[Folder, Folder], None], known: bool
) -> None:
    for number in range(1, 100):
        base = tmp_path / str(number)
        # An open store has threads, and a fork may copy a lock that one of them holds.
        child = os.fork()
        if child == 0:
            try:
                opened, bob, other = world(base, known)
                files.on_step = Kill(number)
                verb(bob, other)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        opened, bob, other = world(base, known)
        other.close()
        later(opened, bob)
        if not os.WIFSIGNALED(status):
            return
    pytest.fail("it never ends")


class Kill:
    """The process dies before its N-th step."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, _step: str, _path: bytes | str) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def test_who_sees_the_modseq_sees_what_has_it(tmp_path: Path) -> None:
    """Another process looks between the journal's record and the seal: it waits for the lock."""
    opened, bob, other = world(tmp_path, True)
    far = OpenStore(tmp_path, "n2")
    his = far.store.account(REF).open("INBOX", reader=BOB)
    assert shown(his) == {1: NO_FLAGS}
    found: list[dict[int, Flag]] = []
    steps: list[str] = []
    looker = threading.Thread(target=lambda: found.append(shown(his)), daemon=True)

    def look(step: str, path: bytes | str) -> None:
        if step == "write-at":
            steps.append(step)
            if len(steps) == 2:
                files.on_step = None
                looker.start()
                looker.join(0.5)
                assert not found

    files.on_step = look
    try:
        _store(bob, other)
    finally:
        files.on_step = None
    looker.join(30)
    assert found == [{1: Flag.SEEN}]
    for folder in (bob, other, his):
        folder.close()
    opened.close()
    far.close()


def test_a_long_file_is_not_read_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(path_of(bytes(tmp_path), BOB).decode())
    few = [pack_record(Record(n, True, ((n, n),))) for n in range(1, 100)]
    path.write_bytes(pack_header(7, BOB) + b"".join(few))
    seen = SeenFile(bytes(tmp_path), BOB)
    monkeypatch.setattr(tasks._here, "brisk", True)
    assert len(seen.catch_up(7, 9999)) == 100
    many = [pack_record(Record(n, True, ((n, n),))) for n in range(100, 4000)]
    with path.open("ab") as file:
        file.write(b"".join(many))
    with pytest.raises(tasks.MustWait):
        seen.catch_up(7, 9999)
    assert seen.marks.get(99) == (99, True)
    monkeypatch.undo()
    assert len(seen.catch_up(7, 9999)) == 3900
    fresh = SeenFile(bytes(tmp_path), BOB)
    monkeypatch.setattr(tasks._here, "brisk", True)
    with pytest.raises(tasks.MustWait):
        fresh.catch_up(7, 9999)
