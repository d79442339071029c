"""SORT, THREAD and their UID forms.

RFC: 5256 3 and 5, 5957 3, 5267 (RETURN, CANCELUPDATE).
"""

from __future__ import annotations

from mailnode.wire.imap.ast import CancelUpdate, Criterion, Sort, SortKey, Thread, Threading
from mailnode.wire.imap.lexer import Cursor
from mailnode.wire.imap.parse.search import read_charset, read_keys, read_returns

_KEYS = {key.value: key for key in SortKey}
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Threading}


def parse_sort(cursor: Cursor, uid: bool) -> Sort:
    """``SORT [RETURN (options)] (criteria) charset key …``."""
    cursor.space()
    returns = None
    if not cursor.at(b"("):
        if cursor.word("sort criteria") != "RETURN":
            cursor.fail("expected sort criteria")
        returns = read_returns(cursor)
        cursor.space()
    criteria = tuple(cursor.listed(lambda: _criterion(cursor), "sort criteria"))
    if not criteria:
        cursor.fail("expected a sort criterion")
    charset = read_charset(cursor, returns)
    cursor.space()
    return Sort(criteria, read_keys(cursor, charset), charset, returns)


def _criterion(cursor: Cursor) -> Criterion:
    name = cursor.word("sort criterion")
    reverse = name == "REVERSE"
    if reverse:
        cursor.space()
        name = cursor.word("sort criterion")
    if name not in _KEYS:
        cursor.fail("unknown sort criterion")
    return Criterion(_KEYS[name], reverse)


def parse_cancelupdate(cursor: Cursor, uid: bool) -> CancelUpdate:
    """``CANCELUPDATE "tag" …``."""
    tags: list[str] = []
    while not tags or not cursor.at_end():
        cursor.space()
        tags.append(cursor.quoted().decode())
    return CancelUpdate(tuple(tags))


def parse_thread(cursor: Cursor, uid: bool) -> Thread:
    """``THREAD algorithm charset key …``."""
    cursor.space()
    name = cursor.word("threading algorithm")
    if name not in _ALGORITHMS:
        cursor.fail("unknown threading algorithm")
    charset = read_charset(cursor)
    cursor.space()
    return Thread(_ALGORITHMS[name], read_keys(cursor, charset), charset)
