"""SELECT, EXAMINE, CHECK, CLOSE, UNSELECT, EXPUNGE: the selected folder as a whole.

RFC: 3501 6.3.1, 6.3.2, 6.4.1-6.4.3; 9051 6.3.2, 6.3.3; 3691; 4315 2.1; 7162 3.1.2, 3.1.8, 3.2.5,
3.2.11.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from mailnode.access.imap import url_keys
from mailnode.access.imap.commands.choosing import batches, chosen
from mailnode.access.imap.commands.listing import listed_line, read_known
from mailnode.access.imap.commands.resync import resynced
from mailnode.access.imap.commands.verb import KNOWN, SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.selected import (
    LINES_AT_ONCE,
    URLMECH,
    News,
    Selected,
    keyword_lines,
    old_name,
    vanished_lines,
)
from mailnode.access.imap.session import Session
from mailnode.model.errors import NoPermission
from mailnode.runtime.maillog import Event
from mailnode.store import Account, Folder, Picture
from mailnode.wire.imap.ast import Command, NoArgs, QResync, Select, UidExpunge


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a folder gives, all found in one visit to the disk."""

    folder: Folder
    picture: Picture
    recent: range
    first_unseen: int
    keys: bytes


def open_folder(account: Account, name: str, read_only: bool) -> Opened:
    """Blocking. Raises ``NoSuchFolder``."""
    folder = account.open(name, read_only)
    try:
        # Before the picture: a key that changes in between is told of once too often, not never.
        keys = url_keys.mark(account, name)
        picture = folder.refresh()
        frozen = read_only or folder.read_only
        recent = folder.peek_recent() if frozen else folder.claim_recent()
        return Opened(folder, picture, recent, folder.first_unseen(picture) + 1, keys)
    except BaseException:
        folder.close()
        raise


async def do_select(session: Session, command: Command, args: Select) -> Reply:
    """RFC 3501 6.3.1, and EXAMINE (6.3.2)."""
    account = session.owner()
    if args.qresync is not None and not session.enabled.qresync:
        # RFC 7162 3.2.5
        raise Refused(bad("ENABLE QRESYNC first"))
    if session.enabled.uidonly and args.qresync is not None and args.qresync.match_numbers:
        raise Refused(bad("no message numbers after ENABLE UIDONLY", "UIDREQUIRED"))
    if session.selected is not None:
        # RFC 7162 3.2.11: what follows belongs to the new folder. Also where SELECT fails.
        await session.leave()
        session.out.write(b"* OK [CLOSED] previous mailbox closed\r\n")
    examine = command.name == "EXAMINE"
    brisk = session.means.pool.brisk
    # All that can fail comes before the folder is selected.
    known = await brisk(read_known, account) if session.enabled.rev2 else None
    opened = await brisk(open_folder, account, args.mailbox, examine)
    read_only = examine or opened.folder.read_only
    if args.condstore:
        session.turn_condstore_on()
    selected = Selected(opened.folder, opened.picture, opened.recent, read_only, session.enabled)
    selected.keys = opened.keys
    session.enter(selected)
    session.out.write(_greeting(selected, opened.first_unseen))
    if known is not None:
        # RFC 9051 6.3.2: the name as the server knows it, and the client's if that is another.
        line = listed_line(known, args.mailbox, utf8=True, extended=old_name(args.asked))
        session.out.write(line)
    if args.qresync is not None:
        await _resynchronise(session, args.qresync)
    code = "READ-WRITE" if selected.writable else "READ-ONLY"
    return ok(f"{command.name.capitalize()} done", code)


