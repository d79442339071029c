"""FETCH and UID FETCH: from a set of messages to what ``Fetcher`` renders of them.

Promises: a bounded piece of the answer is in memory at a time, and the next is made when the
client has taken it.
RFC: 3501 6.4.5; 2180 4.1; 6855 8; 6858 3; 7162 3.1.4, 3.2.6; 9394 3.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mailnode.access.imap.commands.choosing import SOME_GONE, chosen_rows
from mailnode.access.imap.commands.results import cut
from mailnode.access.imap.commands.resync import known_spans, vanished
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.fetch import MAX_ROWS, Fetcher, Rendered
from mailnode.access.imap.message_file import FilePart
from mailnode.access.imap.reply import Refused, Reply, bad, no, ok
from mailnode.access.imap.selected import Selected, vanished_lines
from mailnode.access.imap.session import FolderLost, Session
from mailnode.access.link import Hangup
from mailnode.model.errors import NoSuchFolder, StorageGone
from mailnode.store import Picture
from mailnode.wire.imap.ast import Command, Fetch
from mailnode.wire.imap.fetch_items import Fact, FetchItem
from mailnode.wire.imap.format import ordered_set

ANSWER_BYTES = 256 * 1024
DRAIN_BYTES = 32 * 1024
LOOKED_AT = 50_000  # modseqs at once
MAX_NAMED = 500  # UIDs in a response code; some clients have buffers of a few KiB for a line
UNKNOWN_ENCODING = no("the transfer encoding of a part is not known", "UNKNOWN-CTE")


@dataclass(slots=True)
class LeftOut:
    """Whether messages were left out of an answer, and why; ``downgraded``: UIDs of those that
    were shown in another form."""

    gone: bool = False
    undecodable: bool = False
    downgraded: tuple[int, ...] = ()


async def do_fetch(session: Session, command: Command, args: Fetch) -> Reply:
    """RFC 3501 6.4.5."""
    selected = session.view()
    if args.vanished and not session.enabled.qresync:
        raise Refused(bad("ENABLE QRESYNC first"))  # RFC 7162 3.2.6
    delta = args.changed_since is not None
    if delta or Fact.MODSEQ in args.items:
        session.turn_condstore_on()
    picture = await session.current(look=delta, expunge=command.uid)
    rows = chosen_rows(selected, args.messages, command.uid)
    if args.partial is not None:
        rows = cut(rows, args.partial)  # RFC 9394 3.3: of those that are there
    if args.vanished:
        await _tell_vanished(session, picture, args, rows)
    session.out.write(selected.new_keywords(picture))
    if args.changed_since is not None:  # RFC 7162 3.1.4.1
        rows = await _changed(rows, picture, args.changed_since)
    left_out = await _send_all(session, args.items, rows, picture)
    # RFC 3516 4.3: the command fails, though the rest was answered.
    if left_out.undecodable:
        return UNKNOWN_ENCODING
    # RFC 2180 4.1.2: the rest was answered; a UID that is gone is no error (RFC 3501 6.4.8).
    if left_out.gone and not command.uid:
        return SOME_GONE
    return ok("done", _downgraded(left_out.downgraded))


def _downgraded(uids: Sequence[int]) -> str:
    """RFC 6858 3: which of the messages were surrogates, by UID; it need not name all."""
    named = ordered_set(sorted(uids)[:MAX_NAMED]).decode()
    return f"DOWNGRADED {named}" if named else ""


async def send_rows(session: Session, items: Sequence[FetchItem], uids: Sequence[int]) -> None:
    """Tell of these messages as FETCH would, unasked (RFC 5465 5.2)."""
    selected = session.view()
    rows = [row for uid in uids if (row := selected.row(uid)) is not None]
    await _send_all(session, items, rows, selected.picture)


def _fetcher(session: Session, selected: Selected, items: Sequence[FetchItem]) -> Fetcher:
    return Fetcher(
        selected.folder,
        items,
        condstore=session.enabled.condstore,
        uid_only=session.enabled.uidonly,
        # RFC 6855 8: whoever has not enabled UTF-8 is shown what RFC 5322 allows.
        ascii_only=session.means.settings.downgrade_headers and not session.enabled.utf8,
        # RFC 4314 4: without "s" nothing becomes seen, and that is no error.
        read_only=selected.read_only or "s" not in selected.folder.rights,
        recent=selected.recents,
        cache=session.means.cache,
        max_bytes=ANSWER_BYTES,
    )


async def _changed(rows: Sequence[int], picture: Picture, since: int) -> Sequence[int]:
    """Those that changed since; others have their turn between some thousands."""
    found: list[int] = []
    modseqs = picture.modseqs
    for at in range(0, len(rows), LOOKED_AT):
        found += [row for row in rows[at : at + LOOKED_AT] if modseqs[row] > since]
        if at + LOOKED_AT < len(rows):
            await asyncio.sleep(0)
    return found


async def _tell_vanished(
    session: Session, picture: Picture, args: Fetch, rows: Sequence[int]
) -> None:
    """RFC 7162 3.2.6: before the changed messages, those of the set that are gone."""
    folder, spans = session.view().folder, known_spans(picture, args.messages)
    if args.partial is not None:
        # RFC 9394 3.4: only what lies between the messages of the part.
        uids = picture.uids
        low, high = (uids[rows[0]], uids[rows[-1]]) if rows else (1, 0)
        spans = [(max(a, low), min(b, high)) for a, b in spans if a <= high and b >= low]
    since = args.changed_since or 0
    gone = await session.means.pool.run(vanished, folder, picture, since, spans)
    session.out.write(b"".join(vanished_lines(gone, earlier=True)))


async def _send_all(
    session: Session, items: Sequence[FetchItem], rows: Sequence[int], picture: Picture
) -> LeftOut:
    """Send the answers for these rows. Raises ``FolderLost``."""
    selected, left_out = session.view(), LeftOut()
    fetcher = _fetcher(session, selected, items)
    at_once = session.means.settings.batch_messages if fetcher.needs_content else MAX_ROWS
    at = 0
    while at < len(rows):
        some = rows[at : at + at_once]
        try:
            rendered = await session.means.pool.brisk(fetcher.render, some, picture)
        except NoSuchFolder:
            raise FolderLost from None  # or the right to read it
        left_out.gone |= bool(rendered.gone)
        left_out.undecodable |= bool(rendered.undecodable)
        at += rendered.done
        if rendered.seen:
            selected.own |= {rendered.modseq}
            selected.must_look = True
            selected.lately.seen(rendered.seen, rendered.modseq)
        try:
            await _send(session, rendered)
        finally:
            rendered.close()
        if at < len(rows):
            await asyncio.sleep(0)  # others have their turn
    left_out.downgraded = tuple(fetcher.downgraded)
    return left_out


async def _send(session: Session, rendered: Rendered) -> None:
    held = 0
    for piece in rendered.pieces:
        if isinstance(piece, FilePart):
            await _send_file(session, piece)
            continue
        session.out.write(piece)
        held += len(piece)
        if held >= DRAIN_BYTES:
            held = 0
            await session.out.drain()
    await session.out.drain()


async def _send_file(session: Session, part: FilePart) -> None:
    pieces = part.pieces()
    try:
        while piece := await session.means.pool.run(next, pieces, b""):
            session.out.write(piece)
            await session.out.drain()
    except StorageGone:
        # The literal was announced and cannot be ended: nothing sent now would be understood.
        session.out.cut("storage failed within a literal")
        raise Hangup from None


VERBS = {"FETCH": Verb(do_fetch, SELECTED, After.NUMBERS_STAY)}
