"""Fields, unfolding and selection."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.header import collect, field_finder, iterate_fields, select_fields, unfold

BLOCK = (
    b"From x@y Mon Jan 1\r\n"
    b"Subject: one\r\n two\r\n\tthree\r\n"
    b"TO : a@b\r\n"
    b"broken line\r\n"
    b"subject:again\r\n"
    b"\r\n"
)


def test_fields_in_order():
    assert [field.name for field in iterate_fields(BLOCK)] == [
        b"",
        b"subject",
        b"to",
        b"",
        b"subject",
    ]


def test_collect_unfolds():
    assert collect(BLOCK, {b"subject", b"to"}) == {
        b"subject": [b"one two\tthree", b"again"],
        b"to": [b"a@b"],
    }


@pytest.mark.parametrize(
    ("names", "exclude", "expected"),
    [
        ({b"subject"}, False, b"Subject: one\r\n two\r\n\tthree\r\nsubject:again\r\n\r\n"),
        ({b"none"}, False, b"\r\n"),
        ({b"subject", b"to"}, True, b"From x@y Mon Jan 1\r\nbroken line\r\n\r\n"),
    ],
)
def test_select(names, exclude, expected):
    assert select_fields(BLOCK, names, exclude=exclude) == expected


def test_select_ends_in_a_blank_line_even_where_the_message_has_none():
    assert select_fields(b"A: b", {b"a"}) == b"A: b\r\n\r\n"
    assert select_fields(b"", {b"a"}) == b"\r\n"


def test_unfold_drops_what_no_string_may_hold():
    assert unfold(b"  a\0b\rc\r\n d \r\n") == b"abc d"


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([b"A", b":", b" ", b"\r\n", b"\n", b"\t", b"\0"])).map(b"".join))
def test_fields_make_up_the_block(block):
    joined = b"".join(field.raw for field in iterate_fields(block))
    rest = block[len(joined) :]
    assert block.startswith(joined)
    assert rest == b"" or rest.startswith((b"\r\n", b"\n"))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"A", b"b", b"A: 1", b"b :2", b":", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\r\n\r\n"]
        )
    ).map(b"".join),
    st.sampled_from([b"a", b"b"]),
)
def test_all_ways_to_find_a_field_end_at_the_first_blank_line(block: bytes, name: bytes):
    fields = list(iterate_fields(block))
    lines = block.split(b"\n")[:-1]
    blank = [at for at, line in enumerate(lines) if line in (b"", b"\r")]
    if blank:
        assert b"".join(field.raw for field in fields).count(b"\n") == blank[0]
    assert field_finder(name)(block) == collect(block, (name,)).get(name, [])
    chosen = [field.raw for field in fields if field.name == name]
    if chosen and not chosen[-1].endswith(b"\n"):
        chosen[-1] += b"\r\n"
    assert select_fields(block, {name}) == b"".join(chosen) + b"\r\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("body", [b"a: 2", b" b\na: 2", b"\ta: 2"])
def test_the_body_has_no_fields(end: bytes, body: bytes):
    block = b"A: 1" + end + end + body.replace(b"\n", end)
    assert collect(block, {b"a"}) == {b"a": [b"1"]}
    assert field_finder(b"a")(block) == [b"1"]
    assert select_fields(block, {b"a"}) == b"A: 1" + end + b"\r\n"
    assert select_fields(block, {b"b"}, exclude=True) == b"A: 1" + end + b"\r\n"


def test_many_tiny_lines_are_bounded():
    assert collect(b"a\r\n" * 300_000 + b"subject: x\r\n", {b"subject"}) == {}


@given(
    st.lists(
        st.sampled_from(
            [b"Subject: a\r\n", b"subject :b\r\n c\r\n", b"X-Subject: d\n", b"SUBJECT:\r\n\te\r\n",
             b" Subject: f\r\n", b"no field\r\n", b"Subject\r\n", b"Subject:\0g\r\n", b"Subject: h"]
        )
    ),
    st.sampled_from([b"subject", b"x-subject", b"", b"a b", b"sub:", b"s*"]),
)  # fmt: skip
def test_one_field_is_found_as_among_all(lines: list[bytes], name: bytes):
    block = b"".join(lines) + b"\r\n"
    assert field_finder(name)(block) == collect(block, (name,)).get(name, [])
    chosen = [field.raw for field in iterate_fields(block) if field.name and field.name == name]
    if chosen and not chosen[-1].endswith(b"\n"):
        chosen[-1] += b"\r\n"
    assert select_fields(block, {name}) == b"".join(chosen) + b"\r\n"


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"To: a\r\n", b"to :b\r\n c\r\n", b"X-To: d\n", b"CC:\r\n\te\r\n", b" To: f\r\n",
             b"no field\r\n", b"Cc\r\n", b"To:\0g\r\n", b"\n", b"\r\n", b"\r", b":", b"to: h"]
        )
    ).map(b"".join),
    st.sampled_from([{b"to"}, {b"to", b"cc"}, {b"cc", b"x-to", b"none"}, {b"to", b"a b"}]),
)  # fmt: skip
def test_fields_are_collected_as_one_by_one(block: bytes, names: set[bytes]):
    expected: dict[bytes, list[bytes]] = {}
    for field in iterate_fields(block):
        if field.name in names:
            expected.setdefault(field.name, []).append(unfold(field.value))
    assert collect(block, names) == expected
