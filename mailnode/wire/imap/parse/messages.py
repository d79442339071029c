"""STORE, COPY, MOVE, EXPUNGE and their UID forms.

RFC: 3501/9051 6.4; 4315 (UID EXPUNGE), 6851 (MOVE), 7162 3.1.3 (UNCHANGEDSINCE).
"""

from __future__ import annotations

from functools import lru_cache

from mailnode.model.flags import Flag
from mailnode.wire.imap.ast import CopyTo, NoArgs, StoreFlags, StoreOp, UidExpunge
from mailnode.wire.imap.lexer import UINT63, Bounds, Cursor, Wrong
from mailnode.wire.imap.parse.flags import parse_bare_flags, parse_flag_list
from mailnode.wire.imap.receiver import RawCommand

_Change = tuple[StoreOp, bool, Flag, frozenset[str], int | None]
_KEPT_BYTES, _KEPT_CHANGES = 100, 256


def parse_store(cursor: Cursor, uid: bool) -> StoreFlags:
    """``STORE set [(UNCHANGEDSINCE n)] [+-]FLAGS[.SILENT] flags``."""
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    rest = cursor.rest()
    if rest is not None and len(rest) <= _KEPT_BYTES:
        # Clients make the same change again and again, of one message after the other.
        change = _known_change(rest, cursor.bounds)
        if change is not None:
            cursor.take(rest)
            return StoreFlags(messages, *change)
    return StoreFlags(messages, *_change(cursor))


@lru_cache(_KEPT_CHANGES)
def _known_change(text: bytes, bounds: Bounds) -> _Change | None:
    """What stands behind the messages; ``None``: it is wrong."""
    cursor = Cursor(RawCommand((text,)), bounds, False)
    try:
        change = _change(cursor)
        cursor.end()
    except Wrong:
        return None
    return change


def _change(cursor: Cursor) -> _Change:
    unchanged: int | None = None
    if cursor.at(b"("):
        unchanged = _unchanged_since(cursor)
        cursor.space()
    op = _operator(cursor)
    name = cursor.word("FLAGS")
    if name not in ("FLAGS", "FLAGS.SILENT"):
        cursor.fail("expected FLAGS")
    cursor.space()
    flags, keywords = parse_flag_list(cursor) if cursor.at(b"(") else parse_bare_flags(cursor)
    return op, name.endswith(".SILENT"), flags, keywords, unchanged


def _operator(cursor: Cursor) -> StoreOp:
    if cursor.take(b"+"):
        return StoreOp.ADD
    return StoreOp.REMOVE if cursor.take(b"-") else StoreOp.REPLACE


def _unchanged_since(cursor: Cursor) -> int:
    cursor.expect(b"(", "list")
    if cursor.word("STORE modifier") != "UNCHANGEDSINCE":
        cursor.fail("unknown STORE modifier")
    cursor.space()
    # RFC 7162 3.1.3: 0 is allowed here; it fails for every message.
    value = cursor.number("mod-sequence", 0, UINT63)
    cursor.expect(b")", "end of list")
    return value


def parse_copy(cursor: Cursor, uid: bool) -> CopyTo:
    """``COPY set mailbox``; MOVE alike."""
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    return CopyTo(messages, cursor.mailbox())


def parse_expunge(cursor: Cursor, uid: bool) -> NoArgs | UidExpunge:
    """``EXPUNGE``, ``UID EXPUNGE set``."""
    if not uid:
        return NoArgs()
    cursor.space()
    return UidExpunge(cursor.sequence_set())
