"""Names of mailboxes in any spelling that Unicode has for them.

Promises: a name that is there is taken as it is; costs nothing for names in normal form C.
Fails: what listing the mailboxes fails with.
RFC: 9051 5.1 (servers that put names into normal form take them in any form in every command).
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import cast

from mailnode.access.imap.commands.listing import read_known
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import Args, Create, OneMailbox, Rename, Select


async def as_known(session: Session, args: Args) -> Args:
    """The arguments of a client that writes names in UTF-8, with the name the mailbox has."""
    field = "old" if isinstance(args, Rename) else "mailbox"
    name: str = getattr(args, field, "")
    # CREATE makes a name, and says so.
    if name.isascii() or isinstance(args, Create) or unicodedata.is_normalized("NFC", name):
        return args
    known = await session.means.pool.brisk(read_known, session.owner())
    if name in known.folders or name in known.subscribed:
        return args
    told = {"asked": name} if isinstance(args, Select) else {}
    return replace(cast(OneMailbox, args), **{field: unicodedata.normalize("NFC", name)}, **told)
