"""CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, NAMESPACE, STATUS, ENABLE.

RFC: 3501 6.3.3-6.3.7, 6.3.10; 9051 6.3.1, 6.3.4, 6.3.6, 6.3.9.7; 2342; 5161; 6154 3;
7162 3.1.7, 3.2.3; 7889; 8438.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from mailnode.access.imap.commands.acl import reach
from mailnode.access.imap.commands.batching import each_folder
from mailnode.access.imap.commands.verb import KNOWN, After, Verb
from mailnode.access.imap.reply import Refused, Reply, no, ok
from mailnode.access.imap.selected import renamed_line
from mailnode.access.imap.session import Session
from mailnode.model.errors import NoPermission, NoSuchFolder
from mailnode.store import Account, FolderStatus
from mailnode.wire.imap.ast import Command, Create, Enable, NoArgs, OneMailbox, Rename, Status
from mailnode.wire.imap.format import mailbox, status_line

# RFC 6154 2: what may be set here. \All and \Flagged would be views of other folders.
USES = {use.lower(): use for use in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")}


def one_use(asked: Sequence[str]) -> str:
    """The special use that a client wants for a mailbox, empty for none. Raises ``Refused``."""
    uses = [USES.get(use.lower(), "") for use in asked]
    # RFC 6154 3: "USEATTR" when a use is unknown, or when there are more than we can keep.
    if "" in uses or len(uses) > 1:
        raise Refused(no("special use not supported", "USEATTR"))
    return uses[0] if uses else ""


async def do_create(session: Session, command: Command, args: Create) -> Reply:
    """RFC 3501 6.3.3, with a special use (RFC 6154 3)."""
    use = one_use(args.special_use)
    _check_spelling(args)
    account, name = session.owner(), _net_unicode(session, args.mailbox)
    session.did(name)
    mailbox_id = await session.means.pool.run(account.create, name, use)
    _tell_name(session, name, args.asked or args.mailbox)
    # RFC 8474 4.1
    return ok("created", f"MAILBOXID ({mailbox_id})")


async def do_delete(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 3501 6.3.4."""
    if args.mailbox == "INBOX":
        return no("INBOX cannot be deleted", "CANNOT")
    session.did(args.mailbox)
    selected = session.selected
    mine = selected is not None and selected.folder.name == args.mailbox
    try:
        await session.means.pool.run(session.owner().delete, args.mailbox)
    except NoPermission:
        raise
    except NoSuchFolder:
        if await session.means.pool.run(_is_mere_parent, session.owner(), args.mailbox):
            # RFC 9051 6.3.5: a name with \Noselect and others below it stays.
            return no("there are mailboxes below it", "HASCHILDREN")
        raise
    if mine:
        # RFC 2180 3.3: other sessions that have it selected are disconnected when they look at it.
        await session.leave()
        session.out.write(b"* OK [CLOSED] mailbox closed\r\n")
    return ok("deleted")


def _is_mere_parent(account: Account, name: str) -> bool:
    return any(info.name == name and not info.selectable for info in account.folders())


async def do_rename(session: Session, command: Command, args: Rename) -> Reply:
    """RFC 3501 6.3.5; INBOX keeps existing, its messages move."""
    _check_spelling(args)
    new = _net_unicode(session, args.new)
    session.did(args.old, new)
    await session.means.pool.run(session.owner().rename, args.old, new)
    if args.old != "INBOX":
        session.renamed(args.old, new)
        _tell_name(session, new, args.old)
    return ok("renamed")


def _check_spelling(args: Create | Rename) -> None:
    """RFC 3501 5.1, 5.1.3: LIST could not give such a name back as it was asked for."""
    if args.misspelt:
        raise Refused(no("the name is not in modified UTF-7", "CANNOT"))


def _net_unicode(session: Session, name: str) -> str:
    """RFC 9051 5.1, 6.3.4: the name of a new mailbox in the one form that everybody gives it.
    Names in modified UTF-7 are taken as they are: nothing would tell the client of another."""
    normal = unicodedata.normalize("NFC", name) if session.enabled.utf8 else name
    if normal != name and not session.enabled.rev2:
        raise Refused(no("the name is not in normal form C", "CANNOT"))
    return normal


def _tell_name(session: Session, name: str, asked: str) -> None:
    """RFC 9051 6.3.4, 6.3.6, 6.3.9.7: the mailbox that was ``asked`` is called ``name`` now."""
    if session.enabled.rev2 and asked not in ("", name):
        session.out.write(renamed_line(name, asked))


