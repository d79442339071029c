"""Modified UTF-7 both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.imap import utf7


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("INBOX", b"INBOX"),
        ("Entw\xfcrfe", b"Entw&APw-rfe"),
        ("A&B", b"A&-B"),
        ("~peter/mail/\u53f0\u5317/\u65e5\u672c\u8a9e", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("\U0001f4ec", b"&2D3c7A-"),
        ("a\x7fb\tc", b"a&AH8-b&AAk-c"),
    ],
)
def test_known_spellings(name: str, raw: bytes) -> None:
    assert utf7.encode(name) == raw
    assert utf7.decode(raw) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"&",
        b"a&b",
        b"&Jjo",
        b"&AGE-",  # a printable letter in base64
        b"&U,BTFw-&ZeVnLIqe-",  # superfluous shift
        b"&2D0-",  # half a surrogate pair
        b"&A-",
        b"&AA-",
        b"&APx-",  # stray bits
        b"&AP=-",
        b"Entw\xc3\xbcrfe",
        b"a\tb",
    ],
)
def test_what_is_no_strict_spelling(raw: bytes) -> None:
    assert utf7.decode(raw) is None


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_round_trip(name: str) -> None:
    assert utf7.decode(utf7.encode(name)) == name


@given(st.binary())
def test_one_spelling_per_name(raw: bytes) -> None:
    name = utf7.decode(raw)
    assert name is None or utf7.encode(name) == raw
