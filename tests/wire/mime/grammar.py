"""A strict reader of IMAP data, so that tests see ENVELOPE and BODYSTRUCTURE as a client does."""

from __future__ import annotations

import re

_ATOM = re.compile(rb"[0-9]+|NIL")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{([0-9]+)\}\r\n")

Value = bytes | int | None | list["Value"]


def read(data: bytes) -> Value:
    """The one value that ``data`` is; fails on anything else."""
    value, end = _read(data, 0)
    assert end == len(data), data[end:]
    return value


def _read(data: bytes, pos: int) -> tuple[Value, int]:
    if data[pos : pos + 1] == b"(":
        return _read_list(data, pos + 1)
    if match := _ATOM.match(data, pos):
        return (None if match[0] == b"NIL" else int(match[0])), match.end()
    if match := _QUOTED.match(data, pos):
        return re.sub(rb"\\(.)", rb"\1", match[1]), match.end()
    match = _LITERAL.match(data, pos)
    assert match, data[pos : pos + 40]
    end = match.end() + int(match[1])
    assert len(data) >= end
    assert b"\0" not in data[match.end() : end]
    return data[match.end() : end], end


def _read_list(data: bytes, pos: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    while data[pos : pos + 1] != b")":
        # Lists of lists ("1*address", "1*body") stand without blanks; all else is parted by one.
        if items and not (isinstance(items[-1], list) and data[pos : pos + 1] == b"("):
            assert data[pos : pos + 1] == b" ", data[pos : pos + 40]
            pos += 1
        item, pos = _read(data, pos)
        items.append(item)
    assert items, "an empty list"
    return items, pos + 1


def check_envelope(value: Value) -> None:
    assert isinstance(value, list)
    assert len(value) == 10
    for at, item in enumerate(value):
        if at in (0, 1, 8, 9):
            assert item is None or isinstance(item, bytes)
        elif item is not None:
            assert isinstance(item, list)
            for address in item:
                assert isinstance(address, list)
                assert len(address) == 4
                assert all(part is None or isinstance(part, bytes) for part in address)


def check_body(value: Value, extended: bool) -> None:
    """RFC 9051 9 "body"."""
    assert isinstance(value, list)
    if isinstance(value[0], list):
        rest = value[:]
        while isinstance(rest[0], list):
            check_body(rest.pop(0), extended)
        assert isinstance(rest[0], bytes)
        assert len(rest) == (5 if extended else 1)
        if extended:
            check_parameters(rest[1])
            check_placing(rest[2:])
        return
    main, sub, parameters, ident, description, encoding, octets, *rest = value
    assert isinstance(main, bytes)
    assert isinstance(sub, bytes)
    check_parameters(parameters)
    assert ident is None or isinstance(ident, bytes)
    assert description is None or isinstance(description, bytes)
    assert isinstance(encoding, bytes)
    assert isinstance(octets, int)
    if (main, sub) in ((b"message", b"rfc822"), (b"message", b"global")):
        check_envelope(rest.pop(0))
        check_body(rest.pop(0), extended)
        assert isinstance(rest.pop(0), int)
    elif main == b"text":
        assert isinstance(rest.pop(0), int)
    assert main != b"multipart"
    assert len(rest) == (4 if extended else 0)
    if extended:
        assert rest[0] is None or isinstance(rest[0], bytes)
        check_placing(rest[1:])


def check_parameters(value: Value) -> None:
    if value is not None:
        assert isinstance(value, list)
        assert len(value) % 2 == 0
        assert all(isinstance(word, bytes) for word in value)


def check_placing(value: list[Value]) -> None:
    disposition, language, location = value
    if disposition is not None:
        assert isinstance(disposition, list)
        kind, parameters = disposition
        assert isinstance(kind, bytes)
        check_parameters(parameters)
    if isinstance(language, list):
        assert all(isinstance(tag, bytes) for tag in language)
    else:
        assert language is None or isinstance(language, bytes)
    assert location is None or isinstance(location, bytes)
