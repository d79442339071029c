"""SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS: who may do what with a mailbox.

Promises: an owner has every right and keeps it; a change is durable before OK, and counts for
every session everywhere at its next step.
RFC: 4314, 8440.
"""

from __future__ import annotations

from mailnode.access.imap.commands.batching import each_folder
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.session import Session
from mailnode.model.rights import ALL_RIGHTS, OBSOLETE, expanded, ordered, shown
from mailnode.runtime.maillog import Event
from mailnode.store.acl import OWNER, Acl, Entry, TooManyEntries
from mailnode.store.shared import WideAccount
from mailnode.store.sharing import UnknownIdentifier, named
from mailnode.wire.imap.account_args import ListRights, SetAcl
from mailnode.wire.imap.ast import Command, OneMailbox
from mailnode.wire.imap.format import astring, mailbox


def reach(session: Session) -> WideAccount:
    """The account with all that is shared."""
    account = session.owner()
    assert isinstance(account, WideAccount)
    return account


async def do_set_acl(session: Session, command: Command, args: SetAcl) -> Reply:
    """RFC 4314 3.1, 3.2."""
    rights = "" if args.rights is None else expanded(args.rights)
    if rights is None:
        # RFC 4314 3.1: an unknown right is a BAD command.
        return bad("unknown right")
    session.did(args.mailbox)
    try:
        await session.means.pool.run(change, reach(session), args, rights)
    except UnknownIdentifier as error:
        return no(error.public, "CANNOT")
    except TooManyEntries as error:
        return no(error.public, "LIMIT")
    session.means.log.event(
        Event.SHARED,
        user=session.user,
        folder=args.mailbox,
        identifier=f"-{args.identifier}" if args.negative else args.identifier,
        rights="none" if args.rights is None else args.op + rights,
    )
    return ok("done")


def change(account: WideAccount, args: SetAcl, rights: str) -> Acl:
    """Blocking. Raises ``NoPermission``, ``UnknownIdentifier``, ``TooManyEntries``."""
    owner = account.owner_of(args.mailbox)
    identifier = named(args.identifier, account.person, owner, account.spaces.everywhere)

    def changed(acl: Acl) -> Acl:
        there = acl.find(identifier, negative=args.negative)
        if args.rights is None:
            return acl.without(identifier, negative=args.negative)
        if identifier.startswith("$") and there is None:
            raise UnknownIdentifier(identifier)
        before = there or Entry(identifier, "", args.negative)
        return acl.replaced(before._replace(rights=combined(before.rights, args.op, rights)))

    if owner and identifier == owner:
        account.acl(args.mailbox)  # whoever may not even ask is told so first
        if args.negative or combined(ALL_RIGHTS, args.op, rights) != ALL_RIGHTS:
            raise Refused(no("the owner has every right and keeps it", "CANNOT"))
        return account.acl(args.mailbox)
    return account.change_acl(args.mailbox, changed)


def combined(before: str, op: str, rights: str) -> str:
    """RFC 4314 3.1: what ``+``, ``-`` or neither make of the rights that were there."""
    if op == "+":
        return ordered({*before, *rights})
    return ordered(set(before) - set(rights)) if op == "-" else rights


async def do_get_acl(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 4314 3.3."""
    account = reach(session)
    acl = await session.means.pool.run(account.acl, args.mailbox)
    owner = await session.means.pool.run(account.owner_of, args.mailbox)
    pairs = [(owner, ALL_RIGHTS)] if owner else []
    pairs += (
        ("-" * entry.negative + entry.identifier, entry.rights)
        for entry in acl.entries
        if not owner or entry.identifier not in (owner, OWNER)
    )
    words = b"".join(
        b" %b %b" % (astring(name.encode("utf-8", "replace")), astring(shown(rights).encode()))
        for name, rights in pairs
    )
    session.out.write(b"* ACL %b%b\r\n" % (mailbox(args.mailbox, session.enabled.utf8), words))
    return ok("done")


async def do_list_rights(session: Session, command: Command, args: ListRights) -> Reply:
    """RFC 4314 3.4: an owner always has all; everybody else may be given each by itself."""
    account = reach(session)
    await session.means.pool.run(account.acl, args.mailbox)
    owner = await session.means.pool.run(account.owner_of, args.mailbox)
    try:
        identifier = named(args.identifier, account.person, owner, account.spaces.everywhere)
    except UnknownIdentifier as error:
        return no(error.public, "CANNOT")
    rights = b'""' + b"".join(b" " + r.encode() for r in (*ALL_RIGHTS, *OBSOLETE))
    if owner and identifier == owner:
        rights = shown(ALL_RIGHTS).encode()
    name = mailbox(args.mailbox, session.enabled.utf8)
    line = b"* LISTRIGHTS %b %b %b\r\n" % (name, astring(args.identifier.encode()), rights)
    session.out.write(line)
    return ok("done")


async def do_my_rights(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 4314 3.5."""
    rights = await session.means.pool.run(reach(session).my_rights, args.mailbox)
    session.out.write(my_rights_line(args.mailbox, rights, session.enabled.utf8))
    return ok("done")


def my_rights_line(name: str, rights: str, utf8: bool) -> bytes:
    """An untagged MYRIGHTS."""
    return b"* MYRIGHTS %b %b\r\n" % (mailbox(name, utf8), astring(shown(rights).encode()))


async def read_rights(session: Session, names: list[str]) -> dict[str, str]:
    """Rights of several folders (LIST-MYRIGHTS)."""
    return await each_folder(session, names, reach(session).my_rights)


VERBS = {
    "SETACL": Verb(do_set_acl, KNOWN),
    "DELETEACL": Verb(do_set_acl, KNOWN),
    "GETACL": Verb(do_get_acl, KNOWN),
    "LISTRIGHTS": Verb(do_list_rights, KNOWN),
    "MYRIGHTS": Verb(do_my_rights, KNOWN),
}
