"""STARTTLS, LOGIN, AUTHENTICATE, UNAUTHENTICATE.

Promises: a password is never asked for nor taken without TLS unless the settings allow it; a
client learns that a login failed, never why.
RFC: 3501 6.2, 4959, 5530 3 (codes), 8437; mechanisms: see ``directory.exchange``.
"""

from __future__ import annotations

from mailnode.access.imap.commands.anystate import capabilities, password_allowed, visitor
from mailnode.access.imap.commands.verb import KNOWN, STRANGER, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.session import Session, State, log_storage
from mailnode.access.link import Hangup
from mailnode.directory import LoginFailure, Mailbox
from mailnode.directory.exchange import Outcome, authenticate, check
from mailnode.model.errors import MailnodeError
from mailnode.runtime.maillog import Event
from mailnode.store import AccountRef
from mailnode.wire.imap.ast import Authenticate, Command, Login, NoArgs
from mailnode.wire.sasl import Credentials, SaslFault
from mailnode.wire.sasl.dialog import LINE_LIMIT

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
    claim = Credentials(args.user, "", password, "LOGIN")
    return await _answered(session, await check(visitor(session), claim))


async def do_authenticate(session: Session, command: Command, args: Authenticate) -> Reply:
    """RFC 3501 6.2.2, 4959 (initial response)."""
    _need_privacy(session)

    async def ask(challenge: bytes) -> bytes | None:
        session.out.write(b"+ " + challenge + b"\r\n")
        return await session.out.read_line(LINE_LIMIT)

    found = await authenticate(visitor(session), args.mechanism, args.initial, ask)
    return await _answered(session, found)


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


def _need_privacy(session: Session) -> None:
    # RFC 9051 6.2.3: "PRIVACYREQUIRED" tells the client what to do first.
    if not password_allowed(session):
        raise Refused(no("use STARTTLS first", "PRIVACYREQUIRED"))


async def _answered(session: Session, found: Outcome) -> Reply:
    if isinstance(found, Mailbox):
        return await _become(session, found)
    if isinstance(found, LoginFailure):
        return FOR_ANOTHER if found is LoginFailure.ANOTHER else FAILED
    if found in (SaslFault.UNKNOWN, SaslFault.BINDING):
        return no(found.value, "CANNOT")
    # RFC 3501 6.2.2: a cancelled exchange and one that cannot be read are answered with BAD.
    return bad(found.value)


async def _become(session: Session, found: Mailbox) -> Reply:
    """The one place where a stranger becomes a user."""
    means, peer = session.means, session.out.peer
    ref = AccountRef(found.user, found.maildir, found.quota_bytes)
    account = await means.pool.brisk(means.store.account, ref)
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
