"""The receiver: whole, cut and hostile input give the same events within the limits."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.imap.receiver import (
    Event,
    Limits,
    Line,
    LineTooLong,
    LiteralData,
    LiteralEnd,
    LiteralStart,
    LiteralTooBig,
    NeedContinuation,
    RawCommand,
    Receiver,
)

SMALL = Limits(line=60, literals=20, literal_count=3, append=50, stream_above=10, skip=100)


def drain(receiver: Receiver) -> list[Event]:
    events: list[Event] = []
    while (event := receiver.next()) is not None:
        if isinstance(event, LiteralData) and events and isinstance(events[-1], LiteralData):
            events[-1] = LiteralData(event.number, events[-1].data + event.data)
        else:
            events.append(event)
    return events


def merge(events: list[Event]) -> list[Event]:
    merged: list[Event] = []
    for event in events:
        last = merged[-1] if merged else None
        if isinstance(event, LiteralData) and isinstance(last, LiteralData):
            merged[-1] = LiteralData(event.number, last.data + event.data)
        else:
            merged.append(event)
    return merged


def whole(raw: bytes, limits: Limits = SMALL) -> list[Event]:
    receiver = Receiver(limits)
    receiver.feed(raw)
    return drain(receiver)


def bytewise(raw: bytes, limits: Limits = SMALL) -> list[Event]:
    receiver = Receiver(limits)
    events: list[Event] = []
    for octet in raw:
        receiver.feed(bytes((octet,)))
        events += drain(receiver)
    return merge(events)


def texts(events: list[Event]) -> list[bytes]:
    return [e.chunks[0] for e in events if isinstance(e, RawCommand)]


def test_a_line_is_a_command() -> None:
    assert whole(b"a NOOP\r\n") == [RawCommand((b"a NOOP",))]


def test_pipelined_commands() -> None:
    assert texts(whole(b"a NOOP\r\nb CHECK\nc ")) == [b"a NOOP", b"b CHECK"]


def test_synchronising_literal_waits() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a LOGIN {3}\r\n")
    assert drain(receiver) == [NeedContinuation(3, "a", "LOGIN")]
    receiver.feed(b"joe {2}\r\n")
    assert drain(receiver) == [NeedContinuation(2, "a", "LOGIN")]
    receiver.feed(b"pw\r\n")
    [command] = drain(receiver)
    assert isinstance(command, RawCommand)
    assert command.chunks == (b"a LOGIN ", b" ", b"")
    assert [literal.data for literal in command.literals] == [b"joe", b"pw"]
    assert len(receiver) == 0


def test_literal_plus_and_literal8() -> None:
    [command] = whole(b"a X ~{2+}\r\n\0\n z\r\n")
    assert isinstance(command, RawCommand)
    assert command.literals[0].data == b"\0\n"
    assert command.literals[0].binary


def test_append_streams_above_its_limit() -> None:
    body = b"x" * 30
    events = whole(b"a APPEND {5+}\r\nINBOX {30+}\r\n" + body + b"\r\nb NOOP\r\n")
    start = events[0]
    assert isinstance(start, LiteralStart)
    assert (start.size, start.number, start.sync, start.tag) == (30, 1, False, "a")
    assert start.so_far.literals[0].data == b"INBOX"
    assert events[1:3] == [LiteralData(1, body), LiteralEnd(1)]
    assert isinstance(events[3], RawCommand)
    assert events[3].literals[1].data is None
    assert texts(events) == [b"a APPEND ", b"b NOOP"]


def test_refused_stream_is_skipped() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a APPEND x {30+}\r\n")
    assert isinstance(receiver.next(), LiteralStart)
    receiver.refuse_literal()
    receiver.feed(b"b NOOP\r\n" * 3 + b"123456" + b" {3+}\r\nxyz\r\nc NOOP\r\n")
    assert texts(drain(receiver)) == [b"c NOOP"]


def test_refused_synchronising_literal_ends_the_command() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a APPEND x {30}\r\n")
    event = receiver.next()
    assert isinstance(event, LiteralStart)
    assert event.sync
    receiver.refuse_literal()
    receiver.feed(b"b NOOP\r\n")
    assert texts(drain(receiver)) == [b"b NOOP"]


def test_too_big_is_answered_before_it_comes() -> None:
    events = whole(b"a APPEND x {51}\r\nb NOOP\r\n")
    assert events[0] == LiteralTooBig(51, "a", "APPEND", sync=True, fatal=False)
    assert texts(events) == [b"b NOOP"]


def test_too_big_literal_plus_is_skipped() -> None:
    events = whole(b"a LOGIN {21+}\r\n" + b"b NOOP\r\n" * 2 + b"12345 x\r\nc NOOP\r\n")
    assert events[0] == LiteralTooBig(21, "a", "LOGIN", sync=False, fatal=False)
    assert texts(events) == [b"c NOOP"]


@pytest.mark.parametrize("size", [b"101", b"9" * 19, b"9" * 40])
def test_literal_beyond_all_measure_is_fatal(size: bytes) -> None:
    [event] = whole(b"a LOGIN {" + size + b"+}\r\n")
    assert isinstance(event, LiteralTooBig)
    assert event.fatal


def test_literals_of_a_command_are_counted() -> None:
    events = whole(b"a X {1+}\r\n1{1+}\r\n1{1+}\r\n1{1+}\r\n1\r\nb NOOP\r\n")
    assert isinstance(events[0], LiteralTooBig)
    assert texts(events) == [b"b NOOP"]


def test_literals_of_a_command_are_summed() -> None:
    events = whole(b"a X {15+}\r\n" + b"1" * 15 + b"{15+}\r\n" + b"2" * 15 + b"\r\nb NOOP\r\n")
    assert isinstance(events[0], LiteralTooBig)
    assert texts(events) == [b"b NOOP"]


def test_small_appends_cannot_fill_memory() -> None:
    raw = b"a APPEND x" + b" {9+}\r\n123456789" * 3 + b"\r\n"
    kinds = [type(e) for e in whole(raw)]
    assert kinds == [LiteralStart, LiteralData, LiteralEnd, RawCommand]


def test_line_too_long() -> None:
    raw = b"tag UID FETCH " + b"1," * 500 + b"\r\nb NOOP\r\n"
    for events in (whole(raw), bytewise(raw)):
        assert events[0] == LineTooLong("tag", "FETCH")
        assert texts(events) == [b"b NOOP"]


def test_line_too_long_takes_its_literal_along() -> None:
    raw = b"t X " + b"1," * 500 + b" {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n"
    for events in (whole(raw), bytewise(raw)):
        assert events[0] == LineTooLong("t", "X")
        assert texts(events) == [b"c NOOP"]


def test_line_too_long_is_dropped_in_little_memory() -> None:
    receiver = Receiver(SMALL)
    for _ in range(100):
        receiver.feed(b"x" * 1000)
        drain(receiver)
        assert len(receiver) < 100


def test_bare_lines() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"AGE=\r\nDONE\r\nb NOOP\r\n")
    assert receiver.next_line(10) == Line(b"AGE=")
    assert receiver.next_line(10) == Line(b"DONE")
    assert texts(drain(receiver)) == [b"b NOOP"]
    receiver.feed(b"x" * 12)
    assert receiver.next_line(10) == LineTooLong("", "")
    receiver.feed(b"xx")
    assert receiver.next_line(10) is None
    receiver.feed(b"\r\nok\r\n")
    assert receiver.next_line(10) == Line(b"ok")


def test_discard_forgets_what_came_in_clear() -> None:
    receiver = Receiver(SMALL)
    receiver.feed(b"a STARTTLS\r\nb LOGIN x y\r\n")
    assert isinstance(receiver.next(), RawCommand)
    assert receiver.discard() == 13
    receiver.feed(b"c NOOP\r\n")
    assert texts(drain(receiver)) == [b"c NOOP"]


def test_input_is_not_shown() -> None:
    [command] = whole(b"a LOGIN joe secret\r\n")
    assert "secret" not in repr(command)
    assert "secret" not in repr(Line(b"secret"))


WORDS = st.sampled_from(
    b"a ,APPEND ,LOGIN ,{3},{3+},~{12+},{99+},{60},\r\n,\n,\r,\0,\xff,xxxxxxxxxxxxxxxxxxxx,(".split(
        b","
    )
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_cuts_do_not_matter(words: list[bytes]) -> None:
    raw = b"".join(words)
    assert bytewise(raw) == whole(raw)


def test_time_is_linear() -> None:
    receiver = Receiver(Limits(line=10**6))
    began = time.perf_counter()
    for _ in range(200_000):
        receiver.feed(b"x")
        receiver.next()
    receiver.feed(b"a NOOP\r\n" * 50_000)
    assert len(drain(receiver)) == 50_000
    assert time.perf_counter() - began < 5
