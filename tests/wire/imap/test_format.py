"""What we send parses back and stays on its line."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.flags import Flag
from mailnode.wire.imap import format as fmt
from mailnode.wire.imap.ast import Command, Login, OneMailbox
from mailnode.wire.imap.parse import parse_command
from mailnode.wire.imap.receiver import RawCommand, Receiver


def back(words: bytes, utf8: bool = False) -> object:
    receiver = Receiver()
    receiver.feed(b"t " + words.replace(b"}\r\n", b"+}\r\n") + b"\r\n")
    event = receiver.next()
    assert isinstance(event, RawCommand)
    command = parse_command(event, utf8=utf8)
    assert isinstance(command, Command), command
    return command.args


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="}\r"), max_size=30))
def test_strings_parse_back(value: str) -> None:
    raw = value.encode()
    assert back(b"LOGIN x " + fmt.string(raw, utf8=True)) == Login("x", raw)
    assert back(b"LOGIN x " + fmt.string(raw)) == Login("x", raw)
    assert back(b"LOGIN x " + fmt.astring(raw)) == Login("x", raw)


@given(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="}\r\0/"), max_size=20),
    st.booleans(),
)
def test_names_parse_back(name: str, utf8: bool) -> None:
    if name.upper() != "INBOX":
        assert back(b"DELETE " + fmt.mailbox(name, utf8), utf8) == OneMailbox(name)


@pytest.mark.parametrize(
    ("raw", "utf8", "want"),
    [
        (b"", False, b'""'),
        (b'a"b\\', False, b'"a\\"b\\\\"'),
        (b"a\r\nb", False, b"{4}\r\na\r\nb"),
        (b"\xc3\xa9", False, b"{2}\r\n\xc3\xa9"),
        (b"\xc3\xa9", True, b'"\xc3\xa9"'),
        (b"\xe9", True, b"{1}\r\n\xe9"),
        (b"\0", False, b"~{1}\r\n\0"),
        (b"x" * 1025, False, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_string(raw: bytes, utf8: bool, want: bytes) -> None:
    assert fmt.string(raw, utf8) == want


def test_words() -> None:
    assert fmt.nstring(None) == b"NIL"
    assert fmt.nstring(b"x") == b'"x"'
    assert fmt.astring(b"nil") == b'"nil"'
    assert fmt.astring(b"a.b") == b"a.b"
    assert fmt.text("caf\xe9\r\n* BYE") == b"caf? * BYE"
    assert fmt.text("") == b" "


def test_flags() -> None:
    assert fmt.flags(Flag.SEEN | Flag.ANSWERED, {"b", "a"}, recent=True) == (
        b"(\\Answered \\Seen \\Recent a b)"
    )
    assert fmt.flags(0) == b"()"


def test_sets() -> None:
    assert fmt.number_set([1, 2, 3, 5, 7, 8]) == b"1:3,5,7:8"
    assert fmt.number_set([]) == b""
    assert fmt.uid_pairs([(9, 101), (3, 100), (4, 103)]) == (b"3:4,9", b"100,103,101")


def test_dates() -> None:
    assert fmt.date_time(837596665) == b'"17-Jul-1996 09:44:25 +0000"'
    assert fmt.date_time(-5) == b'"31-Dec-1969 23:59:55 +0000"'
    assert fmt.date_time(-1e30) == b'" 1-Jan-0001 00:00:00 +0000"'
    assert fmt.date_time(1e30) == b'"31-Dec-9999 23:59:59 +0000"'


@given(st.floats(-62135596800.0, 253402300799.0).map(lambda at: round(at, 3)))
def test_dates_are_those_of_the_library(seconds: float) -> None:
    at = fmt.as_utc(math.floor(seconds))
    told = f"{at.day:2d}-{fmt.MONTHS[at.month - 1]}-{at.year:04d} {at:%H:%M:%S} +0000"
    assert fmt.date_time(seconds) == f'"{told}"'.encode()


def test_lines() -> None:
    line = fmt.list_line([b"\\HasNoChildren", b"\\Sent"], "Gesendet/\xfc")
    assert line == b'* LIST (\\HasNoChildren \\Sent) "/" "Gesendet/&APw-"'
    extended = b'("CHILDINFO" ("SUBSCRIBED"))'
    assert fmt.list_line([], "x", extended=extended).endswith(b'"x" ' + extended)
    assert fmt.status_line("x", [("MESSAGES", 3), ("MAILBOXID", b"(F1)")]) == (
        b'* STATUS "x" (MESSAGES 3 MAILBOXID (F1))'
    )
    assert fmt.esearch_line("a1", True, [("COUNT", b"0")]) == (b'* ESEARCH (TAG "a1") UID COUNT 0')
    assert fmt.search_line([1, 5], 9) == b"* SEARCH 1 5 (MODSEQ 9)"
    assert fmt.search_line([]) == b"* SEARCH"
