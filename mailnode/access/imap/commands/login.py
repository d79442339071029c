"""STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE.

Promises: a password is never asked for nor taken without TLS unless the settings allow it; a
client learns that a login failed, never why.
RFC: 3501 6.2, 4959, 5530 3 (codes), 5802 (SCRAM), 8437.
"""

from __future__ import annotations

from mailnode.access.imap.commands.anystate import capabilities, password_allowed
from mailnode.access.imap.commands.verb import KNOWN, STRANGER, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.session import Session, State, log_storage
from mailnode.access.link import Hangup
from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.model.errors import MailnodeError
from mailnode.runtime.maillog import Event
from mailnode.store import AccountRef
from mailnode.wire.imap.ast import Authenticate, Command, Login, NoArgs
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

FAILED = no("authentication failed", "AUTHENTICATIONFAILED")
FOR_ANOTHER = no("not allowed to act as another user", "AUTHORIZATIONFAILED")


async def do_starttls(session: Session, command: Command, args: NoArgs) -> Reply | None:
    """RFC 3501 6.2.1: the reply is the last thing in clear, so it is written here."""
    if session.out.secure:
        return bad("TLS is already on")
    if not session.means.can_start_tls:
        return bad("TLS is not available")
    session.out.write(ok("begin TLS now").line(command.tag))
    session.out.start_tls()
    return None


async def do_login(session: Session, command: Command, args: Login) -> Reply:
    """RFC 3501 6.2.3."""
    _need_privacy(session)
    try:
        password = args.password.decode()
    except UnicodeDecodeError:
        return FAILED
    return await _log_in(session, Credentials(args.user, "", password, "LOGIN"))


async def do_authenticate(session: Session, command: Command, args: Authenticate) -> Reply:
    """RFC 3501 6.2.2, 4959 (initial response)."""
    _need_privacy(session)
    dialog = open_dialog(args.mechanism, scram=session.means.gate.scram)
    if dialog is None:
        return no("no such mechanism", "CANNOT")
    step = await _converse(session, dialog, dialog.begin(args.initial))
    if isinstance(step, Credentials):
        return await _log_in(session, step)
    if isinstance(step, Proof):
        return await _let_in(session, step)
    # RFC 3501 6.2.2: a cancelled exchange and one that cannot be read are answered with BAD.
    fault = step.fault if isinstance(step, SaslFailure) else SaslFault.TOO_MANY_STEPS
    return bad(fault.value)


async def do_unauthenticate(session: Session, command: Command, args: NoArgs) -> Reply | None:
    """RFC 8437 3. NO is not allowed: a client may have sent its next login already."""
    if not session.means.settings.unauthenticate:
        return bad("not offered here")
    session.means.log.event(
        Event.DISCONNECTED,
        service="imap",
        peer=session.out.peer,
        user=session.user,
        reason="unauthenticated",
    )
    try:
        await session.forget()
    except MailnodeError as error:
        log_storage(session, error)
        session.out.cut("the session could not be reset")
        raise Hangup from None
    session.user = ""
    session.out.write(ok("you are a stranger now").line(command.tag))
    session.out.start_over()
    return None


async def _converse(session: Session, dialog: Dialog, step: Step) -> Step:
    while isinstance(step, (Challenge, KeysWanted)):
        if isinstance(step, KeysWanted):
            keys = await session.means.gate.scram_keys(step.user, step.mechanism)
            step = dialog.keys(keys)
            continue
        session.out.write(b"+ " + challenge_line(step) + b"\r\n")
        line = await session.out.read_line(LINE_LIMIT)
        # A line that was too long reads as one the dialog refuses for its length.
        step = dialog.answer(line if line is not None else b"A" * (LINE_LIMIT + 1))
    return step


def _need_privacy(session: Session) -> None:
    # RFC 9051 6.2.3: "PRIVACYREQUIRED" tells the client what to do first.
    if not password_allowed(session):
        raise Refused(no("use STARTTLS first", "PRIVACYREQUIRED"))


async def _log_in(session: Session, claim: Credentials) -> Reply:
    # RFC 4616 2: nobody here may act as somebody else.
    if claim.for_another:
        return FOR_ANOTHER
    found = await session.means.gate.login(
        claim.authcid,
        claim.password,
        Service.IMAP,
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
        Service.IMAP,
        session.out.peer,
        mechanism=proof.mechanism,
        tls=session.out.secure,
    )
    return FOR_ANOTHER if proof.right and proof.for_another else await _become(session, found)


async def _become(session: Session, found: Mailbox | LoginFailure) -> Reply:
    """The one place where a stranger becomes a user."""
    means, peer = session.means, session.out.peer
    if isinstance(found, LoginFailure):
        return FAILED
    ref = AccountRef(found.user, found.maildir, found.quota_bytes)
    account = await means.pool.run(means.store.account, ref)
    if not means.census.enter(found.user, peer):
        return no("too many connections of this user", "LIMIT")
    session.user, session.account = found.user, account
    session.state = State.AUTHENTICATED
    return ok("logged in", f"CAPABILITY {capabilities(session)}")


VERBS = {
    "UNAUTHENTICATE": Verb(do_unauthenticate, KNOWN, After.NONE),
    "STARTTLS": Verb(do_starttls, STRANGER, After.NONE),
    "LOGIN": Verb(do_login, STRANGER, After.NONE),
    "AUTHENTICATE": Verb(do_authenticate, STRANGER, After.NONE),
}
