"""The data reader against a slow, obvious reference, at every split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.smtp.data import ContentCheck, DataReader, Fault

Result = tuple[bytes, bytes, Fault | None, bool]


def reference(stream: bytes, size_limit: int, line_limit: int) -> Result:
    """Line by line, as RFC 5321 4.5.2 tells it."""
    lines: list[bytes] = []
    rest = stream
    while True:
        line, found, rest_after = rest.partition(b"\r\n")
        if not found:
            return b"", b"", None, False
        rest = rest_after
        if line == b".":
            break
        lines.append(line[1:] if line.startswith(b".") else line)
    content = b"".join(line + b"\r\n" for line in lines)
    return content, rest, slow_fault(content, size_limit, line_limit), True


def slow_fault(content: bytes, size_limit: int, line_limit: int) -> Fault | None:
    naked = content.replace(b"\r\n", b"")
    if len(content) > size_limit:
        return Fault.TOO_LARGE
    if b"\0" in content:
        return Fault.NUL
    if b"\r" in naked or b"\n" in naked:
        return Fault.BARE_LINE_END
    if any(len(line) > line_limit for line in content.split(b"\r\n")):
        return Fault.LINE_TOO_LONG
    return None


def read(pieces: list[bytes], size_limit: int = 10_000, line_limit: int = 998) -> Result:
    check = ContentCheck(size_limit=size_limit, line_limit=line_limit)
    reader = DataReader(check)
    content = b""
    for at, piece in enumerate(pieces):
        fed = reader.feed(piece)
        content += fed.content
        if fed.done:
            return content, fed.rest + b"".join(pieces[at + 1 :]), check.fault, True
    return b"", b"", None, False


CASES = [
    b".\r\n",
    b".\r\nQUIT\r\n",
    b"\r\n.\r\n",
    b"hello\r\n.\r\nrest",
    b"..\r\n.\r\n",
    b"..dot\r\n...\r\n.x\r\n.\r\n",
    b"a\r\n..\r\n..\r\n.\r\n.\r\n",
    b"a\n.\nMAIL FROM:<x@y>\r\n.\r\n",
    b"a\r.\rMAIL\r\n.\r\n",
    b"a\n.\r\nMAIL\r\n.\r\n",
    b"a\r\n.\nMAIL\r\n.\r\n",
    b"a\r\n.\rMAIL\r\n.\r\n",
    b"a\r.\r\nMAIL\r\n.\r\n",
    b"a\r\n.\r\r\n.\r\n",
    b"a\r\r\n.\r\n",
    b"\r\n\r\n\r\n.\r\n\r\n.\r\n",
    b"\n.\r\n.\r\n",
    b"\r.\r\n.\r\n",
    b"nul\0\r\n.\r\n",
    b"no end",
    b"no end\r\n.",
    b"no end\r\n.\r",
]


def same(got: Result, want: Result) -> bool:
    """Equal, and content of refused messages does not matter."""
    return got[1:] == want[1:] and (want[2] is not None or got[0] == want[0])


@pytest.mark.parametrize("stream", CASES)
def test_every_split_of_two(stream: bytes) -> None:
    want = reference(stream, 10_000, 998)
    for at in range(len(stream) + 1):
        assert same(read([stream[:at], stream[at:]]), want), at


@pytest.mark.parametrize("stream", CASES)
def test_byte_by_byte(stream: bytes) -> None:
    pieces = [stream[at : at + 1] for at in range(len(stream))]
    assert same(read(pieces), reference(stream, 10_000, 998))


@given(
    words=st.lists(
        st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"a", b"bcd", b"\r\n.\r\n", b"\0"]),
        max_size=30,
    ),
    cuts=st.lists(st.integers(0, 90), max_size=6),
    line_limit=st.sampled_from([3, 5, 998]),
    size_limit=st.sampled_from([6, 20, 10_000]),
)
@settings(max_examples=600, deadline=None)
def test_like_the_reference(
    words: list[bytes], cuts: list[int], line_limit: int, size_limit: int
) -> None:
    stream = b"".join(words)
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    want = reference(stream, size_limit, line_limit)
    got = read(pieces, size_limit, line_limit)
    # Of several faults the first seen may be told; that there is one must agree.
    assert (got[1], got[3], got[2] is None) == (want[1], want[3], want[2] is None)
    if want[2] is None:
        assert got[0] == want[0]


def test_long_lines_in_big_chunks() -> None:
    fine = (b"x" * 998 + b"\r\n") * 300
    assert read([fine + b".\r\n"], size_limit=10**6)[2] is None
    bad = (b"x" * 998 + b"\r\n") * 150 + b"y" * 999 + b"\r\n" + b"z\r\n" * 1000
    assert read([bad + b".\r\n"], size_limit=10**6)[2] is Fault.LINE_TOO_LONG


def test_size_is_counted_without_dots_and_the_rest_is_drained() -> None:
    stream = b"..23456\r\n.\r\nNOOP\r\n"
    assert read([stream], size_limit=9)[2] is None or len(b".23456\r\n") > 9
    content, rest, fault, done = read([stream], size_limit=7)
    assert (content, rest, fault, done) == (b"", b"NOOP\r\n", Fault.TOO_LARGE, True)
    assert read([stream], size_limit=8)[2] is None


@pytest.mark.parametrize("cut", range(1, 12))
def test_content_check_for_bdat_pieces(cut: int) -> None:
    content = b"ab\r\ncd\r\ne\r\n"
    check = ContentCheck(size_limit=100, line_limit=10)
    for at in range(0, len(content), cut):
        assert check.look(content[at : at + cut])
    check.finish()
    assert check.fault is None


def test_content_that_ends_in_cr() -> None:
    check = ContentCheck(size_limit=100, line_limit=10)
    assert check.look(b"ab\r")
    check.finish()
    assert check.fault is Fault.BARE_LINE_END
