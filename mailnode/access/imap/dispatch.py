"""From a whole command to its tagged reply.

Promises: every command gets exactly one tagged reply, whatever happens; a fault of ours is
logged with its traceback and shows the client a reference only.
Fails: ``FolderLost`` and ``Hangup`` pass through; they end the connection.
RFC: 3501 5.5, 7.1, 7.4.1; 5530 (SERVERBUG).
"""

from __future__ import annotations

import traceback
from uuid import uuid4

from mailnode.access.imap.commands import VERBS
from mailnode.access.imap.commands.searching import names_numbers
from mailnode.access.imap.commands.spelling import as_known
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, from_error, no
from mailnode.access.imap.session import FolderLost, Progress, Session, State, log_storage
from mailnode.access.link import Hangup
from mailnode.model.errors import MailnodeError, NoPermission, NoSuchFolder
from mailnode.runtime.maillog import Event
from mailnode.wire.imap.ast import Command, Fault, Malformed
from mailnode.wire.imap.parse import UID_COMMANDS
from mailnode.wire.imap.receiver import STORING, LiteralTooBig

# RFC 3501 6.3.11, 6.4.7, 6851 3.3: the client may CREATE the folder and try again.
MAY_CREATE = frozenset(("APPEND", "COPY", "MOVE", "REPLACE"))
# Commands that name messages by number, or answer so, unless UID stands before them.
BY_NUMBER = UID_COMMANDS - {"EXPUNGE"}
FAULT_CODES = {
    Fault.BAD_CHARSET: "BADCHARSET",
    Fault.BAD_CHARSET_SAVING: "BADCHARSET",
    Fault.UNKNOWN_CTE: "UNKNOWN-CTE",
}


def malformed(session: Session, fault: Malformed) -> tuple[str, Reply]:
    """Tag and reply for what could not be parsed."""
    if fault.fault is Fault.BAD_CHARSET_SAVING and session.selected is not None:
        session.selected.saved = ()
    code = FAULT_CODES.get(fault.fault)
    reply = no(fault.text, code) if code else bad(fault.text)
    return fault.tag or "*", reply


def too_big(session: Session, event: LiteralTooBig) -> Reply:
    """The reply to a literal beyond the limits."""
    # RFC 7889 4, 4469 4.2: TOOBIG is for messages, a literal elsewhere is just too long.
    append = event.name in STORING and session.state is not State.NOT_AUTHENTICATED
    return no("message too large", "TOOBIG") if append else bad("literal too long")


async def run_command(session: Session, command: Command) -> Reply | None:
    """Run it, tell the news, write the tagged reply; the reply for whoever counts the bad ones.

    ``None``: the command goes on (IDLE) or has answered itself (STARTTLS).
    """
    if session.watch is not None:
        session.watch.held = False
    session.progress = Progress(command.tag, session.means.clock.monotonic())
    verb = VERBS.get(command.name)
    reply: Reply | None
    if verb is None:
        reply = bad("unknown command")
    elif (reply := _refused(session, command, verb)) is None:
        reply = await _guarded(session, command, verb)
        if verb.news is not After.NONE and reply is not None and reply.status != "BAD":
            reply = await _with_news(session, command, verb, reply)
    if reply is not None:
        session.out.write(reply.line(command.tag))
    return reply


def _refused(session: Session, command: Command, verb: Verb) -> Reply | None:
    if session.state not in verb.states:
        return bad(f"not allowed when {session.state.value}")
    if session.enabled.uidonly and command.name in BY_NUMBER and not command.uid:
        # RFC 9586 3.2: message numbers are no more.
        return bad("use the UID form after ENABLE UIDONLY", "UIDREQUIRED")
    return None


async def _guarded(session: Session, command: Command, verb: Verb) -> Reply | None:
    try:
        args = command.args
        if session.enabled.utf8:
            args = await as_known(session, args)
        return await verb.run(session, command, args)
    except Refused as refused:
        return refused.reply
    except NoSuchFolder as error:
        is_gone = not isinstance(error, NoPermission)
        if is_gone and verb.states == SELECTED and command.name not in MAY_CREATE:
            # RFC 2180 3.3: no other folder can be meant than the selected one.
            raise FolderLost from None
        return _domain(session, command, error)
    except MailnodeError as error:
        return _domain(session, command, error)
    except (FolderLost, Hangup):
        raise
    except Exception:  # noqa: BLE001 - the barrier: a fault of ours ends one command only
        return fault(session, command.name)


async def _with_news(session: Session, command: Command, verb: Verb, reply: Reply) -> Reply:
    if verb.news is not After.LOOK and not session.stirred:
        return reply
    # RFC 7162 3.2.10.2: nor after UID SEARCH by message numbers.
    by_uid = command.uid and not names_numbers(command.args)
    expunge = verb.news is not After.NUMBERS_STAY or by_uid
    try:
        await session.send_news(look=verb.news is After.LOOK, expunge=expunge)
        if not expunge:
            session.tell_reach()
    except MailnodeError as error:
        # The command itself is done; only a command that is all about news fails with them.
        told = _domain(session, command, error)
        return told if verb.news is After.LOOK else reply
    return reply


def _domain(session: Session, command: Command, error: MailnodeError) -> Reply:
    log_storage(session, error)
    return from_error(error, "TRYCREATE" if command.name in MAY_CREATE else "NONEXISTENT")


def fault(session: Session, what: str) -> Reply:
    """Log the exception being handled; the reply names it by a reference."""
    reference = uuid4().hex[:8]
    session.means.log.event(
        Event.ERROR,
        what=f"imap {what} {reference}",
        user=session.user,
        cause=traceback.format_exc(),
    )
    return no(f"internal error, reference {reference}", "SERVERBUG")
