"""NOTIFY: begun here, told by the connection whenever no command runs.

Promises: a client that is slow to read holds up its own news only; when there is too much to
watch it is told so and hears of nothing (RFC 5465 5.8).
RFC: 5465.
"""

from __future__ import annotations

from mailnode.access.imap.commands.acl import reach
from mailnode.access.imap.commands.fetching import send_rows
from mailnode.access.imap.commands.listing import listed_line, read_known
from mailnode.access.imap.commands.mailboxes import figures_line
from mailnode.access.imap.commands.verb import KNOWN, After, Verb
from mailnode.access.imap.reply import Reply, no, ok
from mailnode.access.imap.session import Session
from mailnode.access.imap.watch import Found, Overflow, Watch, Wishes
from mailnode.store import FolderStatus
from mailnode.wire.imap.ast import Command
from mailnode.wire.imap.format import astring, list_line, mailbox
from mailnode.wire.imap.notify_args import Notify, NotifyEvent

TOO_MUCH = no("too many mailboxes to watch", "NOTIFICATIONOVERFLOW")
EVENTS = " ".join(event.value for event in NotifyEvent)


async def do_notify(session: Session, command: Command, args: Notify) -> Reply:
    """RFC 5465 3.1."""
    if args.unknown:
        return no("event not supported", f"BADEVENT ({EVENTS})")
    wishes = Wishes(args.groups, reach(session).prefixes)
    watch = Watch(wishes, session.user, session.means.settings.notify_folders)
    account = session.owner()
    try:
        await session.means.pool.run(watch.begin, account)
    except Overflow:
        return TOO_MUCH
    # RFC 5465 3.1: an implicit NOOP, by the rules that were in force until now.
    await session.send_news(look=True, expunge=True)
    if session.watch is not None:
        session.watch.close()
    session.watch = watch
    watch.on_added = lambda uids: _fetch_added(session, uids)
    _listen(session, watch)
    for name in watch.denied:
        # RFC 5465 3.1: "l" shows it, but the events need "r".
        line = list_line((b"\\NoAccess",), name, utf8=session.enabled.utf8)
        session.out.write(line + b"\r\n")
    if args.status:
        await _tell_all(session, watch)
    return ok("you will be told" if args.groups else "you will not be told of anything")


def _listen(session: Session, watch: Watch) -> None:
    watch.listen(session.means.hints.subscribe, session.out.wake)


async def _tell_all(session: Session, watch: Watch) -> None:
    """RFC 5465 3.1: STATUS of each folder with message events, but for the selected one."""
    for name, seen in sorted(watch.seen.items()):
        events = watch.events_of(name)
        items: tuple[str, ...] = ("MESSAGES", "UIDNEXT", "UIDVALIDITY")
        if NotifyEvent.FLAGS in events:
            items += ("HIGHESTMODSEQ",)
        if events and not _is_selected(session, seen.key):
            session.out.write(figures_line(session, name, seen.status, items))
            await session.out.drain()


def _is_selected(session: Session, key: str) -> bool:
    return session.selected is not None and session.selected.folder.key == key


async def tell_watch(session: Session) -> None:
    """Tell what the watch has heard of outside the selected folder."""
    watch = session.watch
    if watch is None or not (watch.account_changed or watch.changed):
        return
    try:
        found = await session.means.pool.run(watch.look, session.owner())
    except Overflow:
        watch.close()
        session.watch = Watch(Wishes(()), session.user, 0)
        session.out.write(ok(TOO_MUCH.text, TOO_MUCH.code).line("*"))
        return
    _listen(session, watch)
    await _tell_names(session, found)
    for name, entries in found.notes:
        words = b" ".join(astring(entry.encode()) for entry in entries)
        name_text = mailbox(name, session.enabled.utf8)
        session.out.write(b"* METADATA %b %b\r\n" % (name_text, words))
    for name, old, new in found.statuses:
        _tell_status(session, watch, name, old, new)
    await session.out.drain()


async def _tell_names(session: Session, found: Found) -> None:
    """RFC 5465 5.4, 5.5."""
    utf8 = session.enabled.utf8
    for name in found.vanished:
        session.out.write(list_line((b"\\NonExistent",), name, utf8=utf8) + b"\r\n")
    if not (found.renamed or found.listed or found.subscriptions):
        return
    known = await session.means.pool.run(read_known, session.owner())
    for old, name in found.renamed:
        extended = b'("OLDNAME" (%b))' % mailbox(old, utf8)
        session.out.write(listed_line(known, name, utf8=utf8, extended=extended))
    for name in dict.fromkeys((*found.listed, *found.subscriptions)):
        session.out.write(listed_line(known, name, utf8=utf8))


def _tell_status(
    session: Session, watch: Watch, name: str, old: FolderStatus, new: FolderStatus
) -> None:
    """RFC 5465 5.1-5.3: a change in a folder that is not selected."""
    if _is_selected(session, watch.seen[name].key):
        return
    events, condstore = watch.events_of(name), session.enabled.condstore
    items: list[str] = []
    if events and (old.messages, old.uidnext) != (new.messages, new.uidnext):
        items += ["UIDNEXT", "MESSAGES"]
    if NotifyEvent.FLAGS in events and (condstore or old.unseen != new.unseen):
        items += ["UIDVALIDITY", "UNSEEN"]
    elif events and old.uidvalidity != new.uidvalidity:
        items.append("UIDVALIDITY")
    if items and condstore:
        items.append("HIGHESTMODSEQ")
    if items:
        session.out.write(figures_line(session, name, new, tuple(items)))


async def _fetch_added(session: Session, uids: list[int]) -> None:
    """RFC 5465 5.2: what the client wants to know of new messages at once."""
    watch = session.watch
    if watch is not None and watch.wishes.items:
        await send_rows(session, watch.wishes.items, uids)


VERBS = {"NOTIFY": Verb(do_notify, KNOWN, After.NONE)}
