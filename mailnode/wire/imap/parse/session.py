"""Commands on the session itself: who, what the client can, who it is.

RFC: 3501/9051 6.1, 6.2, 6.3.1 (ENABLE); 2971 (ID), 4959 (SASL-IR), 4978 (COMPRESS).
"""

from __future__ import annotations

import re

from mailnode.wire.imap.ast import Authenticate, Compress, Enable, Id, Login, NoArgs
from mailnode.wire.imap.lexer import Cursor

# RFC 9051 9 "initial-resp": base64 or "=". Checked for its alphabet here, decoded by SASL.
_INITIAL = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_NOTHING = NoArgs()


def parse_nothing(cursor: Cursor, uid: bool) -> NoArgs:
    """Commands without arguments."""
    return _NOTHING


def parse_login(cursor: Cursor, uid: bool) -> Login:
    """``LOGIN user password``."""
    cursor.space()
    user = cursor.astring()
    cursor.space()
    # A user name that is not UTF-8 is nobody's name; the login will fail, not the parser.
    return Login(user.decode("utf-8", "replace"), cursor.astring())


def parse_authenticate(cursor: Cursor, uid: bool) -> Authenticate:
    """``AUTHENTICATE mechanism [initial response]``."""
    cursor.space()
    mechanism = cursor.atom("mechanism").upper()
    if cursor.at_end():
        return Authenticate(mechanism)
    cursor.space()
    initial = cursor.match(_INITIAL, "initial response")
    if not initial:
        cursor.fail("expected initial response")
    return Authenticate(mechanism, initial)


def parse_compress(cursor: Cursor, uid: bool) -> Compress:
    """``COMPRESS mechanism``."""
    cursor.space()
    return Compress(cursor.atom("mechanism").upper())


def parse_enable(cursor: Cursor, uid: bool) -> Enable:
    """``ENABLE capability …``."""
    names: list[str] = []
    while not names or not cursor.at_end():
        cursor.space()
        names.append(cursor.atom("capability").upper())
    return Enable(tuple(names))


def parse_id(cursor: Cursor, uid: bool) -> Id:
    """``ID NIL`` or ``ID ("key" "value" …)``."""
    cursor.space()
    if not cursor.at(b"("):
        if cursor.nstring() is not None:
            cursor.fail("expected NIL or list")
        return Id(None)
    words = cursor.listed(cursor.nstring, "ID fields")
    # RFC 2971 3.3: 30 pairs at most.
    if len(words) % 2 or len(words) > 60:
        cursor.fail("ID fields come in pairs, 30 at most")
    keys = [_shown(key).lower() for key in words[::2]]
    values = [None if value is None else _shown(value) for value in words[1::2]]
    return Id(tuple(zip(keys, values, strict=True)))


def _shown(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
