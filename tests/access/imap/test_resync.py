"""QRESYNC: a client that was away knows afterwards what is there, whatever it missed."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.access.imap.commands.resync import known_spans, resynced
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, FlagsOp, NewMessage
from mailnode.wire.imap.ast import QResync
from mailnode.wire.imap.sets import SequenceSet
from tests.support.fake_store import FakeFolder, FakeStore

CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "flag", "expunge"]), st.integers(0, 30)), max_size=20
)


class Forgetful:
    """A folder whose history reaches back to nothing."""

    def __init__(self, folder: FakeFolder) -> None:
        self._folder = folder

    def vanished_since(self, modseq: int, known: Iterable[int] | None = None) -> None:
        return None


def change(folder: FakeFolder, what: str, number: int) -> None:
    picture = folder.refresh()
    if what == "add":
        folder.append([NewMessage((b"x",), 0.0)])
    elif picture.uids:
        uid = picture.uids[number % len(picture.uids)]
        if what == "flag":
            folder.store_flags([uid], FlagsOp.ADD, Flag.SEEN, frozenset())
        else:
            folder.remove([uid])


@given(st.integers(0, 12), CHANGES, CHANGES, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_afterwards_both_agree(
    count: int,
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
    forgets: bool,
    matches: bool,
) -> None:
    folder = FakeStore().account(AccountRef("u", "d/u")).open("INBOX")
    assert isinstance(folder, FakeFolder)
    folder.append([NewMessage((b"x",), 0.0) for _ in range(count)])
    for what, number in before:
        change(folder, what, number)
    then = folder.refresh()
    for what, number in after:
        change(folder, what, number)
    now = folder.refresh()
    pairs = list(enumerate(then.uids, 1))[::2] if matches else []
    want = QResync(
        then.uidvalidity,
        max(then.highestmodseq, 1),
        match_numbers=SequenceSet.of(n for n, _ in pairs) if pairs else None,
        match_uids=SequenceSet.of(uid for _, uid in pairs) if pairs else None,
    )
    source = Forgetful(folder) if forgets else folder
    gone, changed = resynced(source, now, want)  # type: ignore[arg-type]  # only asked for history
    vanished = {uid for low, high in gone for uid in range(low, high + 1)}
    assert not vanished & set(now.uids)
    assert (set(then.uids) - vanished) | set(changed) == set(now.uids)
    flags = dict(zip(then.uids, then.flags, strict=True))
    flags |= {uid: now.flags[now.uids.index(uid)] for uid in changed}
    assert {uid: flags[uid] for uid in now.uids} == dict(zip(now.uids, now.flags, strict=True))


def test_known_sets_are_cut_at_the_last_uid() -> None:
    folder = FakeStore().account(AccountRef("u", "d/u")).open("INBOX")
    empty = folder.refresh()
    assert known_spans(empty, None) == []
    assert known_spans(empty, SequenceSet(((1, 0),))) == []
    folder.append([NewMessage((b"x",), 0.0) for _ in range(5)])
    picture = folder.refresh()
    assert known_spans(picture, None) == [(1, 5)]
    assert known_spans(picture, SequenceSet(((3, 4_294_967_295),))) == [(3, 5)]
    assert known_spans(picture, SequenceSet(((4, 0), (9, 12)))) == [(4, 5)]
