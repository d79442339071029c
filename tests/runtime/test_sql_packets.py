"""What a MySQL server answers to several statements, read from its octets."""

from __future__ import annotations

from typing import Any

import pytest

from mailnode.runtime.sql_packets import Answer

_TEXT, _BLOB, _LONG, _DATETIME = 253, 252, 3, 12
_UTF8, _BINARY = 45, 63
_MORE, _LAST = 0x000A, 0x0002


def _sized(octets: bytes) -> bytes:
    if len(octets) < 251:
        return bytes([len(octets)]) + octets
    return b"\xfc" + len(octets).to_bytes(2, "little") + octets


def _column(kind: int, charset: int) -> bytes:
    names = b"".join(map(_sized, (b"def", b"d", b"t", b"t", b"c" * 300, b"c")))
    return names + b"\x0c" + charset.to_bytes(2, "little") + bytes(4) + bytes([kind]) + bytes(5)


def _row(*values: bytes | None) -> bytes:
    return b"".join(b"\xfb" if one is None else _sized(one) for one in values)


def _end(status: int) -> bytes:
    return b"\xfe" + bytes(2) + status.to_bytes(2, "little")


def _done(status: int) -> bytes:
    return b"\x00\x00\x00" + status.to_bytes(2, "little") + bytes(2)


def _stream(*packets: bytes) -> bytes:
    return b"".join(
        len(packet).to_bytes(3, "little") + bytes([number % 256]) + packet
        for number, packet in enumerate(packets, 1)
    )


_ROWS = [("ä" * 200, 7, None), ("", -1, "x"), ("\ufffe", 2**62, "y" * 60_000)]
_WHOLE = _stream(
    b"\x03",
    *(_column(kind, _UTF8) for kind in (_TEXT, _LONG, _BLOB)),
    _end(_MORE),
    *(
        _row(*(None if value is None else str(value).encode() for value in values))
        for values in _ROWS
    ),
    _end(_MORE),
    b"\x01",
    _column(_LONG, _BINARY),
    _end(_MORE),
    _end(_MORE),
    _done(_LAST),
)


@pytest.mark.parametrize("step", [1, 3, 7, 64, 1000, 10**6])
def test_rows_come_whatever_the_pieces(step: int) -> None:
    answer = Answer("utf-8")
    for at in range(0, len(_WHOLE), step):
        assert not answer.done
        answer.feed(_WHOLE[at : at + step])
    assert answer.done
    assert answer.rows == [_ROWS, []]


def test_more_packets_than_a_number_of_one_octet_counts() -> None:
    rows = [_row(str(number).encode()) for number in range(600)]
    answer = Answer("utf-8")
    head = (b"\x01", _column(_LONG, _BINARY), _end(_MORE))
    answer.feed(_stream(*head, *rows, _end(_MORE), _done(_LAST)))
    assert answer.rows == [[(number,) for number in range(600)]]


_HEAD = (b"\x01", _column(_TEXT, _UTF8), _end(_MORE))


@pytest.mark.parametrize(
    "octets",
    [
        _stream(b""),
        _stream(b"\xfd"),
        _stream(b"\x01\x01"),
        _stream(b"\x01", b"short"),
        _stream(b"\x01", _column(_TEXT, _UTF8), _column(_TEXT, _UTF8)),
        _stream(*_HEAD, b"\x05abc"),
        _stream(*_HEAD, b"\x01ab"),
        _stream(*_HEAD, b"\x01\xff"),
        _stream(_done(_LAST)) + b"more",
        _stream(_done(_LAST), _done(_LAST)),
        b"\x01\x00\x00\x02\x00",
        b"\xff\xff\xff\x01" + bytes(0xFFFFFF),
        b"HTTP/1.1 400 Bad Request\r\n" + bytes(10**7),
    ],
)
def test_what_is_no_answer_is_not_taken_for_one(octets: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        Answer("utf-8").feed(octets)


@pytest.mark.parametrize(("kind", "charset"), [(_DATETIME, _BINARY), (_BLOB, _BINARY)])
def test_other_columns_are_left_to_the_driver(kind: int, charset: int) -> None:
    with pytest.raises(LookupError):
        Answer("utf-8").feed(_stream(b"\x01", _column(kind, charset), _end(_MORE)))


@pytest.mark.parametrize("before", [(), _HEAD, (*_HEAD, _row(b"x"))])
def test_what_the_server_complains_of_is_raised_as_the_driver_does(before: Any) -> None:
    error = pytest.importorskip("aiomysql").OperationalError
    complaint = b"\xff" + (1969).to_bytes(2, "little") + b"#70100took too long"
    with pytest.raises(error, match="took too long"):
        Answer("utf-8").feed(_stream(*before, complaint))
