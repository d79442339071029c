"""GETQUOTA, SETQUOTA; GETQUOTAROOT is read as any command with one mailbox.

RFC: 9208 4.1, 8.
"""

from __future__ import annotations

from mailnode.wire.imap.account_args import GetQuota, SetQuota
from mailnode.wire.imap.lexer import UINT63, Cursor


def parse_get_quota(cursor: Cursor, uid: bool) -> GetQuota:
    """``GETQUOTA root``."""
    return GetQuota(_root(cursor))


def parse_set_quota(cursor: Cursor, uid: bool) -> SetQuota:
    """``SETQUOTA root (resource limit ...)``."""
    root = _root(cursor)
    cursor.space()
    return SetQuota(root, tuple(cursor.listed(lambda: _limit(cursor), "resource limits")))


def _root(cursor: Cursor) -> str:
    cursor.space()
    return cursor.astring().decode("utf-8", "replace")


def _limit(cursor: Cursor) -> tuple[str, int]:
    name = cursor.atom("resource").upper()
    cursor.space()
    # RFC 9208 8 "setquota-resource": number64, 63 bits.
    return name, cursor.number("limit", 0, UINT63)
