"""SETACL, DELETEACL, LISTRIGHTS; GETACL and MYRIGHTS are read as any command with one mailbox.

RFC: 4314 3, 7.
"""

from __future__ import annotations

import re

from mailnode.wire.imap.account_args import ListRights, SetAcl
from mailnode.wire.imap.lexer import Cursor

MAX_IDENTIFIER = 320
# RFC 4314 7 "mod-rights": lower-case letters and digits, "+" or "-" before them.
_MODIFICATION = re.compile(rb"([+-]?)([a-z0-9]*)\Z")


def parse_set_acl(cursor: Cursor, uid: bool) -> SetAcl:
    """``SETACL mailbox identifier [+|-]rights``."""
    mailbox, identifier, negative = _subject(cursor)
    cursor.space()
    found = _MODIFICATION.match(cursor.astring())
    if found is None:
        cursor.fail("expected rights")
    return SetAcl(mailbox, identifier, negative, found[1].decode(), found[2].decode())


def parse_delete_acl(cursor: Cursor, uid: bool) -> SetAcl:
    """``DELETEACL mailbox identifier``."""
    return SetAcl(*_subject(cursor))


def parse_list_rights(cursor: Cursor, uid: bool) -> ListRights:
    """``LISTRIGHTS mailbox identifier``."""
    mailbox, identifier, negative = _subject(cursor)
    return ListRights(mailbox, f"-{identifier}" if negative else identifier)


def _subject(cursor: Cursor) -> tuple[str, str, bool]:
    cursor.space()
    mailbox = cursor.mailbox()
    cursor.space()
    raw = cursor.astring()
    # RFC 4314 3: identifiers are UTF-8, whatever the client has enabled.
    identifier = cursor.utf8_text(raw)
    if len(raw) > MAX_IDENTIFIER or not identifier.removeprefix("-"):
        cursor.fail("not an identifier")
    return mailbox, identifier.removeprefix("-"), identifier.startswith("-")
