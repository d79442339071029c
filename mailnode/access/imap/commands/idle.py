"""IDLE: begun here, pushed to by the connection when a hint comes, ended by DONE.

Promises: an idling session has no task and no timer of its own.
RFC: 2177; 5465 4.
"""

from __future__ import annotations

from mailnode.access.imap.commands.notify import tell_watch
from mailnode.access.imap.commands.verb import KNOWN, After, Verb
from mailnode.access.imap.reply import Reply, bad, ok
from mailnode.access.imap.session import Session, log_storage
from mailnode.model.errors import MailnodeError
from mailnode.wire.imap.ast import Command, NoArgs

DONE_LIMIT = 1024


async def do_idle(session: Session, command: Command, args: NoArgs) -> Reply | None:
    """RFC 2177 3: from now on the next line is DONE."""
    await session.send_news(look=True, expunge=True)
    session.out.write(b"+ idling\r\n")
    session.idle_tag = command.tag
    return None


async def push(session: Session) -> None:
    """A hint came: tell the news now. Raises ``FolderLost``.

    When the storage is away the client simply hears nothing: the next hint or poll tries again.
    """
    watch, selected = session.watch, session.selected
    # RFC 5465 6.1.2: SELECTED-DELAYED waits for a command that may tell of EXPUNGE.
    delayed = watch is not None and watch.wishes.delayed and not session.idle_tag
    try:
        await session.send_news(look=watch is None, expunge=not delayed)
        if watch is not None:
            watch.held = selected is not None and selected.dirty
            await tell_watch(session)
    except MailnodeError as error:
        log_storage(session, error)


async def end_idle(session: Session, line: bytes | None) -> Reply:
    """The client's line; anything but DONE is a protocol error and ends IDLE too."""
    tag, session.idle_tag = session.idle_tag, ""
    if line is not None and line.strip().upper() == b"DONE":
        if session.restless() or (session.selected is not None and session.selected.dirty):
            await push(session)
        reply = ok("idle ended")
    else:
        reply = bad("DONE was expected")
    session.out.write(reply.line(tag))
    return reply


VERBS = {"IDLE": Verb(do_idle, KNOWN, After.NONE)}
