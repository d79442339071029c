"""Which command is legal where, and how its end is told.

Promises: every command gets one reply; no exception text reaches a client.
RFC: 1939 3, 4, 6; 2449 5.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

from mailnode.access.link import Hangup
from mailnode.access.pop3 import authorization as auth
from mailnode.access.pop3 import transaction as trans
from mailnode.access.pop3.reply import Refused, Reply, err, from_error, ok
from mailnode.access.pop3.session import Session, State
from mailnode.model.errors import MailnodeError, StorageFull, StorageGone, TemporaryError
from mailnode.runtime.maillog import Event
from mailnode.wire.pop3.capabilities import capability_lines
from mailnode.wire.pop3.command import Command
from mailnode.wire.pop3.texts import LANGUAGES, chosen_language, translated

# ``None``: the handler wrote its reply itself.
Handler = Callable[[Session, Command], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: what runs it, and in which states."""

    run: Handler
    states: frozenset[State]


async def do_capa(session: Session, command: Command) -> None:
    """RFC 2449 5."""
    stranger = session.state is State.AUTHORIZATION
    days = session.means.settings.expire_days
    lines = capability_lines(
        mechanisms=session.mechanisms(),
        stls=stranger and not session.out.secure,
        expire_days=None if days < 0 else days,
    )
    session.out.write("\r\n".join(("+OK", *lines, ".", "")).encode())


async def do_lang(session: Session, command: Command) -> Reply | None:
    """RFC 6856 3.2: choose a language, or hear which there are."""
    words = command.words()
    if not words:
        lines = (f"{tag} {name}" for tag, name in LANGUAGES.items())
        session.out.write(session.line(ok("languages follow")))
        session.out.write("\r\n".join((*lines, ".", "")).encode())
        return None
    found = chosen_language(words[0]) if len(words) == 1 else None
    if found is None:
        return err("no such language")
    session.language = found
    # RFC 6856 3.2: the tag, then a text in that language.
    text = translated("language changed", found, utf8=session.utf8)
    return ok(f"{found} {text}")


async def do_quit(session: Session, command: Command) -> Reply:
    """RFC 1939 4, 6: +OK only once the messages are gone for good."""
    session.state = State.OVER
    drop, means = session.maildrop, session.means
    if drop is None or not drop.has_news(means.settings.mark_seen):
        return ok("bye")
    marked = len(drop) - drop.count
    try:
        removed = await means.pool.run(drop.update, means.settings.mark_seen)
    except TemporaryError as error:
        _note_storage(session, error)
        # RFC 1939 6: "some deleted messages not removed" is an -ERR, and the session ends.
        return err("some deleted messages were not removed", "SYS/TEMP")
    if marked:
        means.log.event(
            Event.EXPUNGED, service="pop3", user=session.user, folder="INBOX", count=removed
        )
    return ok("bye")


_STRANGER = frozenset({State.AUTHORIZATION})
_USER = frozenset({State.TRANSACTION})

VERBS = {
    "CAPA": Verb(do_capa, _STRANGER | _USER),
    "LANG": Verb(do_lang, _STRANGER | _USER),
    "QUIT": Verb(do_quit, _STRANGER | _USER),
    "USER": Verb(auth.do_user, _STRANGER),
    "PASS": Verb(auth.do_pass, _STRANGER),
    "AUTH": Verb(auth.do_auth, _STRANGER),
    "STLS": Verb(auth.do_stls, _STRANGER),
    "UTF8": Verb(auth.do_utf8, _STRANGER),
    "STAT": Verb(trans.do_stat, _USER),
    "LIST": Verb(trans.do_list, _USER),
    "UIDL": Verb(trans.do_uidl, _USER),
    "RETR": Verb(trans.do_retr, _USER),
    "TOP": Verb(trans.do_top, _USER),
    "DELE": Verb(trans.do_dele, _USER),
    "RSET": Verb(trans.do_rset, _USER),
    "NOOP": Verb(trans.do_noop, _USER),
}
# Commands whose argument may hold spaces, or that check their own arguments.
_ARGUED = frozenset({"LANG", "USER", "PASS", "AUTH", "LIST", "UIDL", "RETR", "TOP", "DELE"})


async def run_command(session: Session, command: Command) -> Reply | None:
    """Run one command; its reply, or ``None`` if that was written. Raises ``Hangup``."""
    verb = VERBS.get(command.name)
    if verb is None:
        return err("unknown command")
    if session.state not in verb.states:
        return err(f"not allowed in {session.state.value} state")
    if command.name not in _ARGUED and command.words():
        return err("no arguments allowed")
    try:
        return await verb.run(session, command)
    except Refused as refused:
        return refused.reply
    except Hangup:
        raise
    except MailnodeError as error:
        _note_storage(session, error)
        return from_error(error)
    except Exception:  # noqa: BLE001 - the barrier: a fault of ours is a temporary failure
        return fault(session, command.name)


def _note_storage(session: Session, error: MailnodeError) -> None:
    if isinstance(error, StorageGone | StorageFull):
        session.means.log.event(
            Event.STORAGE, path=session.user, reason=str(error), remedy=error.remedy
        )


def fault(session: Session, what: str) -> Reply:
    """Log the exception being handled; the reply names it by a reference."""
    reference = uuid4().hex[:8]
    session.means.log.event(
        Event.ERROR,
        what=f"pop3 {what} {reference}",
        user=session.user,
        cause=traceback.format_exc(),
    )
    return Reply(False, f"internal error, reference {reference}", "SYS/TEMP")
