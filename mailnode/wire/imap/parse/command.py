"""Tag and name, then the family that reads the rest.

Promises: any ``RawCommand`` gives a ``Command`` or a ``Malformed``, never an exception.
RFC: 3501/9051 2.2.1, 9 "command".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from mailnode.wire.imap.ast import Args, Command, Fault, Malformed
from mailnode.wire.imap.lexer import TAG, Bounds, Cursor, Wrong
from mailnode.wire.imap.parse import (
    acl,
    append,
    fetch,
    mailboxes,
    messages,
    multi_search,
    quota,
    search,
    session,
    sort,
)
from mailnode.wire.imap.parse.metadata import parse_get_metadata, parse_set_metadata
from mailnode.wire.imap.parse.notify import parse_notify
from mailnode.wire.imap.parse.uid_batches import parse_uid_batches
from mailnode.wire.imap.parse.urlauth import parse_genurlauth, parse_resetkey, parse_urlfetch
from mailnode.wire.imap.receiver import RawCommand

# A parser is told whether UID stood before the name.
Parser = Callable[[Cursor, bool], Args]

COMMANDS: Mapping[str, Parser] = MappingProxyType(
    {
        "CAPABILITY": session.parse_nothing,
        "NOOP": session.parse_nothing,
        "LOGOUT": session.parse_nothing,
        "STARTTLS": session.parse_nothing,
        "CHECK": session.parse_nothing,
        "CLOSE": session.parse_nothing,
        "UNSELECT": session.parse_nothing,
        "IDLE": session.parse_nothing,
        "NAMESPACE": session.parse_nothing,
        "UNAUTHENTICATE": session.parse_nothing,
        "LOGIN": session.parse_login,
        "AUTHENTICATE": session.parse_authenticate,
        "COMPRESS": session.parse_compress,
        "ENABLE": session.parse_enable,
        "ID": session.parse_id,
        "SELECT": mailboxes.parse_select,
        "EXAMINE": mailboxes.parse_select,
        "CREATE": mailboxes.parse_create,
        "DELETE": mailboxes.parse_one_mailbox,
        "SUBSCRIBE": mailboxes.parse_one_mailbox,
        "UNSUBSCRIBE": mailboxes.parse_one_mailbox,
        "RENAME": mailboxes.parse_rename,
        "LIST": mailboxes.parse_list,
        "LSUB": mailboxes.parse_lsub,
        "STATUS": mailboxes.parse_status,
        "APPEND": append.parse_append,
        "REPLACE": append.parse_replace,
        "SEARCH": search.parse_search,
        "SORT": sort.parse_sort,
        "THREAD": sort.parse_thread,
        "ESEARCH": multi_search.parse_esearch,
        "CANCELUPDATE": sort.parse_cancelupdate,
        "FETCH": fetch.parse_fetch,
        "STORE": messages.parse_store,
        "COPY": messages.parse_copy,
        "MOVE": messages.parse_copy,
        "EXPUNGE": messages.parse_expunge,
        "GETMETADATA": parse_get_metadata,
        "SETMETADATA": parse_set_metadata,
        "NOTIFY": parse_notify,
        "UIDBATCHES": parse_uid_batches,
        "GENURLAUTH": parse_genurlauth,
        "RESETKEY": parse_resetkey,
        "URLFETCH": parse_urlfetch,
        "GETQUOTA": quota.parse_get_quota,
        "GETQUOTAROOT": mailboxes.parse_one_mailbox,
        "SETQUOTA": quota.parse_set_quota,
        "SETACL": acl.parse_set_acl,
        "DELETEACL": acl.parse_delete_acl,
        "GETACL": mailboxes.parse_one_mailbox,
        "LISTRIGHTS": acl.parse_list_rights,
        "MYRIGHTS": mailboxes.parse_one_mailbox,
    }
)
UID_COMMANDS = frozenset(
    ("COPY", "MOVE", "FETCH", "STORE", "SEARCH", "SORT", "THREAD", "EXPUNGE", "REPLACE")
)
_DEFAULT_BOUNDS = Bounds()
# Short commands that session after session says in the same words, none of them secret.
_COMMON = re.compile(
    rb"([^\x00-\x20(){%*\"\\+\x7f-\xff]+) ("
    rb"(?:(?:UID )?SEARCH|CAPABILITY|CHECK|CLOSE|EXAMINE|EXPUNGE|FETCH|IDLE|LIST|LOGOUT|LSUB"
    rb"|NAMESPACE|NOOP|SELECT|STATUS|UNSELECT)(?: [^\n]{0,100})?)\Z",
    re.I,
)
_COMMON_KEPT = 512


def parse_command(
    raw: RawCommand, *, utf8: bool = False, bounds: Bounds = _DEFAULT_BOUNDS
) -> Command | Malformed:
    """One command. ``utf8``: the client enabled UTF8=ACCEPT or IMAP4rev2."""
    if len(raw.chunks) == 1 and bounds is _DEFAULT_BOUNDS:
        common = _COMMON.match(raw.chunks[0])
        known = _common(common[2], utf8) if common else None
        if common and known:
            return Command(common[1].decode(), known.name, known.args, known.uid)
    return _parse(raw, utf8, bounds)


@lru_cache(_COMMON_KEPT)
def _common(text: bytes, utf8: bool) -> Command | None:
    """What these words mean behind any tag; ``None``: they are wrong."""
    found = _parse(RawCommand((b"t " + text,)), utf8, _DEFAULT_BOUNDS)
    return found if isinstance(found, Command) else None


def _parse(raw: RawCommand, utf8: bool, bounds: Bounds) -> Command | Malformed:
    cursor = Cursor(raw, bounds, utf8)
    tag = name = ""
    try:
        tag = cursor.match(TAG, "tag").decode()
        cursor.space()
        name = cursor.word("command")
        uid = name == "UID"
        if uid:
            cursor.space()
            name = cursor.word("command")
        parser = COMMANDS.get(name)
        if parser is None or (uid and name not in UID_COMMANDS):
            cursor.fail("unknown command", Fault.UNKNOWN_COMMAND)
        args = parser(cursor, uid)
        cursor.end()
    except Wrong as wrong:
        return Malformed(tag, wrong.fault, wrong.text, wrong.offset, name)
    return Command(tag, name, args, uid)
