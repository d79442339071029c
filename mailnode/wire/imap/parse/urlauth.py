"""GENURLAUTH, RESETKEY, URLFETCH.

RFC: 4467 9.
"""

from __future__ import annotations

from mailnode.wire.imap.account_args import GenUrlAuth, ResetKey, UrlFetch
from mailnode.wire.imap.lexer import Cursor


def parse_genurlauth(cursor: Cursor, uid: bool) -> GenUrlAuth:
    """``GENURLAUTH url mechanism [url mechanism ...]``."""
    pairs: list[tuple[str, str]] = []
    while not pairs or not cursor.at_end():
        url = _url(cursor)
        cursor.space()
        pairs.append((url, cursor.atom("mechanism").upper()))
    return GenUrlAuth(tuple(pairs))


def parse_resetkey(cursor: Cursor, uid: bool) -> ResetKey:
    """``RESETKEY [mailbox [mechanism ...]]``."""
    if cursor.at_end():
        return ResetKey("")
    cursor.space()
    mailbox = cursor.mailbox()
    mechanisms: list[str] = []
    while not cursor.at_end():
        cursor.space()
        mechanisms.append(cursor.atom("mechanism").upper())
    return ResetKey(mailbox, tuple(mechanisms))


def parse_urlfetch(cursor: Cursor, uid: bool) -> UrlFetch:
    """``URLFETCH url [url ...]``."""
    urls: list[str] = []
    while not urls or not cursor.at_end():
        urls.append(_url(cursor))
    return UrlFetch(tuple(urls))


def _url(cursor: Cursor) -> str:
    cursor.space()
    raw = cursor.astring()
    # RFC 3986 2: a URL is ASCII.
    if not raw.isascii():
        cursor.fail("a URL is ASCII")
    return raw.decode()