async def do_subscribe(session: Session, command: Command, args: OneMailbox) -> Reply:
    """RFC 3501 6.3.6, 6.3.7; the folder need not exist."""
    on = command.name == "SUBSCRIBE"
    session.did(args.mailbox)
    await session.means.pool.run(session.owner().subscribe, args.mailbox, on)
    return ok("subscribed" if on else "unsubscribed")


async def do_namespace(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 2342 5: personal, other users', and public mailboxes."""
    spaces, utf8 = reach(session).spaces, session.enabled.utf8
    shared = b" ".join(_namespace(name, utf8) for name in (spaces.others, spaces.public))
    session.out.write(b'* NAMESPACE (("" "/")) %b\r\n' % shared)
    return ok("done")


def _namespace(name: str, utf8: bool) -> bytes:
    return b'((%b "/"))' % mailbox(f"{name}/", utf8) if name else b"NIL"


async def do_status(session: Session, command: Command, args: Status) -> Reply:
    """RFC 3501 6.3.10."""
    # RFC 7162 3.1.7: asking for HIGHESTMODSEQ switches CONDSTORE on.
    if "HIGHESTMODSEQ" in args.items:
        session.turn_condstore_on()
    status = await session.means.pool.brisk(session.owner().status, args.mailbox)
    session.out.write(figures_line(session, args.mailbox, status, args.items))
    return ok("done")


def figures_line(
    session: Session, name: str, status: FolderStatus, items: tuple[str, ...]
) -> bytes:
    """An untagged STATUS, items in the client's order."""
    figures: dict[str, int | bytes] = {
        "MESSAGES": status.messages,
        "RECENT": status.recent,
        "UNSEEN": status.unseen,
        "DELETED": status.deleted,
        "DELETED-STORAGE": status.deleted_size,
        "UIDNEXT": status.uidnext,
        "UIDVALIDITY": status.uidvalidity,
        "HIGHESTMODSEQ": status.highestmodseq,
        "SIZE": status.size,
        "MAILBOXID": f"({status.mailbox_id})".encode(),
        "APPENDLIMIT": session.means.settings.max_append_bytes,
    }
    found = [(item, figures[item]) for item in items]
    return status_line(name, found, session.enabled.utf8) + b"\r\n"


async def do_enable(session: Session, command: Command, args: Enable) -> Reply:
    """RFC 5161 3.1: names we do not know are passed over in silence."""
    wanted = [name for name in dict.fromkeys(args.capabilities) if name in SWITCHES]
    for name in wanted:
        SWITCHES[name](session)
    shown = ("IMAP4rev2" if name == "IMAP4REV2" else name for name in wanted)
    session.out.write(f"* ENABLED {' '.join(shown)}".rstrip().encode() + b"\r\n")
    return ok("done")


def _turn_qresync_on(session: Session) -> None:
    # RFC 7162 3.2.3: QRESYNC brings CONDSTORE.
    session.turn_condstore_on()
    session.enabled.qresync = True


def _turn_rev2_on(session: Session) -> None:
    # RFC 9051 5.1, A: names are UTF-8 from now on, both ways.
    session.enabled.rev2 = session.enabled.utf8 = True


def _turn_utf8_on(session: Session) -> None:
    # RFC 6855 3
    session.enabled.utf8_accept = session.enabled.utf8 = True


def _turn_uidonly_on(session: Session) -> None:
    # RFC 9586 3.1
    session.enabled.uidonly = True


# What ENABLE knows; capabilities that need no ENABLE are not among them (RFC 5161 3.1).
SWITCHES: dict[str, Callable[[Session], None]] = {
    "CONDSTORE": Session.turn_condstore_on,
    "QRESYNC": _turn_qresync_on,
    "IMAP4REV2": _turn_rev2_on,
    "UTF8=ACCEPT": _turn_utf8_on,
    "UIDONLY": _turn_uidonly_on,
}


async def read_statuses(session: Session, names: list[str]) -> dict[str, FolderStatus]:
    """Figures of several folders (LIST-STATUS)."""
    return await each_folder(session, names, session.owner().status)


VERBS = {
    "CREATE": Verb(do_create, KNOWN),
    "DELETE": Verb(do_delete, KNOWN),
    "RENAME": Verb(do_rename, KNOWN),
    "SUBSCRIBE": Verb(do_subscribe, KNOWN),
    "UNSUBSCRIBE": Verb(do_subscribe, KNOWN),
    "NAMESPACE": Verb(do_namespace, KNOWN),
    "STATUS": Verb(do_status, KNOWN, After.KNOWN),
    "ENABLE": Verb(do_enable, KNOWN, After.NONE),
}
