from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.errors import StorageGone
from mailnode.store import journal, snapshot
from mailnode.store.journal import (
    HEADER_SIZE,
    Added,
    Flagged,
    Header,
    JournalDamaged,
    Kind,
    Record,
)
from mailnode.store.state import FolderState

HEADER = Header(1234, 1, bytes(range(16)))


def add(uid: int, modseq: int, **more: object) -> bytes:
    one = Added(uid, 1, 0, 10, 5, 6, b"%d.name" % uid)._replace(**more)  # type: ignore[arg-type]
    return journal.pack_record(Kind.ADD, uid + 1, modseq, journal.pack_added([one]))


def test_header_goes_there_and_back() -> None:
    raw = journal.pack_header(HEADER)
    assert len(raw) == HEADER_SIZE
    assert journal.unpack_header(raw) == HEADER


@pytest.mark.parametrize("at", range(HEADER_SIZE))
def test_any_changed_bit_of_the_header_is_seen(at: int) -> None:
    raw = bytearray(journal.pack_header(HEADER))
    raw[at] ^= 1
    with pytest.raises((JournalDamaged, StorageGone)):
        journal.unpack_header(bytes(raw))


def test_a_newer_format_is_left_alone() -> None:
    raw = bytearray(journal.pack_header(HEADER))
    raw[8] = 9
    raw[-4:] = journal.zlib.crc32(raw[:-4]).to_bytes(4, "little")
    with pytest.raises(StorageGone, match="newer"):
        journal.unpack_header(bytes(raw))
    with pytest.raises(StorageGone, match="newer"):
        journal.known(Record(99, 1, 1, b""))
    assert not journal.known(Record(200, 1, 1, b""))


messages = st.builds(
    Added,
    st.integers(1, 2**32 - 1), st.integers(0, 31), st.integers(0, 2**64 - 1),
    st.integers(0, 2**63), st.integers(-(2**62), 2**62), st.integers(0, 2**62),
    st.binary(max_size=200), st.sampled_from([b"", bytes(16)]),
)  # fmt: skip


@given(st.lists(messages, max_size=5))
def test_added_goes_there_and_back(many: list[Added]) -> None:
    assert journal.unpack_added(journal.pack_added(many)) == many


def test_the_other_payloads_go_there_and_back() -> None:
    change = Flagged((3, 9), 1, 30, 2**63, 5)
    assert journal.unpack_flagged(journal.pack_flagged(change)) == change
    assert journal.unpack_uids(journal.pack_uids([7, 8])) == (7, 8)
    assert journal.unpack_keywords(journal.pack_keywords(2, ["ä", "b"])) == (2, ["ä", "b"])
    assert journal.unpack_recent(journal.pack_recent(77)) == 77


def test_a_tail_torn_at_any_byte_is_ignored() -> None:
    good, last = add(1, 2) + add(2, 3), add(3, 4)
    for cut in range(len(last)):
        spans = list(journal.scan(good + last[:cut]))
        assert [span.record.uidnext for span in spans if span.record] == [2, 3]
        assert (spans[-1].record is None) == (cut > 0)


@pytest.mark.parametrize("at", range(0, len(add(2, 3)), 3))
def test_damage_in_the_middle_is_told_from_a_torn_tail(at: int) -> None:
    first, second, third = add(1, 2), bytearray(add(2, 3)), add(3, 4)
    second[at] ^= 0xFF
    spans = list(journal.scan(first + bytes(second) + third))
    assert [(s.record.uidnext if s.record else 0) for s in spans] == [2, 0, 4]
    assert spans[-1].start == len(first) + len(second)


def test_a_long_record_is_followed_by_a_mark() -> None:
    raw = journal.pack_record(Kind.EXPUNGE, 5, 6, journal.pack_uids(range(20_000)))
    kinds = [span.record.kind for span in journal.scan(raw) if span.record]
    assert kinds == [Kind.EXPUNGE, Kind.MARK]
    assert journal.last_length(raw) < 100


@given(st.binary(max_size=300))
def test_garbage_is_never_a_record(garbage: bytes) -> None:
    assert all(span.record is None for span in journal.scan(garbage))
    assert sum(span.end - span.start for span in journal.scan(garbage)) == len(garbage)


def test_read_all_by_path_and_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(journal.pack_header(HEADER) + add(1, 2) + b"torn")
    header, spans = journal.read_all(str(path))
    assert header == HEADER
    assert [(s.start, s.record is None) for s in spans][1] == (HEADER_SIZE + len(add(1, 2)), True)
    fd = os.open(path, os.O_RDONLY)
    assert len(list(journal.read_all(fd)[1])) == 2
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        journal.read_all(str(tmp_path / "none"))


# -- snapshot ------------------------------------------------------------------------------


def sample(uid: int) -> Added:
    return Added(uid, 1, 2, 99, -5, 7, b"n%d" % uid, bytes(16) if uid == 2 else b"")


def sample_state() -> FolderState:
    state = FolderState(HEADER)
    records = [
        (Kind.KEYWORDS, 1, 1, journal.pack_keywords(0, ["work", "Ärger"])),
        *((Kind.ADD, uid + 1, uid + 1, journal.pack_added([sample(uid)])) for uid in range(1, 6)),
        (Kind.EXPUNGE, 6, 7, journal.pack_uids([3])),
        (Kind.RECENT, 6, 7, journal.pack_recent(4)),
    ]  # fmt: skip
    for kind, uidnext, modseq, payload in records:
        state.apply(Record(kind, uidnext, modseq, payload))
    return state


COUNTERS = ("recent", "uidnext", "modseq", "keywords", "email_ids", "gone_uids", "gone_modseqs")
COLUMNS = ("uids", "flags", "modseqs", "bits", "sizes", "internal_us", "save_us", *COUNTERS)


def test_a_snapshot_gives_an_equal_state() -> None:
    state = sample_state()
    record = Record(Kind.SNAPSHOT, state.uidnext, state.modseq, snapshot.pack(state))
    again = snapshot.unpack(HEADER, record, 100)
    for column in COLUMNS:
        assert getattr(again, column) == getattr(state, column), column
    assert [again.name(i) for i in range(4)] == [b"n1", b"n2", b"n4", b"n5"]
    assert again.uid_of(b"n4") == 4
    assert again.uid_of(b"n3") == 0


def test_a_snapshot_of_wrong_length_is_damage() -> None:
    state = sample_state()
    raw = snapshot.pack(state)
    for cut in range(len(raw)):
        with pytest.raises(JournalDamaged):
            snapshot.unpack(HEADER, Record(Kind.SNAPSHOT, 1, 1, raw[:cut]), 100)
