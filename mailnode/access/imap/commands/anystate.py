"""CAPABILITY, NOOP, LOGOUT, ID: legal in every state.

RFC: 3501 6.1, 2971; capability names as their RFCs register them.
"""

from __future__ import annotations

from mailnode.access.imap.commands.verb import ANY, After, Verb
from mailnode.access.imap.reply import Reply, ok
from mailnode.access.imap.session import Session, State
from mailnode.directory import Service
from mailnode.directory.exchange import Visitor, offers
from mailnode.wire.imap.ast import Command, Id, NoArgs

ALWAYS = (
    "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID NAMESPACE UNSELECT CHILDREN IDLE UIDPLUS MOVE ENABLE "
    "METADATA LIST-METADATA NOTIFY CATENATE URLAUTH URL-PARTIAL "
    "SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES "
    "CONDSTORE QRESYNC MULTIAPPEND WITHIN OBJECTID SAVEDATE PREVIEW BINARY QUOTA QUOTA=RES-STORAGE "
    "UTF8=ACCEPT REPLACE ACL RIGHTS=kxte LIST-MYRIGHTS "
    "SORT SORT=DISPLAY ESORT PARTIAL THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS "
    "UIDONLY UIDBATCHES INPROGRESS SEARCH=FUZZY MULTISEARCH CONTEXT=SEARCH CONTEXT=SORT I18NLEVEL=1"
)


def capabilities(session: Session) -> str:
    """The names for the state the session is in."""
    names = f"{ALWAYS} APPENDLIMIT={session.means.settings.max_append_bytes}"
    if session.state is not State.NOT_AUTHENTICATED:
        # RFC 4978 3: once only; and not before login, for lengths would tell of passwords.
        names += "" if session.out.compressed else " COMPRESS=DEFLATE"
        return names + (" UNAUTHENTICATE" if session.means.settings.unauthenticate else "")
    if not session.out.secure and session.means.can_start_tls:
        names += " STARTTLS"
    # RFC 3501 6.2.3, 11.2: no password may cross the wire in clear unless the settings say so.
    if not password_allowed(session):
        return names + " LOGINDISABLED"
    return names + "".join(f" AUTH={name}" for name in offers(visitor(session)))


def visitor(session: Session) -> Visitor:
    """The session's client as one that wants to log in."""
    out = session.out
    return Visitor(session.means.gate, Service.IMAP, out.peer, out.secure, out.tunnel())


def password_allowed(session: Session) -> bool:
    """May a client send its password now?"""
    return session.out.secure or session.means.settings.plaintext_login


async def do_capability(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3501 6.1.1."""
    session.out.write(f"* CAPABILITY {capabilities(session)}\r\n".encode())
    return ok("that is what we can do")


async def do_noop(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3501 6.1.2: the news are what it is for."""
    return ok("done")


async def do_logout(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3501 6.1.3."""
    session.out.write(b"* BYE see you\r\n")
    session.state = State.LOGOUT
    return ok("logged out")


async def do_id(session: Session, command: Command, args: Id) -> Reply:
    """RFC 2971: we say our name, not our version."""
    session.out.write(b'* ID ("name" "mailnode")\r\n')
    return ok("pleased to meet you")


VERBS = {
    "CAPABILITY": Verb(do_capability, ANY),
    "NOOP": Verb(do_noop, ANY, After.LOOK),
    "LOGOUT": Verb(do_logout, ANY, After.NONE),
    "ID": Verb(do_id, ANY),
}
