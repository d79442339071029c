"""POP3 without a socket: lines, commands, dot-stuffing, unique ids, capabilities."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.pop3.capabilities import capability_lines
from mailnode.wire.pop3.command import Command, Malformed, parse_command, parse_number
from mailnode.wire.pop3.lines import LineReader, TooLong
from mailnode.wire.pop3.multiline import Stuffer
from mailnode.wire.pop3.uidl import UidlFormat

LONG = TooLong.TOO_LONG


def lines(*pieces: bytes, limit: int = 10) -> list[bytes | TooLong]:
    reader = LineReader()
    found: list[bytes | TooLong] = []
    for piece in pieces:
        reader.feed(piece)
        while (line := reader.next(limit)) is not None:
            found.append(line)
    return found


def test_lines() -> None:
    assert lines(b"NOOP\r\nSTAT\nQU", b"IT\r", b"\n") == [b"NOOP", b"STAT", b"QUIT"]
    assert lines(b"12345678\r\n123456789\r\nok\r\n") == [b"12345678", LONG, b"ok"]


@given(st.lists(st.sampled_from([b"ab", b"\r", b"\n", b"\r\n", b"123456789", b" "]), max_size=20))
def test_lines_do_not_depend_on_the_cuts(words: list[bytes]) -> None:
    raw = b"".join(words)
    assert lines(*(raw[i : i + 1] for i in range(len(raw)))) == lines(raw)


def test_endless_line_costs_nothing() -> None:
    reader = LineReader()
    for number in range(100):
        reader.feed(b"x" * 1000)
        assert reader.next(255) is (LONG if number == 0 else None)
        assert len(reader) == 0
    reader.feed(b"\r\nNOOP\r\n")
    assert reader.next(255) == b"NOOP"


def test_lines_in_linear_time() -> None:
    reader = LineReader()
    reader.feed(b"NOOP\r\n" * 100_000)
    began = time.perf_counter()
    assert sum(1 for _ in iter(lambda: reader.next(255), None)) == 100_000
    assert time.perf_counter() - began < 3


def test_discard() -> None:
    reader = LineReader()
    reader.feed(b"STLS\r\nUSER x\r\n")
    assert reader.next(255) == b"STLS"
    assert reader.discard() == 8
    assert reader.next(255) is None


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"noop", Command("NOOP")),
        (b"PASS  a b ", Command("PASS", " a b ")),
        (b"USER ", Command("USER", "")),
        (b"USER \xc3\xa9", Command("USER", "\xe9")),
        (b"", Malformed("no command")),
        (b" NOOP", Malformed("no command")),
        (b"RETR\t1", Malformed("no command")),
        (b"RETR 1\0", Malformed("control character in command")),
        (b"USER \xe9", Malformed("command is not UTF-8")),
    ],
)
def test_commands(raw: bytes, want: Command | Malformed) -> None:
    assert parse_command(raw) == want


def test_words_and_numbers() -> None:
    assert Command("TOP", "1 2 ").words() == ["1", "2"]
    assert parse_number("007") == 7
    assert parse_number("-1") is None
    assert parse_number("\u0661") is None
    assert parse_number("1" * 11) is None


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(parse_command(b"PASS secret"))


def sent(pieces: list[bytes], top: int | None = None) -> bytes:
    stuffer = Stuffer(top)
    return b"".join(stuffer.feed(piece) for piece in pieces) + stuffer.finish()


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".\r\n..\r\n", b"..\r\n...\r\n.\r\n"),
        (b"a\n.b\n\n.", b"a\r\n..b\r\n\r\n..\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a\r.b", b"a\r.b\r\n.\r\n"),
    ],
)
def test_stuffing(raw: bytes, want: bytes) -> None:
    assert sent([raw]) == want
    assert sent([raw[i : i + 1] for i in range(len(raw))]) == want


WORDS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"Y: z"]), max_size=25)


@given(WORDS)
def test_a_client_gets_the_message_back(words: list[bytes]) -> None:
    raw = b"".join(words)
    out = sent(words)
    assert out.endswith(b".\r\n")
    body = out[:-3]
    # As a client reads it: lines end in CRLF, a leading dot is dropped, a dot alone ends.
    got = [line.removeprefix(b".") for line in body.split(b"\r\n")]
    assert b"." not in body.split(b"\r\n")
    want = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
    assert b"\r\n".join(got) in (want, want + b"\r\n")


@given(WORDS, st.integers(0, 4))
def test_top_is_a_prefix_of_so_many_lines(words: list[bytes], count: int) -> None:
    whole = re.sub(rb"(?<!\r)\n", b"\r\n", b"".join(words))
    want: list[bytes] = []
    left: int | None = None
    for line in whole.split(b"\r\n"):
        if left == 0:
            break
        want.append(line)
        left = left - 1 if left is not None else count if not line else None
    text = b"\r\n".join(want)
    got = sent(words, count)[:-3].split(b"\r\n")
    shown = b"\r\n".join(line.removeprefix(b".") for line in got).rstrip(b"\r\n")
    # Lone CRs and LFs have their own test; a text without them cuts where lines do.
    if b"\r" not in whole.replace(b"\r\n", b""):
        assert shown == text.rstrip(b"\r\n")


def test_top() -> None:
    raw = b"A: b\r\n\r\n1\r\n.2\r\n3\r\n"
    assert sent([raw], 0) == b"A: b\r\n\r\n.\r\n"
    assert sent([raw], 2) == b"A: b\r\n\r\n1\r\n..2\r\n.\r\n"
    assert sent([raw], 9) == b"A: b\r\n\r\n1\r\n..2\r\n3\r\n.\r\n"
    stuffer = Stuffer(0)
    stuffer.feed(b"A: b\n")
    assert not stuffer.full
    stuffer.feed(b"\n1\n")
    assert stuffer.full


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("%08Xu%08Xv", "0000002A650A0FFB"),
        ("%v.%u", "1695158267.42"),
        ("UID%u-%v", "UID42-1695158267"),
        ("%xu{}%%", "2a{}%"),
        ("%5u", "00042"),
    ],
)
def test_uidl(text: str, want: str) -> None:
    assert UidlFormat(text).format(42, 0x650A0FFB) == want


@pytest.mark.parametrize("text", ["", "%v", "%q%u", "%u %v", "%u%", "%u" * 8, "\xe9%u"])
def test_uidl_formats_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"UIDL|%u"):
        UidlFormat(text)


def test_capabilities() -> None:
    strange = capability_lines(mechanisms=(), stls=True, expire_days=None)
    assert "STLS" in strange
    assert "EXPIRE NEVER" in strange
    assert not any(line.startswith(("USER", "SASL")) for line in strange)
    private = capability_lines(mechanisms=("PLAIN", "LOGIN"), stls=False, expire_days=30)
    assert {"USER", "SASL PLAIN LOGIN", "EXPIRE 30"} <= set(private)
    assert "STLS" not in private
