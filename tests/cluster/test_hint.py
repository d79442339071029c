"""Hints as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.cluster.hint import DATAGRAM_MAX_BYTES, MAGIC, decode, encode


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**63 - 1))
)
def test_there_and_back(hints: dict[str, int]) -> None:
    found = [one for datagram in encode(hints) for one in decode(datagram) or ()]
    assert dict(found) == hints


def test_raw_bytes_of_a_folder_name_survive() -> None:
    key = b"a\x00.\xff\xfe".decode("utf-8", "surrogateescape")
    (datagram,) = encode({key: 1})
    assert decode(datagram) == [(key, 1)]


def test_many_hints_take_several_datagrams() -> None:
    hints = {f"{number:04}" * 50: number for number in range(200)}
    datagrams = list(encode(hints))
    assert len(datagrams) > 1
    assert all(len(one) <= DATAGRAM_MAX_BYTES for one in datagrams)
    assert dict(one for datagram in datagrams for one in decode(datagram) or ()) == hints


def test_what_cannot_be_sent_is_left_out() -> None:
    assert list(encode({"x" * 5000: 1, "y": 2**63, "z": -1})) == []


def test_greeting_holds_nothing() -> None:
    assert decode(MAGIC) == []


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"MNH",
        b"MNH2",
        MAGIC + b"\0" * 9,
        MAGIC + b"\0" * 8 + b"\0\x05abc",
        b"x" * 20000,
        MAGIC + b"\xff" * 8 + b"\0\x01a",
    ],
)
def test_other_bytes_are_none_of_ours(datagram: bytes) -> None:
    assert decode(datagram) is None


@given(st.binary(max_size=200))
def test_no_bytes_raise(junk: bytes) -> None:
    decode(junk)
    decode(MAGIC + junk)
