"""FETCH and UID FETCH: from a set of messages to what ``Fetcher`` renders of them.

Promises: a bounded piece of the answer is in memory at a time, and the next is made when the
client has taken it.
RFC: 3501 6.4.5; 2180 4.1; 7162 3.1.4.
"""

from __future__ import annotations

from collections.abc import Iterator

from mailnode.access.imap.commands.choosing import SOME_GONE, batches, chosen
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.fetch import Fetcher, Rendered
from mailnode.access.imap.means import Hangup
from mailnode.access.imap.message_file import FilePart
from mailnode.access.imap.reply import Refused, Reply, bad, ok
from mailnode.access.imap.selected import Selected
from mailnode.access.imap.session import Session
from mailnode.model.errors import StorageGone
from mailnode.store import Picture
from mailnode.wire.imap.ast import Command, Fetch
from mailnode.wire.imap.fetch_items import Fact

ANSWER_BYTES = 256 * 1024


async def do_fetch(session: Session, command: Command, args: Fetch) -> Reply:
    """RFC 3501 6.4.5."""
    selected = session.view()
    if args.vanished or args.partial is not None:
        # RFC 7162 3.2.6: only after ENABLE QRESYNC, which we do not offer; nor RFC 9394.
        raise Refused(bad("modifier not supported"))
    delta = args.changed_since is not None
    if delta or Fact.MODSEQ in args.items:
        session.turn_condstore_on()
    picture = await session.current(look=delta, expunge=command.uid)
    uids = chosen(selected, args.messages, command.uid)
    rows = _rows(selected, picture, uids, args.changed_since)
    fetcher = Fetcher(
        selected.folder,
        args.items,
        condstore=session.condstore,
        read_only=selected.read_only,
        is_recent=selected.is_recent,
        cache=session.means.cache,
        max_bytes=ANSWER_BYTES,
    )
    gone = False
    for batch in batches(rows, session.means.settings.batch_messages):
        gone |= await _send_batch(session, selected, fetcher, batch, picture)
    # RFC 2180 4.1.2: the rest was answered; a UID that is gone is no error (RFC 3501 6.4.8).
    return SOME_GONE if gone and not command.uid else ok("done")


def _rows(
    selected: Selected, picture: Picture, uids: list[int], since: int | None
) -> Iterator[tuple[int, int]]:
    """Message number and UID of each message; RFC 7162 3.1.4.1: only those changed since."""
    for uid in uids:
        row = selected.row(uid)
        if row is not None and (since is None or picture.modseqs[row] > since):
            yield row + 1, uid


async def _send_batch(
    session: Session,
    selected: Selected,
    fetcher: Fetcher,
    batch: list[tuple[int, int]],
    picture: Picture,
) -> bool:
    """Send the answers for a batch; True when some of its messages are gone."""
    gone = False
    while batch:
        rendered = await session.means.pool.run(fetcher.render, batch, picture)
        gone |= bool(rendered.gone)
        batch = batch[rendered.done :]
        if rendered.seen:
            selected.own.add(rendered.modseq)
            selected.must_look = True
        try:
            await _send(session, rendered)
        finally:
            rendered.close()
    return gone


async def _send(session: Session, rendered: Rendered) -> None:
    for piece in rendered.pieces:
        if isinstance(piece, FilePart):
            await _send_file(session, piece)
        else:
            session.out.write(piece)
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
