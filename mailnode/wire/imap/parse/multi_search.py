"""ESEARCH, the search through several mailboxes.

RFC: 7377 2.1, 3.
"""

from __future__ import annotations

from mailnode.wire.imap.lexer import Cursor
from mailnode.wire.imap.multi_search import NAMED_SOURCES, SOURCES, MultiSearch, Source
from mailnode.wire.imap.parse.search import parse_search


def parse_esearch(cursor: Cursor, uid: bool) -> MultiSearch:
    """``ESEARCH [IN (mailboxes)] [RETURN (options)] [CHARSET name] key …``."""
    sources: list[Source] = []
    if any(cursor.take(word) for word in (b" IN (", b" in (", b" In (", b" iN (")):
        while not sources or not cursor.take(b")"):
            if sources:
                cursor.space()
            if len(sources) >= cursor.bounds.items:
                cursor.fail("too many mailboxes")
            # RFC 7377 3 "scope-options": there are none yet.
            sources.append(_source(cursor))
    return MultiSearch(tuple(sources), parse_search(cursor, uid))


def _source(cursor: Cursor) -> Source:
    which = cursor.word("mailboxes")
    if which not in SOURCES:
        cursor.fail("unknown mailboxes")
    if which not in NAMED_SOURCES:
        return Source(which)
    cursor.space()
    if not cursor.at(b"("):
        return Source(which, (cursor.mailbox(),))
    names = cursor.listed(cursor.mailbox, "mailboxes")
    if not names:
        cursor.fail("expected a mailbox")
    return Source(which, tuple(names))
