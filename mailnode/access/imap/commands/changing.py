"""STORE, COPY, MOVE: commands that change messages.

Promises: OK to COPY and MOVE only after the copies are durable; large sets are handled in
bounded batches.
RFC: 3501 6.4.6, 6.4.7; 2180 4.2, 4.4; 4315; 6851; 7162 3.1.3.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mailnode.access.imap.commands.choosing import SOME_GONE, batches, chosen
from mailnode.access.imap.commands.selecting import need_writable
from mailnode.access.imap.commands.verb import SELECTED, After, Verb
from mailnode.access.imap.reply import Refused, Reply, ok
from mailnode.access.imap.selected import (
    News,
    Selected,
    fetch_head,
    format_flags_fetch,
    picture_keywords,
)
from mailnode.access.imap.session import FolderLost, Session
from mailnode.model.errors import NoSuchFolder
from mailnode.store import Account, FlagsOp, Folder, Picture, StoreResult, guarded
from mailnode.wire.imap.ast import Command, CopyTo, StoreFlags, StoreOp
from mailnode.wire.imap.format import number_set, uid_pairs

# ---------------------------------------------------------------------- STORE


@dataclass(slots=True)
class Stored:
    """What a STORE has met so far."""

    modified: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


async def do_store(session: Session, command: Command, args: StoreFlags) -> Reply:
    """RFC 3501 6.4.6, 7162 3.1.3."""
    selected = session.view()
    need_writable(selected)
    if args.unchanged_since is not None:
        session.turn_condstore_on()
    met = Stored()
    uids = chosen(selected, args.messages, command.uid)
    for batch in batches(uids, session.means.settings.batch_messages):
        await _store_batch(session, args, batch, command.uid, met)
    return _store_reply(selected, command, met)


async def _store_batch(
    session: Session, args: StoreFlags, batch: list[int], by_uid: bool, met: Stored
) -> None:
    selected = session.view()
    result, news = await session.means.pool.run(_store, selected, batch, args)
    met.modified += result.modified
    met.gone += result.gone
    if result.changed:
        # Told right here (or kept silent), so the next look need not tell it again.
        selected.own |= {result.modseq}
    newest = news.picture if news is not None else selected.picture
    if args.silent:
        lines = _silent_lines(session, newest, result.changed, args)
    else:
        gone = set(result.gone)
        lines = _store_lines(session, newest, [uid for uid in batch if uid not in gone])
    if text := b"".join(lines):
        session.out.write(selected.new_keywords(newest) + text)
        await session.out.drain()
    await session.tell_news(news, expunge=by_uid)


def _store(
    selected: Selected, batch: list[int], args: StoreFlags
) -> tuple[StoreResult, News | None]:
    """Blocking: change the flags, and look in the same visit."""
    op = FlagsOp(args.op.value)
    result = selected.folder.store_flags(batch, op, args.flags, args.keywords, args.unchanged_since)
    return result, selected.look()


def _store_lines(session: Session, newest: Picture, uids: Sequence[int]) -> Iterator[bytes]:
    for uid, row, at in _places(session.view(), newest, uids):
        yield _flags_line(session, newest, uid, row, at)


def _silent_lines(
    session: Session, newest: Picture, uids: Sequence[int], args: StoreFlags
) -> Iterator[bytes]:
    """RFC 3501 6.4.6: .SILENT or not, the client hears of what others did to a message before its
    own change, which hides it from the next look."""
    selected, condstore = session.view(), session.enabled.condstore
    beyond, known = selected.heard_of, selected.picture
    for uid, row, at in _places(selected, newest, uids):
        sure = uid not in beyond and _as_believed(known, row, newest, at, args)
        if session.tells_flags and not sure:
            yield _flags_line(session, newest, uid, row, at)
        elif condstore:
            # RFC 7162 3.1.3: the new MODSEQ is told even for .SILENT, but without the flags.
            number = 0 if session.enabled.uidonly else row + 1
            yield b"%bMODSEQ (%d))\r\n" % (fetch_head(number, uid), newest.modseqs[at])


def _places(
    selected: Selected, newest: Picture, uids: Sequence[int]
) -> Iterator[tuple[int, int, int]]:
    """Each of these that is there: its UID, its row for the client, and in ``newest``."""
    for uid in uids:
        row, at = selected.row(uid), find_row(newest, uid)
        if row is not None and at is not None:
            yield uid, row, at


def _flags_line(session: Session, newest: Picture, uid: int, row: int, at: int) -> bytes:
    number = 0 if session.enabled.uidonly else row + 1
    recent = session.view().is_recent(uid)
    return format_flags_fetch(newest, at, number, session.enabled.condstore, recent)


def _as_believed(known: Picture, row: int, newest: Picture, at: int, args: StoreFlags) -> bool:
    """Whether a message has the flags that a client reckons with who was told nothing."""
    flags, words = int(args.flags), {word.lower() for word in args.keywords}
    if args.op is StoreOp.ADD:
        flags, words = known.flags[row] | flags, _words(known, row) | words
    elif args.op is StoreOp.REMOVE:
        flags, words = known.flags[row] & ~flags, _words(known, row) - words
    return newest.flags[at] == flags and _words(newest, at) == words


def _words(picture: Picture, at: int) -> set[str]:
    return {word.lower() for word in picture_keywords(picture, at)}


def find_row(picture: Picture, uid: int) -> int | None:
    """The position of a UID in any picture."""
    at = bisect_left(picture.uids, uid)
    return at if at < len(picture.uids) and picture.uids[at] == uid else None


def _store_reply(selected: Selected, command: Command, met: Stored) -> Reply:
    if met.modified:
        # RFC 7162 3.1.3: message numbers or UIDs, as the command had them; tagged OK with
        # MODIFIED, for the rest was done.
        numbers = met.modified
        if not command.uid:
            numbers = [row + 1 for uid in numbers if (row := selected.row(uid)) is not None]
        code = b"MODIFIED %b" % number_set(sorted(numbers))
        return ok("some were changed meanwhile", code.decode())
    # RFC 2180 4.2.1: the others were done; a UID that is gone is no error (RFC 3501 6.4.8).
    if met.gone and not command.uid:
        return SOME_GONE
    return ok("stored")


# ---------------------------------------------------------------------- COPY, MOVE


async def do_copy(session: Session, command: Command, args: CopyTo) -> Reply:
    """RFC 3501 6.4.7, 4315 3 (COPYUID)."""
    copied = await _transfer(session, command, args, move=False)
    if not copied.pairs:
        return ok("nothing to copy")
    session.changed_folder(copied.key, [new for _, new in copied.pairs])
    return ok("copied", copied.code())


async def do_move(session: Session, command: Command, args: CopyTo) -> Reply:
    """RFC 6851."""
    selected = session.view()
    need_writable(selected)
    moved = await _transfer(session, command, args, move=True)
    if not moved.pairs:
        return ok("nothing to move")
    # RFC 6851 4.3: COPYUID comes untagged, before the messages go away.
    if moved.readable:
        session.out.write(ok("moved", moved.code()).line("*"))
    # RFC 6851 3.3: EXPUNGE is told within MOVE, whichever form it has.
    await session.send_news(look=True, expunge=True, own=True)
    code = f"HIGHESTMODSEQ {selected.picture.highestmodseq}" if session.enabled.condstore else ""
    return ok("done", code)


@dataclass(frozen=True, slots=True)
class Transfer:
    """What was copied: the target's key and UIDVALIDITY, pairs of old and new UID; ``readable``:
    whether whoever copied may read the target."""

    key: str
    uidvalidity: int
    pairs: list[tuple[int, int]]
    readable: bool

    def code(self) -> str:
        """RFC 4315 3: both sets in the same order; nothing of a folder that the client may not
        look into."""
        if not self.readable:
            return ""
        old, new = uid_pairs(self.pairs)
        return (b"COPYUID %d %b %b" % (self.uidvalidity, old, new)).decode()


async def _transfer(session: Session, command: Command, args: CopyTo, *, move: bool) -> Transfer:
    selected = session.view()
    uids = chosen(selected, args.messages, command.uid)
    lenient = command.uid
    call = transfer
    pool = session.means.pool
    return await pool.run(call, session.owner(), selected.folder, uids, args.mailbox, lenient, move)


def transfer(
    account: Account, source: Folder, uids: list[int], name: str, lenient: bool, move: bool
) -> Transfer:
    """Blocking. Raises ``NoSuchFolder`` for the target, ``OverQuota``; ``Refused`` when messages
    are gone, ``FolderLost`` when the source is."""
    with source_apart(source):
        there = source.refresh()
        left = [uid for uid in uids if find_row(there, uid) is not None]
        # RFC 2180 4.4.1: COPY of what others expunged fails as a whole; a UID that is gone is
        # passed over (RFC 3501 6.4.8).
        if len(left) < len(uids) and not lenient:
            raise Refused(SOME_GONE)
        target = account.open(name)
        try:
            pairs = (guarded.move if move else guarded.copy)(source, left, target) if left else []
            validity = target.picture().uidvalidity
            return Transfer(target.key, validity, pairs, "r" in target.rights)
        finally:
            target.close()


@contextmanager
def source_apart(source: Folder) -> Iterator[None]:
    """Blocking: ``FolderLost`` where it is the selected folder that is gone, so that nobody takes
    it for the target, which a client may CREATE."""
    try:
        yield
    except NoSuchFolder:
        try:
            source.refresh()
        except NoSuchFolder:
            raise FolderLost from None
        raise


VERBS = {
    "STORE": Verb(do_store, SELECTED, After.NUMBERS_STAY),
    "COPY": Verb(do_copy, SELECTED),
    "MOVE": Verb(do_move, SELECTED, After.NONE),
}
