"""PROXY protocol headers: taken exactly, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.proxy.header import (
    LONGEST_BYTES,
    Header,
    Malformed,
    NeedMore,
    looks_like_header,
    parse_header,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
FOUR = b"\xc0\x00\x02\x01\xc6\x33\x64\x02\x30\x39\x00\x19"
SIX = bytes(15) + b"\x01" + bytes(15) + b"\x02" + b"\x30\x39\x00\x19"


def v2(rest: bytes, command: int = 0x21, family: int = 0x11) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(rest).to_bytes(2, "big") + rest


WHOLE = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 25\r\n", "192.0.2.1", 12345),
    (b"PROXY TCP6 2001:db8::1 2001:DB8::2 65535 0\r\n", "2001:db8::1", 65535),
    (b"PROXY UNKNOWN\r\n", "", 0),
    (b"PROXY UNKNOWN ffff:f...f:ffff what ever\r\n", "", 0),
    (v2(FOUR), "192.0.2.1", 12345),
    (v2(SIX, family=0x21), "::1", 12345),
    (v2(FOUR + b"\x04\x00\x01x"), "192.0.2.1", 12345),
    (v2(FOUR, command=0x20), "", 0),
    (v2(b"", command=0x20, family=0x00), "", 0),
    (v2(b"", family=0x00), "", 0),
]


@pytest.mark.parametrize(("raw", "host", "port"), WHOLE)
def test_whole_header_with_the_clients_bytes_behind_it(raw: bytes, host: str, port: int) -> None:
    assert parse_header(raw) == Header(host, port, len(raw))
    assert parse_header(raw + b"EHLO x\r\n") == Header(host, port, len(raw))


@pytest.mark.parametrize("raw", [raw for raw, _, _ in WHOLE])
def test_each_part_of_one_is_waited_for(raw: bytes) -> None:
    for length in range(len(raw)):
        assert parse_header(raw[:length]) == NeedMore()


@pytest.mark.parametrize(
    "raw",
    [
        b"EHLO x\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n",
        b"PROXY TCP4 2001:db8::1 198.51.100.2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY " + b"x" * 200,
        b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n" + b" " * 100,
        b"proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        v2(FOUR, command=0x11),
        v2(FOUR, command=0x22),
        v2(FOUR, family=0x12),
        v2(FOUR, family=0x31),
        v2(FOUR[:11]),
        v2(SIX[:35], family=0x21),
        v2(bytes(LONGEST_BYTES)),
    ],
)
def test_whatever_else_is_refused(raw: bytes) -> None:
    assert isinstance(parse_header(raw), Malformed)


@given(st.binary(max_size=300))
def test_no_bytes_raise_and_no_header_is_longer_than_what_came(junk: bytes) -> None:
    for raw in (junk, b"PROXY " + junk, b"PROXY TCP4 " + junk, SIGNATURE + junk):
        found = parse_header(raw)
        if isinstance(found, Header):
            assert 0 < found.length <= min(len(raw), LONGEST_BYTES)
        if isinstance(found, NeedMore):
            assert len(raw) < LONGEST_BYTES


def test_no_header_is_waited_for_for_ever() -> None:
    assert isinstance(parse_header(b"PROXY " + b" " * 101), Malformed)
    assert isinstance(parse_header(SIGNATURE + b"\x21\x11\xff\xff"), Malformed)


@pytest.mark.parametrize("raw", [raw for raw, _, _ in WHOLE])
def test_header_is_recognised_where_none_is_expected(raw: bytes) -> None:
    assert looks_like_header(raw)


@pytest.mark.parametrize("raw", [b"EHLO x\r\n", b"PROXY\r\n", b"\r\n", b"a1 NOOP\r\n", b"\x16\x03"])
def test_clients_own_bytes_are_no_header(raw: bytes) -> None:
    assert not looks_like_header(raw)
