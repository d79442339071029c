"""Datagrams between nodes: read whole, or refused with the reason."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.cluster.sealed import (
    MAC_BYTES,
    NEWEST,
    Hello,
    Kind,
    Refusal,
    Sealed,
    Window,
    key_of,
    pack_hello,
    seal,
    unpack_hello,
    unseal,
)

KEY = key_of(b"sixteen bytes or more")
ONE = Sealed(2, Kind.HINTS, "n1", b"A" * 8, 7, b"B" * 8, b"body")


def test_there_and_back() -> None:
    assert unseal(KEY, seal(KEY, ONE)) == ONE


def test_seal_is_at_least_sixteen_bytes_of_a_keyed_sum() -> None:
    assert MAC_BYTES >= 16
    assert unseal(key_of(b"another secret, as long"), seal(KEY, ONE)) is Refusal.FORGED


def test_each_changed_byte_is_noticed() -> None:
    good = seal(KEY, ONE)
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1
        assert isinstance(unseal(KEY, bytes(bad)), Refusal), at


def test_each_cut_is_noticed() -> None:
    good = seal(KEY, ONE)
    for length in range(len(good)):
        assert isinstance(unseal(KEY, good[:length]), Refusal)
    assert isinstance(unseal(KEY, good + b"x"), Refusal)


@pytest.mark.parametrize("version", [0, NEWEST + 1, 255])
def test_version_of_the_future_is_refused_as_such(version: int) -> None:
    assert unseal(KEY, seal(KEY, ONE._replace(version=version))) is Refusal.VERSION


@given(st.binary(max_size=300))
def test_no_bytes_raise(junk: bytes) -> None:
    assert isinstance(unseal(KEY, junk), Refusal)
    assert isinstance(unseal(KEY, b"MNC" + junk), Refusal)
    unpack_hello(junk)


def test_hello_of_each_version_is_read_by_the_other() -> None:
    hello = Hello(2, 10, 20, 30)
    assert unpack_hello(pack_hello(hello, 2)) == hello
    assert unpack_hello(pack_hello(hello, 1)) == Hello(2)
    # What a version after this one adds is skipped.
    assert unpack_hello(pack_hello(hello, 2) + b"more") == hello
    assert unpack_hello(b"") is None


def test_each_counter_is_taken_once_in_any_order_within_the_window() -> None:
    window, order = Window(), list(range(1, 60))
    random.Random(1).shuffle(order)
    assert all(window.take(number) for number in order)
    assert not any(window.take(number) for number in order)


@given(st.lists(st.integers(1, 300), max_size=200))
def test_window_never_takes_one_twice(numbers: list[int]) -> None:
    window, taken = Window(), set[int]()
    for number in numbers:
        if window.take(number):
            assert number not in taken
            taken.add(number)
        else:
            assert number in taken or number <= max(taken) - 64


def test_too_late_is_as_good_as_seen() -> None:
    window = Window()
    window.take(1000)
    assert not window.take(936)
    assert window.take(937)
