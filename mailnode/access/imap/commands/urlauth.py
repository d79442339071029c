"""GENURLAUTH, RESETKEY and URLFETCH: URLs that let others read one message, or a part of it.

Promises: a URL is good only while the key of its mailbox, its time, and the role of who shows it
say so; what is not good is NIL, and nothing tells why; nothing becomes seen.
RFC: 4467, 5092, 5550 3 (URL-PARTIAL).
"""

from __future__ import annotations

from mailnode.access.imap.authorized import authorize, completed
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.session import Session
from mailnode.access.imap.url_keys import key_of, mark, reset, reset_all
from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.wire.imap.account_args import GenUrlAuth, ResetKey, UrlFetch
from mailnode.wire.imap.ast import Command
from mailnode.wire.imap.format import nstring, string
from mailnode.wire.imap.urlauth import INTERNAL, AuthUrl, parse_auth_url, verifier

_MECHANISMS = f"URLMECH {INTERNAL}"


async def do_genurlauth(session: Session, command: Command, args: GenUrlAuth) -> Reply:
    """RFC 4467 7."""
    account = session.owner()
    urls = [_own(session, text, mechanism) for text, mechanism in args.urls]
    made = []
    for url in urls:
        try:
            key = await session.means.pool.run(key_of, account, url.message.mailbox)
        except NoPermission:
            raise Refused(bad("not your mailbox", "NOPERM")) from None
        except NoSuchFolder:
            # RFC 4467 7: what the URL names must be there, or the command is BAD.
            raise Refused(bad("no such mailbox", "NONEXISTENT")) from None
        made.append(string((url.rump + verifier(url.rump, key)).encode()))
    session.out.write(b"* GENURLAUTH " + b" ".join(made) + b"\r\n")
    return ok("done")


def _own(session: Session, text: str, mechanism: str) -> AuthUrl:
    """A URL that this user may let others use; else ``Refused``."""
    url = parse_auth_url(text)
    if url is None or url.token:
        raise Refused(bad("not a URL that can be authorized"))
    if mechanism != INTERNAL:
        raise Refused(bad("no such mechanism"))
    # RFC 4467 7: nobody gives away what is another's.
    if completed(url.owner, session.user.lower()) != session.user.lower():
        raise Refused(bad("not your mailbox", "NOPERM"))
    # Two users of different domains would have the same name in it.
    if url.role == "user" and "@" in session.user and "@" not in url.owner + url.role_user:
        raise Refused(bad("the URL names its users without a domain", "CANNOT"))
    if url.expires is not None and url.expires <= session.means.clock.now():
        raise Refused(no("expired already", "CANNOT"))
    return url


async def do_resetkey(session: Session, command: Command, args: ResetKey) -> Reply:
    """RFC 4467 7: without a mailbox, the keys of all; a mechanism we lack has no key."""
    account = session.owner()
    if not args.mailbox:
        await session.means.pool.run(reset_all, account)
        return ok("all keys are new")
    if not args.mechanisms or INTERNAL in args.mechanisms:
        await session.means.pool.run(reset, account, args.mailbox)
        selected = session.selected
        if selected is not None and selected.name == args.mailbox:
            # Ours are told by the reply.
            selected.keys = await session.means.pool.run(mark, account, args.mailbox)
    return ok("the key is new", _MECHANISMS)


async def do_urlfetch(session: Session, command: Command, args: UrlFetch) -> Reply:
    """RFC 4467 7: a response for each URL, so that no more than one message is held."""
    for text in args.urls:
        granted = await authorize(session, text)
        octets = await session.means.pool.run(granted.read) if granted is not None else None
        session.out.write(b"* URLFETCH %b %b\r\n" % (string(text.encode()), nstring(octets)))
        await session.out.drain()
    return ok("done")


VERBS = {
    "GENURLAUTH": Verb(do_genurlauth, KNOWN),
    "RESETKEY": Verb(do_resetkey, KNOWN),
    "URLFETCH": Verb(do_urlfetch, KNOWN),
}
