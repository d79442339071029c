"""Commands before login: USER, PASS, AUTH, STLS, UTF8.

Promises: a password is never asked for nor taken without TLS unless the settings allow it; a
client learns that a login failed, never why.
RFC: 1939 7; 2595 4, 3206, 5034, 5802, 6856 2.
"""

from __future__ import annotations

from mailnode.access.pop3.maildrop import open_maildrop
from mailnode.access.pop3.reply import Refused, Reply, err, ok
from mailnode.access.pop3.session import Session, State
from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.store import AccountRef
from mailnode.wire.pop3.command import Command
from mailnode.wire.sasl import (
    Challenge,
    Credentials,
    Dialog,
    KeysWanted,
    Proof,
    SaslFailure,
    SaslFault,
    Step,
    open_dialog,
)
from mailnode.wire.sasl.dialog import LINE_LIMIT, challenge_line

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
    return await _log_in(session, Credentials(user, "", command.rest or "", "USER"))


async def do_auth(session: Session, command: Command) -> Reply | None:
    """RFC 5034 4. Leniency: a lone AUTH lists the mechanisms, as clients before it expect."""
    words = command.words()
    if not words:
        names = session.mechanisms()
        session.out.write("\r\n".join(("+OK", *names, ".", "")).encode())
        return None
    _need_privacy(session)
    dialog = open_dialog(words[0], scram=session.means.gate.scram)
    if dialog is None or len(words) > 2:
        return err("no such mechanism")
    initial = words[1].encode() if len(words) == 2 else None
    step = await _converse(session, dialog, dialog.begin(initial))
    if isinstance(step, Credentials):
        return await _log_in(session, step)
    if isinstance(step, Proof):
        return await _let_in(session, step)
    too_long = SaslFault.TOO_MANY_STEPS
    return err((step.fault if isinstance(step, SaslFailure) else too_long).value)


async def _converse(session: Session, dialog: Dialog, step: Step) -> Step:
    while isinstance(step, (Challenge, KeysWanted)):
        if isinstance(step, KeysWanted):
            keys = await session.means.gate.scram_keys(step.user, step.mechanism)
            step = dialog.keys(keys)
            continue
        session.out.write(b"+ " + challenge_line(step) + b"\r\n")
        line = await session.out.read_line(LINE_LIMIT + 2)
        # A line that was too long reads as one the dialog refuses for its length.
        step = dialog.answer(line if line is not None else b"A" * (LINE_LIMIT + 1))
    return step


async def do_stls(session: Session, command: Command) -> Reply | None:
    """RFC 2595 4: the reply is the last thing in clear, so it is written here."""
    if session.out.secure:
        return err("TLS is already on")
    session.out.write(ok("begin TLS now").line())
    session.out.start_tls()
    session.forget()
    return None


async def do_utf8(session: Session, command: Command) -> Reply:
    """RFC 6856 2.1. Messages are sent as they are in either mode.

    RFC 6856 2.1 deviation: without UTF8, too: refusing to hand out such a message would keep it
    from clients that in practice show it well, and no stored octet is changed for a signature's
    sake.
    """
    return ok("UTF-8 it is")


def _need_privacy(session: Session) -> None:
    if not session.password_allowed():
        raise Refused(err("use STLS first"))


async def _log_in(session: Session, claim: Credentials) -> Reply:
    # RFC 4616 2: nobody here may act as somebody else.
    if claim.for_another:
        return FOR_ANOTHER
    found = await session.means.gate.login(
        claim.authcid,
        claim.password,
        Service.POP3,
        session.out.peer,
        mechanism=claim.mechanism,
        tls=session.out.secure,
    )
    return await _become(session, found)


async def _let_in(session: Session, proof: Proof) -> Reply:
    """RFC 5802: the proof was checked already, the user's state was not."""
    found = await session.means.gate.proved(
        proof.authcid,
        proof.right and not proof.for_another,
        Service.POP3,
        session.out.peer,
        mechanism=proof.mechanism,
        tls=session.out.secure,
    )
    return FOR_ANOTHER if proof.right and proof.for_another else await _become(session, found)


async def _become(session: Session, found: Mailbox | LoginFailure) -> Reply:
    """The one place where a stranger becomes a user."""
    if isinstance(found, LoginFailure):
        return FAILED
    if not session.means.census.enter(found.user, session.out.peer):
        return err("too many connections of this user", "SYS/TEMP")
    session.user = found.user
    return await _open(session, AccountRef(found.user, found.maildir, found.quota_bytes))


async def _open(session: Session, ref: AccountRef) -> Reply:
    means = session.means
    try:
        session.maildrop = drop = await means.pool.run(open_maildrop, means.store, ref)
    except BaseException:
        # Still a stranger: the login is not counted.
        means.census.leave(session.user, session.out.peer)
        session.user = ""
        raise
    session.state = State.TRANSACTION
    return ok(f"{drop.count} messages ({drop.octets} octets)")
