"""GETMETADATA and SETMETADATA: annotations on mailboxes and on the server.

Promises: private entries are the user's own; shared entries of the server are the operator's
(settings) and cannot be set. A mailbox's special use is an entry like others, and not kept as one.
RFC: 5464, 9590; 6154 4, 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mailnode.access.imap.commands.batching import each_folder
from mailnode.access.imap.commands.mailboxes import one_use
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Refused, Reply, no, ok
from mailnode.access.imap.session import Session
from mailnode.model.errors import BadFolderName, NoSuchFolder, TooManyAnnotations
from mailnode.store import Account
from mailnode.wire.imap.account_args import GetMetadata, SetMetadata
from mailnode.wire.imap.ast import Command
from mailnode.wire.imap.format import astring, mailbox, nstring

Found = list[tuple[str, bytes | None]]
SPECIAL_USE = "/private/specialuse"


async def do_get_metadata(session: Session, command: Command, args: GetMetadata) -> Reply:
    """RFC 5464 4.2."""
    account = session.owner()
    notes = await session.means.pool.run(account.annotations, args.mailbox, session.user)
    if not args.mailbox:
        notes = {**_private(notes), **_from_operator(session)}
    elif args.depth != 0 or SPECIAL_USE in args.entries:
        uses = await session.means.pool.run(special_uses, account)
        notes = with_use(notes, uses, args.mailbox)
    found = select(notes, args)
    limit = args.max_size
    sizes = [len(value) for _, value in found if value is not None]
    if limit is not None:
        found = [(name, value) for name, value in found if value is None or len(value) <= limit]
    if found:
        line = metadata_line(args.mailbox, found, session.enabled.utf8)
        session.out.write(line)
    longest = max(sizes, default=0)
    # RFC 5464 4.2.1: the client learns how much it would have to take.
    too_long = limit is not None and longest > limit
    return ok("done", f"METADATA LONGENTRIES {longest}" if too_long else "")


def special_uses(account: Account) -> dict[str, bytes]:
    """Blocking: the special use of each mailbox that has one."""
    return {info.name: info.special_use.encode() for info in account.folders() if info.special_use}


def with_use(notes: Mapping[str, bytes], uses: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """A mailbox's annotations with the one that tells its special use (RFC 6154 4)."""
    rest = {entry: value for entry, value in notes.items() if entry != SPECIAL_USE}
    return {**rest, SPECIAL_USE: uses[name]} if name in uses else rest


def _private(notes: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: value for name, value in notes.items() if name.startswith("/private/")}


def _from_operator(session: Session) -> dict[str, bytes]:
    settings = session.means.settings
    told = {"/shared/admin": settings.admin_uri, "/shared/comment": settings.server_comment}
    return {name: value.encode() for name, value in told.items() if value}


def select(notes: Mapping[str, bytes], args: GetMetadata) -> Found:
    """The entries asked for; a name asked for by itself and not there is ``None``."""
    if args.depth == 0:
        return [(name, notes.get(name)) for name in args.entries]
    return [(name, notes[name]) for name in sorted(notes) if _asked(name, args)]


def _asked(name: str, args: GetMetadata) -> bool:
    for entry in args.entries:
        if name == entry:
            return True
        below = name.removeprefix(entry + "/")
        # RFC 5464 4.2.2: depth 1 is children only.
        if below != name and (args.depth is None or "/" not in below):
            return True
    return False


async def do_set_metadata(session: Session, command: Command, args: SetMetadata) -> Reply:
    """RFC 5464 4.3."""
    settings = session.means.settings
    changes = dict(args.values)
    if not args.mailbox and any(name.startswith("/shared/") for name in changes):
        # RFC 5464 3.3: the server may restrict who annotates it.
        raise Refused(no("the operator sets these", "NOPERM"))
    use = _use_wanted(args.mailbox, changes)
    if any(len(value or b"") > settings.annotation_bytes for value in changes.values()):
        return no("value too large", f"METADATA MAXSIZE {settings.annotation_bytes}")
    account, limit = session.owner(), settings.annotations
    session.did(args.mailbox)
    if use is not None:
        await session.means.pool.run(_may_have_use, account, args.mailbox)
    try:
        if changes:
            note = account.annotate
            await session.means.pool.run(note, args.mailbox, session.user, changes, limit)
    except TooManyAnnotations:
        return no("too many annotations", "METADATA TOOMANY")
    if use is not None:
        for name in await session.means.pool.run(_give_use, account, args.mailbox, use):
            session.out.write(metadata_line(name, [(SPECIAL_USE, None)], session.enabled.utf8))
    return ok("done")


def _use_wanted(name: str, changes: dict[str, bytes | None]) -> str | None:
    """The special use that is to be set (empty: none), taken out of the changes; ``None`` where
    none of them is about it. RFC 6154 4: never blindly."""
    if not name or SPECIAL_USE not in changes:
        return None
    value = changes.pop(SPECIAL_USE)
    if name == "INBOX" or value == b"":
        raise Refused(no("special use not supported", "USEATTR"))
    return one_use(value.decode("utf-8", "replace").split(" ")) if value is not None else ""


def _may_have_use(account: Account, name: str) -> None:
    """Blocking: before anything is set, for it is all or none (RFC 5464 4.3)."""
    info = next((info for info in account.folders() if info.name == name), None)
    if info is None or not info.selectable:
        raise NoSuchFolder(name)
    if info.shared:
        # RFC 6154 7: what becomes e.g. Junk must not be seen by others.
        raise BadFolderName(name)


def _give_use(account: Account, name: str, use: str) -> list[str]:
    """Blocking: set it; which mailboxes had it before and do not have it now (RFC 6154 5.4)."""
    before = special_uses(account)
    account.use_for(name, use)
    return sorted(before.keys() - special_uses(account).keys() - {name})


def metadata_line(name: str, found: Iterable[tuple[str, bytes | None]], utf8: bool) -> bytes:
    """An untagged METADATA with values."""
    pairs = [astring(entry.encode()) + b" " + nstring(value) for entry, value in found]
    return b"* METADATA %b (%b)\r\n" % (mailbox(name, utf8), b" ".join(pairs))


async def read_annotations(
    session: Session, names: list[str], entries: Sequence[str]
) -> dict[str, dict[str, bytes]]:
    """Annotations of several folders, ``entries`` among them (LIST-METADATA)."""
    account, user = session.owner(), session.user
    found = await each_folder(session, names, lambda name: account.annotations(name, user))
    if SPECIAL_USE in entries:
        uses = await session.means.pool.run(special_uses, account)
        found = {name: with_use(notes, uses, name) for name, notes in found.items()}
    return found


VERBS = {
    "GETMETADATA": Verb(do_get_metadata, KNOWN),
    "SETMETADATA": Verb(do_set_metadata, KNOWN),
}
