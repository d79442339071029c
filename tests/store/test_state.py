"""The columns against a plain dictionary."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.flags import Flag
from mailnode.store import Picture, state
from mailnode.store.journal import (
    Added,
    Flagged,
    Header,
    Kind,
    Record,
    pack_added,
    pack_flagged,
    pack_uids,
)
from mailnode.store.state import FolderState, compare, count_without, first_without

HEADER = Header(7, 1, bytes(16))


@dataclass
class Model:
    """What a folder means, without any cleverness."""

    modseq: int = 1
    uidnext: int = 1
    mail: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # flags, bits, modseq
    gone: list[tuple[int, int]] = field(default_factory=list)

    def seen(self) -> Picture:
        rows = sorted(self.mail.items())
        return Picture(
            7, self.uidnext, self.modseq, [u for u, _ in rows], [r[0] for _, r in rows],
            [r[2] for _, r in rows], [r[1] for _, r in rows], (),
        )  # fmt: skip


steps = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 4), st.integers(0, 31)),
    st.tuples(st.just("flag"), st.lists(st.integers(1, 30), max_size=6), st.integers(0, 31)),
    st.tuples(st.just("expunge"), st.lists(st.integers(1, 30), max_size=6), st.just(0)),
)


def play(model: Model, folder: FolderState, step: tuple[str, object, int]) -> None:
    kind, what, flags = step
    model.modseq += 1
    if kind == "add":
        assert isinstance(what, int)
        fresh = range(model.uidnext, model.uidnext + what)
        model.uidnext += what
        model.mail.update(dict.fromkeys(fresh, (flags, 1, model.modseq)))
        payload = pack_added([Added(u, flags, 1, u, u, u, b"name%d" % u) for u in fresh])
        record = Record(Kind.ADD, model.uidnext, model.modseq, payload)
    elif kind == "flag":
        assert isinstance(what, list)
        for uid in set(what) & model.mail.keys():
            old = model.mail[uid]
            model.mail[uid] = (old[0] & ~flags | 8, old[1] | 2, model.modseq)
        record = Record(
            Kind.FLAGS, model.uidnext, model.modseq, pack_flagged(Flagged(what, 8, flags, 2, 0))
        )
    else:
        assert isinstance(what, list)
        for uid in sorted(set(what) & model.mail.keys()):
            del model.mail[uid]
            model.gone.append((model.modseq, uid))
        record = Record(Kind.EXPUNGE, model.uidnext, model.modseq, pack_uids(what))
    folder.apply(record)


def same(one: Picture, two: Picture) -> bool:
    return all(
        list(getattr(one, column)) == list(getattr(two, column))
        for column in ("uids", "flags", "modseqs", "keyword_bits")
    ) and (one.uidnext, one.highestmodseq) == (two.uidnext, two.highestmodseq)


@given(st.lists(steps, max_size=25), st.lists(st.booleans(), min_size=25, max_size=25))
def test_state_follows_the_model_and_old_pictures_never_change(
    script: list[tuple[str, object, int]], asks: list[bool]
) -> None:
    model, folder = Model(), FolderState(HEADER)
    folder.modseq = 1
    taken: list[tuple[Picture, Picture]] = []
    for step in script:
        play(model, folder, step)
        assert same(folder.picture(), model.seen())
        assert folder.picture() is folder.picture()
        if asks[len(taken)]:
            unseen = [not flags & Flag.SEEN for flags in model.seen().flags]
            assert folder.first_unseen() == (unseen.index(True) if any(unseen) else -1)
        taken.append((folder.picture(), model.seen()))
        for index, uid in enumerate(folder.uids):
            assert folder.name(index) == b"name%d" % uid
            assert folder.uid_of(b"name%d" % uid) == uid
    for picture, then in taken:
        assert same(picture, then)
        modseq = picture.highestmodseq
        assert folder.vanished_since(modseq, None) == sorted(u for m, u in model.gone if m > modseq)
    for older, _ in taken:
        assert folder.diff(older, folder.picture()) == compare(older, folder.picture())


def test_history_is_bounded_and_says_where_it_ends() -> None:
    folder = FolderState(HEADER, expunge_history=10)
    for uid in range(1, 101):
        payload = pack_added([Added(uid, 0, 0, 1, 1, 1, b"n")])
        folder.apply(Record(Kind.ADD, uid + 1, uid * 2, payload))
        folder.apply(Record(Kind.EXPUNGE, uid + 1, uid * 2 + 1, pack_uids([uid])))
    assert len(folder.gone_uids) <= 13
    assert folder.vanished_since(1, None) is None
    assert folder.vanished_since(199, None) == [100]
    assert folder.vanished_since(197, [99]) == [99]


def test_many_removals_at_once_and_the_blob_shrinks() -> None:
    folder = FolderState(HEADER)
    entries = [Added(uid, 0, 0, 1, 1, 1, b"name" * 20 + b"%d" % uid) for uid in range(1, 2001)]
    folder.apply(Record(Kind.ADD, 2001, 2, pack_added(entries)))
    size = len(folder.blob)
    folder.apply(Record(Kind.EXPUNGE, 2001, 3, pack_uids(range(1, 1901))))
    assert list(folder.uids) == list(range(1901, 2001))
    assert len(folder.blob) < size / 10
    assert folder.name(99).endswith(b"2000")


def test_a_picture_older_than_the_log_is_compared_whole() -> None:
    folder = FolderState(HEADER)
    folder.apply(
        Record(Kind.ADD, 3, 2, pack_added([Added(u, 0, 0, 1, 1, 1, b"n") for u in (1, 2)]))
    )
    old = folder.picture()
    for turn in range(state._LOG_ENTRIES + 5):
        folder.apply(Record(Kind.FLAGS, 3, 3 + turn, pack_flagged(Flagged((1,), 1, 0, 0, 0))))
    assert folder.diff(old, folder.picture()).flagged == (1,)
    assert len(folder._log) == state._LOG_ENTRIES


def test_a_record_read_twice_changes_nothing() -> None:
    folder = FolderState(HEADER)
    record = Record(Kind.ADD, 2, 2, pack_added([Added(1, 0, 0, 1, 1, 1, b"n")]))
    folder.apply(record)
    folder.apply(record)
    assert list(folder.uids) == [1]


@pytest.mark.parametrize("flag", list(Flag))
def test_what_lacks_a_flag_is_counted(flag: Flag) -> None:
    every = bytes(range(32)) * 3
    assert count_without(every, flag) == sum(1 for bits in every if not bits & flag) == 48


def test_the_first_unseen_message_is_found_at_the_cost_of_what_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []

    def counted(flags: bytes, flag: Flag) -> int:
        looked.append(len(flags))
        return first_without(flags, flag)

    monkeypatch.setattr(state, "first_without", counted)
    folder, model, many = FolderState(HEADER), Model(), 50_000
    play(model, folder, ("add", many, 1))
    assert folder.first_unseen() == -1
    assert sum(looked) == many
    looked.clear()
    play(model, folder, ("add", 2, 0))
    assert folder.first_unseen() == many
    assert sum(looked) == 2
    play(model, folder, ("flag", [7], 1))
    assert folder.first_unseen() == 6
    play(model, folder, ("expunge", list(range(1, 8)), 0))
    assert folder.first_unseen() == many - 7
    play(model, folder, ("expunge", list(range(8, 1000)), 0))
    assert folder.first_unseen() == many - 999
