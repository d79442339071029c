"""UIDBATCHES.

RFC: 10022.
"""

from __future__ import annotations

from mailnode.wire.imap.lexer import Cursor
from mailnode.wire.imap.uid_batches import UidBatches


def parse_uid_batches(cursor: Cursor, uid: bool) -> UidBatches:
    """``UIDBATCHES size [first:last]``."""
    cursor.space()
    size = cursor.number("batch size", 1)
    if cursor.at_end():
        return UidBatches(size)
    cursor.space()
    first = cursor.number("first batch", 1)
    cursor.expect(b":", "colon")
    return UidBatches(size, (first, cursor.number("last batch", 1)))
