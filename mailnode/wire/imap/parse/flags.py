"""Flag lists.

RFC: 3501/9051 2.3.2, 9 "flag".
"""

from __future__ import annotations

from mailnode.model.flags import NO_FLAGS, Flag
from mailnode.wire.imap.format import FLAG_NAMES
from mailnode.wire.imap.lexer import Cursor

SYSTEM_FLAGS = {name[1:].decode().upper(): flag for flag, name in FLAG_NAMES.items()}
_KEYWORD_LIMIT = 255


def parse_flag(cursor: Cursor) -> Flag | str:
    """A system flag, or a keyword as written. ``\\Recent`` reads as no flag at all: clients copy
    it from FETCH, and it cannot be set (RFC 3501 2.3.2)."""
    system = cursor.take(b"\\")
    word = cursor.atom("flag")
    if not system:
        if len(word) > _KEYWORD_LIMIT:
            cursor.fail("keyword too long")
        return word
    flag = NO_FLAGS if word.upper() == "RECENT" else SYSTEM_FLAGS.get(word.upper())
    if flag is None:
        # RFC 9051 2.3.2: a backslash is kept for flags of the standard.
        cursor.fail("unknown system flag")
    return flag


def parse_flag_list(cursor: Cursor) -> tuple[Flag, frozenset[str]]:
    """``(flag flag …)``."""
    return split_flags(cursor.listed(lambda: parse_flag(cursor), "flags"))


def parse_bare_flags(cursor: Cursor) -> tuple[Flag, frozenset[str]]:
    """``flag flag …`` up to the end, as STORE takes them."""
    words = [parse_flag(cursor)]
    while not cursor.at_end():
        cursor.space()
        words.append(parse_flag(cursor))
    return split_flags(words)


def split_flags(words: list[Flag | str]) -> tuple[Flag, frozenset[str]]:
    """System flags joined, keywords as a set."""
    flags = NO_FLAGS
    keywords: set[str] = set()
    for word in words:
        if isinstance(word, Flag):
            flags |= word
        else:
            keywords.add(word)
    return flags, frozenset(keywords)
