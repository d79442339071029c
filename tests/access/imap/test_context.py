"""Results that are kept up: a client that does what it is told has what a new search finds."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.access.imap.context import Context, by_content_alone, can_be_kept_up
from mailnode.access.imap.enabled import Enabled
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.search import Searcher
from mailnode.access.imap.selected import Selected
from mailnode.model.flags import Flag
from mailnode.store import AccountRef, FlagsOp, NewMessage
from mailnode.wire.imap.ast import (
    AllKey,
    AndKey,
    Criterion,
    FlagKey,
    ModSeqKey,
    NotKey,
    OrKey,
    SeqKey,
    SortKey,
    UidKey,
)
from mailnode.wire.imap.sets import SequenceSet
from tests.support.fake_store import FakeStore

KEY = OrKey(FlagKey(Flag.SEEN, False), FlagKey(Flag.FLAGGED))
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "seen", "unseen", "flag", "expunge", "tell"]), st.integers(0, 9)
    ),
    max_size=25,
)


def applied(lines: bytes, result: list[int]) -> list[int]:
    """What a client makes of its list (of UIDs) by RFC 5267 4.3."""
    for what, body in re.findall(rb"(ADDTO|REMOVEFROM) \(([^)]*)\)", lines):
        words = body.split()
        for place, text in zip(map(int, words[::2]), words[1::2], strict=True):
            for part in text.split(b","):
                low, _, high = part.partition(b":")
                for uid in range(int(low), int(high or low) + 1):
                    if what == b"REMOVEFROM":
                        assert not place or result[place - 1] == uid
                        result.remove(uid)
                    elif place:
                        result.insert(place - 1, uid)
                        place += 1
                    else:
                        result = sorted([*result, uid])
    return result


def found(selected: Selected, key: OrKey) -> list[int]:
    """What the search finds in all of the folder."""
    searcher = Searcher(
        selected.folder,
        key,
        selected.folder.picture(),
        is_recent=selected.is_recent,
        saved=(),
        now=0.0,
        cache=MessageCache(),
    )
    while not searcher.advance():
        pass
    return searcher.uids


def run(steps):  # type: ignore[no-untyped-def]  # a generator of steps with its result
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


BY_NUMBER = OrKey(
    AndKey((FlagKey(Flag.FLAGGED), SeqKey(SequenceSet(((2, 4), (0, 0)))))),
    AndKey((FlagKey(Flag.SEEN, False), NotKey(UidKey(SequenceSet(((7, 0),)))))),
)


@pytest.mark.parametrize("criteria", [(), (Criterion(SortKey.SIZE, True),)])
@pytest.mark.parametrize("key", [KEY, BY_NUMBER])
@given(changes=CHANGES)
@settings(max_examples=60, deadline=None)
def test_the_list_stays_right(
    criteria: tuple[Criterion, ...],
    key: OrKey,
    changes: list[tuple],  # type: ignore[type-arg]
) -> None:
    folder = FakeStore().account(AccountRef("u", "d/u")).open("INBOX")
    selected = Selected(folder, folder.refresh(), range(0), False, Enabled())
    context, told = Context("t", True, key, criteria, []), list[int]()

    def tell() -> None:
        nonlocal told
        news = selected.look()
        if news is None:
            return
        told = applied(context.expunged(selected.picture, news.diff.expunged), told)
        list(selected.tell(news))
        changed = (*news.diff.flagged, *news.diff.added)
        told = applied(run(context.changed(selected, changed, 0.0, MessageCache())).lines, told)

    for what, number in [*changes, ("tell", 0)]:
        picture = folder.refresh()
        uids = [picture.uids[number % len(picture.uids)]] if picture.uids else []
        if what == "add":
            body = b"x" * (number * 7 % 10 + 1)
            folder.append([NewMessage((body,), 0.0, Flag.SEEN if number % 2 else Flag(0))])
        elif what == "expunge":
            folder.remove(uids)
        elif what == "tell":
            tell()
        else:
            op = FlagsOp.REMOVE if what == "unseen" else FlagsOp.ADD
            flag = Flag.FLAGGED if what == "flag" else Flag.SEEN
            folder.store_flags(uids, op, flag, frozenset())
    matching = list(folder.infos(found(selected, key)))
    if criteria:
        matching.sort(key=lambda info: info.size, reverse=True)
    assert told == [info.uid for info in matching]
    assert context.uids == told


@pytest.mark.parametrize(
    ("key", "lasting", "kept"),
    [
        (AllKey(), True, True),
        (AndKey((ModSeqKey(1), UidKey(SequenceSet(((1, 5),))))), True, True),
        (NotKey(SeqKey(SequenceSet(((1, 5),)))), False, True),
        (OrKey(AllKey(), UidKey(SequenceSet((), saved=True))), False, False),
        (NotKey(SeqKey(SequenceSet((), saved=True))), False, False),
    ],
)
def test_what_can_be_kept_up(key: AllKey, lasting: bool, kept: bool) -> None:
    assert by_content_alone(key) is lasting
    assert can_be_kept_up(key) is kept
