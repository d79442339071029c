"""The lexical tokens that structured header fields share: quoted strings and comments.

Promises: linear time; unterminated tokens end with the field; never raises.
RFC: 5322 3.2.1, 3.2.2, 3.2.4.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(rb'"((?:[^"\\]++|\\.)*)\\?"?', re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_COMMENT_MARK = re.compile(rb"[()\\]")
_SPACE = re.compile(rb"[ \t\r\n\f\v\0]*+")


def read_quoted(data: bytes, pos: int) -> tuple[bytes, int]:
    """The content of the quoted string that opens at ``pos``, and the offset after it."""
    match = _QUOTED.match(data, pos)
    assert match is not None
    text = match[1]
    return (_PAIR.sub(rb"\1", text) if b"\\" in text else text), match.end()


def read_comment(data: bytes, pos: int) -> tuple[bytes, int]:
    """The text of the comment that opens at ``pos`` (nested ones with their parentheses), and the
    offset after it."""
    depth, start, scan = 0, pos + 1, pos
    while True:
        mark = _COMMENT_MARK.search(data, scan)
        if mark is None:
            return _PAIR.sub(rb"\1", data[start:]), len(data)
        scan = mark.end()
        if mark[0] == b"\\":
            scan += 1
        else:
            depth += 1 if mark[0] == b"(" else -1
            if depth == 0:
                return _PAIR.sub(rb"\1", data[start : scan - 1]), scan


def skip_space(data: bytes, pos: int) -> int:
    """The offset of the next byte that is no white space."""
    match = _SPACE.match(data, pos)
    return match.end() if match else pos


def skip_blank(data: bytes, pos: int) -> int:
    """The offset after white space and comments."""
    pos = skip_space(data, pos)
    while pos < len(data) and data[pos] == 0x28:
        _, pos = read_comment(data, pos)
        pos = skip_space(data, pos)
    return pos
