"""APPEND and REPLACE.

RFC: 3501/9051 6.3.12, 3502 (MULTIAPPEND), 3516 (literal8), 4469 (CATENATE), 6855 4 (UTF8),
8508 (REPLACE).
"""

from __future__ import annotations

from mailnode.model.flags import NO_FLAGS
from mailnode.wire.imap.ast import Append, AppendMessage, Fault, Literal, Replace
from mailnode.wire.imap.lexer import Cursor
from mailnode.wire.imap.parse.dates import parse_date_time
from mailnode.wire.imap.parse.flags import parse_flag_list
from mailnode.wire.imap.sets import STAR, SequenceSet


def parse_append(cursor: Cursor, uid: bool) -> Append:
    """``APPEND mailbox [(flags)] ["date-time"] literal …``."""
    cursor.space()
    mailbox = cursor.mailbox()
    messages: list[AppendMessage] = []
    while not messages or not cursor.at_end():
        if len(messages) >= cursor.bounds.items:
            cursor.fail("too many messages", Fault.TOO_LONG)
        cursor.space()
        # RFC 3502 has one space here; IMAPClient puts two before a second literal.
        cursor.take(b" ")
        messages.append(_message(cursor))
    return Append(mailbox, tuple(messages))


def parse_replace(cursor: Cursor, uid: bool) -> Replace:
    """``REPLACE number mailbox [(flags)] ["date-time"] literal``."""
    cursor.space()
    number = STAR if cursor.take(b"*") else cursor.number("message", 1)
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    return Replace(SequenceSet(((number, number),)), mailbox, _message(cursor))


def _message(cursor: Cursor) -> AppendMessage:
    flags, keywords = NO_FLAGS, frozenset[str]()
    if cursor.at(b"("):
        flags, keywords = parse_flag_list(cursor)
        cursor.space()
    at: float | None = None
    if cursor.at(b'"'):
        at = parse_date_time(cursor)
        cursor.space()
    if cursor.at_literal():
        return AppendMessage(cursor.any_literal(), flags, keywords, at)
    word = cursor.word("message literal")
    if word == "CATENATE":
        cursor.space()
        parts = cursor.listed(lambda: _cat_part(cursor), "parts")
        if not parts:
            cursor.fail("expected a part")
        return AppendMessage(Literal(0), flags, keywords, at, parts=tuple(parts))
    return AppendMessage(_utf8_literal(cursor, word), flags, keywords, at, utf8=True)


def _cat_part(cursor: Cursor) -> Literal | str:
    # RFC 4469 5; 6855 4: UTF8 here too.
    word = cursor.word("TEXT or URL")
    if word == "URL":
        cursor.space()
        return cursor.astring().decode("utf-8", "replace")
    if word == "TEXT":
        cursor.space()
        return cursor.any_literal()
    return _utf8_literal(cursor, word)


def _utf8_literal(cursor: Cursor, word: str) -> Literal:
    # RFC 6855 4: UTF8 SP "(" literal8 ")".
    if word != "UTF8":
        cursor.fail("expected message literal")
    cursor.space()
    cursor.expect(b"(", "list")
    literal = cursor.any_literal()
    cursor.expect(b")", "end of list")
    return literal