def _greeting(selected: Selected, first_unseen: int) -> bytes:
    picture = selected.picture
    lines = keyword_lines(picture, selected.lasting)
    lines.append(b"* %d EXISTS\r\n" % len(picture.uids))
    if not selected.enabled.rev2:
        lines.append(b"* %d RECENT\r\n" % selected.recent_count(picture))
    # RFC 9051 E: neither RECENT nor UNSEEN for IMAP4rev2.
    # RFC 9586 3.2: nor UNSEEN, a message number, for UIDONLY.
    if first_unseen and not (selected.enabled.rev2 or selected.enabled.uidonly):
        lines.append(b"* OK [UNSEEN %d] first unseen\r\n" % first_unseen)
    lines.append(b"* OK [UIDVALIDITY %d] UIDs valid\r\n" % picture.uidvalidity)
    lines.append(b"* OK [UIDNEXT %d] next UID\r\n" % picture.uidnext)
    lines.append(b"* OK [HIGHESTMODSEQ %d] highest\r\n" % picture.highestmodseq)
    # RFC 8474 4.2
    mailbox_id = selected.folder.mailbox_id.encode()
    lines.append(b"* OK [MAILBOXID (%b)] mailbox id\r\n" % mailbox_id)
    lines.append(URLMECH)
    return b"".join(lines)


async def _resynchronise(session: Session, want: QResync) -> None:
    """RFC 7162 3.2.5.1: what vanished, then what changed; nothing of that if UIDs are others."""
    selected = session.view()
    picture = selected.picture
    if want.uidvalidity != picture.uidvalidity:
        return
    gone, changed = await session.means.pool.run(resynced, selected.folder, picture, want)
    session.out.write(b"".join(vanished_lines(gone, earlier=True)))
    for some in batches(changed, LINES_AT_ONCE):
        session.out.write(b"".join(selected.flags_line(uid) for uid in some))
        await session.out.drain()


async def do_check(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3501 6.4.1: a checkpoint; for us, a look for what other programs put there."""
    await session.means.pool.run(_rescan, session.view().folder)
    return ok("checked")


def _rescan(folder: Folder) -> None:
    folder.refresh(rescan=True)


async def do_close(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3501 6.4.2: expunge without a word, then deselect. RFC 7162 3.2.8: no HIGHESTMODSEQ, for
    a client that took it would never ask what was expunged."""
    selected = session.view()
    if not selected.read_only:
        # RFC 4314 4: without "e", CLOSE expunges nothing, and that is no error. What we know of our
        # rights may be older than what the store finds.
        with suppress(NoPermission):
            await _expunge(session, None)
    await session.leave()
    return ok("closed")


async def do_unselect(session: Session, command: Command, args: NoArgs) -> Reply:
    """RFC 3691."""
    await session.leave()
    return ok("closed, nothing expunged")


async def do_expunge(session: Session, command: Command, args: NoArgs | UidExpunge) -> Reply:
    """RFC 3501 6.4.3, and UID EXPUNGE (RFC 4315 2.1)."""
    selected = session.view()
    need_writable(selected)
    uids: list[int] | None = None
    if isinstance(args, UidExpunge):
        uids = chosen(selected, args.uids, by_uid=True)
    news = await _expunge(session, uids)
    # Told here, so that the reply can name the modseq the client has now reached.
    await session.tell_news(news, expunge=True, own=True)
    code = f"HIGHESTMODSEQ {selected.picture.highestmodseq}" if session.enabled.condstore else ""
    return ok("expunged", code)


async def _expunge(session: Session, uids: list[int] | None) -> News | None:
    """Expunge and log it; the news that came of it."""
    selected = session.view()
    gone, news = await session.means.pool.run(expunge, selected, uids)
    if gone:
        session.means.log.event(
            Event.EXPUNGED,
            service="imap",
            user=session.user,
            folder=selected.folder.name,
            count=len(gone),
        )
    return news


def expunge(selected: Selected, uids: list[int] | None) -> tuple[list[int], News | None]:
    """Blocking: the UIDs removed, and what a look shows after it."""
    return selected.folder.expunge(uids), selected.look()


def need_writable(selected: Selected) -> None:
    """RFC 3501 6.3.2: no changes after EXAMINE."""
    if selected.read_only:
        raise Refused(no("the mailbox is open for reading only", "CANNOT"))


VERBS = {
    "SELECT": Verb(do_select, KNOWN, After.NONE),
    "EXAMINE": Verb(do_select, KNOWN, After.NONE),
    "CHECK": Verb(do_check, SELECTED, After.LOOK),
    "CLOSE": Verb(do_close, SELECTED, After.NONE),
    "UNSELECT": Verb(do_unselect, SELECTED, After.NONE),
    "EXPUNGE": Verb(do_expunge, SELECTED, After.NONE),
}
