"""Sequence sets, against counting it all out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.imap.sets import STAR, SequenceSet, runs

NUMBERS = st.integers(0, 12)
SETS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5).map(
    lambda pairs: SequenceSet(tuple(pairs))
)
UIDS = st.sets(st.integers(1, 15)).map(sorted)


def counted(wanted: SequenceSet, star: int) -> set[int]:
    found: set[int] = set()
    for a, b in wanted.ranges:
        if not star and STAR in (a, b):
            continue
        low, high = sorted((a or star, b or star))
        found |= set(range(low, high + 1))
    return found


@given(SETS, UIDS)
def test_uid_rows(wanted: SequenceSet, uids: list[int]) -> None:
    rows = [row for part in wanted.uid_rows(uids) for row in part]
    star = uids[-1] if uids else 0
    assert [uids[row] for row in rows] == [uid for uid in uids if uid in counted(wanted, star)]


@given(SETS, st.integers(0, 10))
def test_number_rows(wanted: SequenceSet, count: int) -> None:
    rows = [row + 1 for part in wanted.number_rows(count) for row in part]
    assert rows == [n for n in range(1, count + 1) if n in counted(wanted, count)]
    beyond = any(n > count for n in counted(wanted, count))
    assert wanted.exceeds(count) == (
        beyond or (not count and any(STAR in r for r in wanted.ranges))
    )


@given(st.sets(st.integers(1, 30)))
def test_of_and_runs(numbers: set[int]) -> None:
    wanted = SequenceSet.of(numbers)
    assert wanted.ranges == tuple(runs(sorted(numbers)))
    assert counted(wanted, 99) == numbers


def test_a_wide_set_costs_nothing() -> None:
    wide = SequenceSet(((1, 4294967295),))
    assert wide.uid_rows(range(1, 1_000_001)) == [range(1_000_000)]
    assert wide.number_rows(3) == [range(3)]


def test_star_alone_is_the_last() -> None:
    assert SequenceSet(((STAR, STAR),)).uid_rows([4, 9]) == [range(1, 2)]
    assert SequenceSet(((100, STAR),)).uid_rows([4, 9]) == [range(1, 2)]
    assert SequenceSet(((STAR, STAR),)).uid_rows([]) == []
