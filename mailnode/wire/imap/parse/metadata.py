"""GETMETADATA, SETMETADATA, and the entries that LIST may ask for.

RFC: 5464 3.2, 5; 9590.
"""

from __future__ import annotations

import re

from mailnode.wire.imap.account_args import GetMetadata, SetMetadata
from mailnode.wire.imap.lexer import UINT32, Cursor

# RFC 5464 3.2: no wildcards, no control characters, no empty component.
_ENTRY = re.compile(rb"/(?:private|shared)(?:/[^*%/\x00-\x19\x7f-\xff]+)*\Z", re.I)
_VENDOR = re.compile(r"/(?:private|shared)/vendor(?:/|\Z)")
_DEPTHS = {"0": 0, "1": 1, "INFINITY": None}

_Options = dict[str, int | None]


def parse_get_metadata(cursor: Cursor, uid: bool) -> GetMetadata:
    """``GETMETADATA [(options)] mailbox [(options)] entry|(entries)``.

    The grammar has the options first, the examples of RFC 5464 4.2 have them second.
    """
    cursor.space()
    options: _Options = {}
    if cursor.at(b"("):
        _read_options(cursor, options)
    mailbox = cursor.mailbox()
    cursor.space()
    if cursor.at(b"(") and not any(cursor.at(b"(" + mark) for mark in (b"/", b'"')):
        _read_options(cursor, options)
    if cursor.at(b"("):
        entries = parse_entries(cursor)
    else:
        entries = [parse_entry(cursor)]
        while not cursor.at_end():
            cursor.space()
            entries.append(parse_entry(cursor))
    names = tuple(dict.fromkeys(entries))
    return GetMetadata(mailbox, names, options.get("DEPTH", 0), options.get("MAXSIZE"))


def _read_options(cursor: Cursor, options: _Options) -> None:
    if not cursor.listed(lambda: _option(cursor, options), "options"):
        cursor.fail("expected an option")
    cursor.space()


def _option(cursor: Cursor, options: _Options) -> str:
    name = cursor.word("option")
    cursor.space()
    if name == "MAXSIZE":
        options[name] = cursor.number("size", 0, UINT32)
    elif name == "DEPTH":
        depth = cursor.atom("depth").upper()
        if depth not in _DEPTHS:
            cursor.fail("unknown depth")
        options[name] = _DEPTHS[depth]
    else:
        cursor.fail("unknown option")
    return name


def parse_entries(cursor: Cursor) -> list[str]:
    """``(entry entry ...)``."""
    entries = cursor.listed(lambda: parse_entry(cursor), "entries")
    if not entries:
        cursor.fail("expected an entry")
    return entries


def parse_entry(cursor: Cursor) -> str:
    """An entry's name, in lower case."""
    raw = cursor.astring()
    if len(raw) > 1024 or not _ENTRY.match(raw):
        cursor.fail("not an entry name")
    return raw.decode().lower()


def parse_set_metadata(cursor: Cursor, uid: bool) -> SetMetadata:
    """``SETMETADATA mailbox (entry value ...)``."""
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    pairs = cursor.listed(lambda: _pair(cursor), "entries")
    if not pairs:
        cursor.fail("expected an entry")
    return SetMetadata(mailbox, tuple(pairs))


def _pair(cursor: Cursor) -> tuple[str, bytes | None]:
    name = parse_entry(cursor)
    # RFC 5464 3.2: two components at least, four below vendor.
    if name.count("/") < (4 if _VENDOR.match(name) else 2):
        cursor.fail("entry name too short")
    cursor.space()
    return name, cursor.nstring()
