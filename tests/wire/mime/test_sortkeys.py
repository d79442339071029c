"""The keys of SORT and THREAD, and what they are made of."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.message_ids import message_ids
from mailnode.wire.mime.sent_date import sent_seconds
from mailnode.wire.mime.sortkeys import SortKeys, make_keys, read_keys
from mailnode.wire.mime.subject import base_subject
from mailnode.wire.mime.summary import header_block, summarise


@pytest.mark.parametrize(
    ("subject", "base", "marked"),
    [
        ("hello", "hello", False),
        ("Re: hello", "hello", True),
        ("RE : hello", "hello", True),
        ("re[2]: hello", "hello", True),
        ("Fw: fWd: Re: hello (fwd) (FWD)  ", "hello", True),
        ("[list] Re: [list] hello", "hello", True),
        ("[list] hello", "hello", False),
        ("[one] [two]", "[two]", False),
        ("[only]", "[only]", False),
        ("Re: [only]", "[only]", True),
        ("[fwd: Re: hello]", "hello", True),
        ("[fwd: hello] (fwd)", "hello", True),
        ("[Fwd: [fwd: hello]]", "hello", True),
        ("[fwd: a] b", "b", False),
        ("a\t b\r\n  c", "a b c", False),
        ("Re:", "", True),
        ("(fwd)", "", True),
        ("Reply: x", "Reply: x", False),
        ("[[a] x", "[[a] x", False),
        ("", "", False),
    ],
)
def test_base_subject(subject: str, base: str, marked: bool) -> None:
    assert base_subject(subject) == (base, marked)


@given(st.text("re:fwd[]() ab", max_size=60))
@settings(max_examples=300)
def test_a_base_subject_is_its_own_base(subject: str) -> None:
    base = base_subject(subject)[0]
    assert base_subject(base)[0] == base


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"Thu, 1 Jan 1970 00:00:10 +0000", 10),
        (b"1 Jan 1970 01:00 +0100", 0),
        (b"Thu, 01 Jan 70 00:00:00 EST", 5 * 3600),
        (b"1-Jan-1970 00:00:01 -0030", 1801),
        (b"1 Jan 1970", 0),
        (b"1 Jan 1970 25:00:00 +0000", 0),
        (b"Thu, 1 January 1970 00:00:02 (comment)", 2),
        (b"31 Feb 2020 00:00:00 +0000", None),
        (b"yesterday", None),
        (b"", None),
    ],
)
def test_sent_seconds(value: bytes, seconds: int | None) -> None:
    assert sent_seconds(value) == seconds


def test_message_ids() -> None:
    assert message_ids([b'<a@b> junk <"c d"@e> <"f"@g>', b"<h>"]) == [b"a@b", b"f@g", b"h"]
    assert message_ids([b'<"q\\"r"@s>']) == [b'q"r@s']
    assert len(message_ids([b"<x@y>" * 2000])) == 500


@pytest.mark.parametrize(
    ("one", "other"), [("ABC", "abc"), ("É", "e\u0301"), ("Σας", "ΣΑΣ"), ("ǅ", "ǆ"), ("①", "1")]
)
def test_casemap_makes_equal(one: str, other: str) -> None:
    assert casemap(one) == casemap(other)


def test_keys_of_a_header() -> None:
    raw = make_keys(
        b"From: =?utf-8?q?Zo=C3=AB?= <Zoe@x.test>\r\nTo: team: a@b, c@d;\r\nCC:\r\n"
        b"Subject: =?utf-8?q?Re=3A_a=0Ab?=\r\nDate: 1 Jan 1970 00:00:05 +0000\r\n"
        b"Message-ID: <me@x>\r\nIn-Reply-To: <p@x> <q@x>\r\n\r\n"
    )
    assert read_keys(raw) == SortKeys(
        "5", "ZOE", "TEAM", "", "A B", casemap("Zoë"), "TEAM", "1", "me@x", "p@x"
    )


def test_references_count_more_than_in_reply_to() -> None:
    keys = read_keys(make_keys(b"References: <a@x>\r\n <b@x>\r\nIn-Reply-To: <c@x>\r\n\r\n"))
    assert (keys.references, keys.date, keys.sent(7.9)) == ("a@x b@x", "", 7)


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_have_keys(block: bytes) -> None:
    keys = read_keys(make_keys(b"Subject: " + block + b"\r\nFrom: " + block + b"\r\n\r\n"))
    assert len(keys) == 10
    assert not any("\n" in key for key in keys)


@given(st.text("ab:\r\n-", max_size=40).map(str.encode))
@settings(max_examples=500)
def test_a_header_block_is_that_of_the_whole_message(raw: bytes) -> None:
    block = header_block(raw)
    assert block is None or block == summarise(raw)["headers"]
