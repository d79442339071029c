"""Commands before login: USER, PASS, AUTH, STLS, UTF8.

Promises: a password is never asked for nor taken without TLS unless the settings allow it; a
client learns that a login failed, never why.
RFC: 1939 7; 2595 4, 3206, 5034, 6856 2; mechanisms: see ``directory.exchange``.
"""

from __future__ import annotations

from mailnode.access.pop3.maildrop import open_maildrop
from mailnode.access.pop3.reply import Refused, Reply, err, ok
from mailnode.access.pop3.session import Session, State
from mailnode.directory import LoginFailure, Mailbox
from mailnode.directory.exchange import Outcome, authenticate, check
from mailnode.store import AccountRef
from mailnode.wire.pop3.command import Command
from mailnode.wire.sasl import Credentials
from mailnode.wire.sasl.dialog import LINE_LIMIT

# RFC 3206 5: the credentials are at fault.
FAILED = err("authentication failed", "AUTH")
FOR_ANOTHER = err("not allowed to act as another user", "AUTH")


async def do_user(session: Session, command: Command) -> Reply:
    """RFC 1939 7: the answer does not tell whether the user exists."""
    _need_privacy(session)
    session.claimed_user = command.rest or ""
    return ok("send PASS") if session.claimed_user else err("USER needs a name")


async def do_pass(session: Session, command: Command) -> Reply:
    """RFC 1939 7: all that follows the one space is the password."""
    _need_privacy(session)
    user, session.claimed_user = session.claimed_user, ""
    if not user:
        return err("send USER first")
    claim = Credentials(user, "", command.rest or "", "USER")
    return await _answered(session, await check(session.visitor(), claim))


async def do_auth(session: Session, command: Command) -> Reply | None:
    """RFC 5034 4. Leniency: a lone AUTH lists the mechanisms, as clients before it expect."""
    words = command.words()
    if not words:
        names = session.mechanisms()
        session.out.write("\r\n".join(("+OK", *names, ".", "")).encode())
        return None
    _need_privacy(session)
    if len(words) > 2:
        return err("AUTH needs a mechanism and no more than one response")

    async def ask(challenge: bytes) -> bytes | None:
        session.out.write(b"+ " + challenge + b"\r\n")
        return await session.out.read_line(LINE_LIMIT + 2)

    initial = words[1].encode() if len(words) == 2 else None
    found = await authenticate(session.visitor(), words[0], initial, ask)
    return await _answered(session, found)


async def do_stls(session: Session, command: Command) -> Reply | None:
    """RFC 2595 4: the reply is the last thing in clear, so it is written here."""
    if session.out.secure:
        return err("TLS is already on")
    session.out.write(session.line(ok("begin TLS now")))
    session.out.start_tls()
    session.forget()
    return None


async def do_utf8(session: Session, command: Command) -> Reply:
    """RFC 6856 2.1: from here on the client takes headers and replies in UTF-8."""
    session.utf8 = True
    return ok("UTF-8 it is")


def _need_privacy(session: Session) -> None:
    if not session.password_allowed():
        raise Refused(err("use STLS first"))


async def _answered(session: Session, found: Outcome) -> Reply:
    if isinstance(found, Mailbox):
        return await _become(session, found)
    if isinstance(found, LoginFailure):
        return FOR_ANOTHER if found is LoginFailure.ANOTHER else FAILED
    return err(found.value)


async def _become(session: Session, found: Mailbox) -> Reply:
    """The one place where a stranger becomes a user."""
    if not session.means.census.enter(found.user, session.out.peer):
        return err("too many connections of this user", "SYS/TEMP")
    session.user = found.user
    return await _open(session, AccountRef(found.user, found.maildir, found.quota_bytes))


async def _open(session: Session, ref: AccountRef) -> Reply:
    means = session.means
    try:
        session.maildrop = drop = await means.pool.brisk(open_maildrop, means.store, ref)
    except BaseException:
        # Still a stranger: the login is not counted.
        means.census.leave(session.user, session.out.peer)
        session.user = ""
        raise
    session.state = State.TRANSACTION
    return ok(f"{drop.count} messages ({drop.octets} octets)")
