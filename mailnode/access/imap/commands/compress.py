"""COMPRESS.

RFC: 4978.
"""

from __future__ import annotations

from mailnode.access.imap.commands.verb import KNOWN, After, Verb
from mailnode.access.imap.reply import Reply, bad, ok
from mailnode.access.imap.session import Session
from mailnode.wire.imap.ast import Command, Compress


async def do_compress(session: Session, command: Command, args: Compress) -> Reply | None:
    """RFC 4978 3: the reply is the last thing that goes out as it is, so it is written here."""
    if args.mechanism != "DEFLATE":
        return bad("no such compression")
    if session.out.compressed:
        # RFC 4978 3: BAD where it was an earlier COMPRESS, NO where it is another layer (TLS never
        # compresses here); which layer it is the text says.
        return bad("COMPRESS has switched it on already", "COMPRESSIONACTIVE")
    session.out.write(ok("DEFLATE is on").line(command.tag))
    session.out.start_deflate()
    return None


VERBS = {"COMPRESS": Verb(do_compress, KNOWN, After.NONE)}
