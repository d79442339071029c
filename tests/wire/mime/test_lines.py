"""Lines of header fields, searched many at once, find what a look at each field finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.lines import (
    MAX_LINE,
    field_line,
    key_line,
    lines_in_doubt,
    lines_with,
    needle_for,
)
from mailnode.wire.mime.sortkeys import MAX_TEXT, SortKeys, make_keys, read_keys
from mailnode.wire.mime.words import decode_words

TEXTS = st.text("aAbßé\0\1\n😀", max_size=4).map(lambda text: text.encode())
CODED = TEXTS.map(lambda raw: b"=?utf-8?q?" + b"".join(b"=%02X" % c for c in raw) + b"?=")
FIELDS = st.lists(st.lists(TEXTS | CODED, max_size=3), min_size=1, max_size=6)


def found(fields: list[list[bytes]], text: str) -> tuple[list[int], list[int]]:
    lines = b"\n".join(map(field_line, fields))
    needle = needle_for(casemap(text))
    assert needle is not None
    return lines_with(lines, needle), lines_in_doubt(lines)


@given(FIELDS, st.text("aAbß😀", max_size=3))
def test_as_one_by_one(fields: list[list[bytes]], text: str) -> None:
    sure, doubtful = found(fields, text)
    wanted = casemap(text)
    for place, values in enumerate(fields):
        if place not in doubtful:
            matches = any(wanted in casemap(decode_words(value)) for value in values)
            assert (place in sure) is matches
    assert sure == sorted(set(sure))


def test_no_match_across_values_or_messages() -> None:
    assert found([[b"ab", b"cd"], [b"ef"]], "bc") == ([], [])
    assert found([[b"ab"], [b"ef"]], "be") == ([], [])


def test_an_empty_needle_asks_for_presence() -> None:
    assert found([[], [b""], [b"x"], []], "") == ([1, 2], [])


def test_what_lines_do_not_tell() -> None:
    assert found([[b"=?utf-8?q?=0A?="], [b"x"], [b"x" * MAX_LINE]], "x") == ([1], [0, 2])
    assert [needle_for(text) for text in "\0\1\n"] == [None] * 3


def test_lines_are_bounded() -> None:
    wide = "\ufdfa"  # eighteen characters when it is compared
    subject = (wide * 400).encode()
    assert field_line([subject]) == b"\1"
    keys = make_keys(b"Subject: " + subject + b"\r\n\r\n")
    place = SortKeys._fields.index("subject")
    line = key_line(keys, place).decode()
    assert line == read_keys(keys).subject[:MAX_TEXT]
    assert len(line) == MAX_TEXT
    short = make_keys(b"Subject: Re: word\r\n\r\n")
    assert key_line(short, place) == b"WORD"
    assert key_line(b"no keys", place) == b""


def test_lone_surrogates_are_no_trouble() -> None:
    line = field_line([b"=?utf-7?q?+2D0-?="])  # whatever the codec makes of half a pair
    assert lines_in_doubt(line) or lines_with(line, b"\0") == [0]
    assert needle_for("\ud83d") == b"\xed\xa0\xbd"
