"""Commands on the maildrop: STAT, LIST, UIDL, RETR, TOP, DELE, RSET, NOOP.

Promises: lists and messages go out in pieces, each only when the client took the one before.
RFC: 1939 5, 7; 2449 6; 6856.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO

from mailnode.access.pop3.maildrop import PIECE_BYTES, Maildrop, read_piece
from mailnode.access.pop3.reply import Refused, Reply, err, ok
from mailnode.access.pop3.session import Session
from mailnode.model.errors import MailnodeError
from mailnode.runtime.tasks import is_brisk, may_wait
from mailnode.wire.mime.downgrade_stream import Downgrader, Untouched, needs_none
from mailnode.wire.pop3.command import Command, parse_number
from mailnode.wire.pop3.multiline import Stuffer

# Lines of LIST and UIDL written at once.
LIST_BATCH = 1000


async def do_stat(session: Session, command: Command) -> Reply:
    """RFC 1939 5."""
    drop = session.drop()
    return ok(f"{drop.count} {drop.octets}")


async def do_list(session: Session, command: Command) -> Reply | None:
    """RFC 1939 5."""
    drop = session.drop()
    return await _listing(session, command, lambda number: str(drop.sizes[number - 1]))


async def do_uidl(session: Session, command: Command) -> Reply | None:
    """RFC 1939 7."""
    drop, uidl = session.drop(), session.means.uidl

    def name(number: int) -> str:
        return uidl.format(drop.uids[number - 1], drop.uidvalidity)

    return await _listing(session, command, name)


async def _listing(session: Session, command: Command, value: Callable[[int], str]) -> Reply | None:
    drop = session.drop()
    if command.words():
        number = _message(drop, command, 1)
        return ok(f"{number} {value(number)}")
    session.out.write(session.line(ok(f"{drop.count} messages")))
    for first in range(1, len(drop) + 1, LIST_BATCH):
        lines = (f"{n} {value(n)}\r\n" for n in drop.numbers(first, LIST_BATCH))
        session.out.write("".join(lines).encode())
        await session.out.drain()
        await asyncio.sleep(0)  # others have their turn, however quickly this client reads
    session.out.write(b".\r\n")
    return None


async def do_retr(session: Session, command: Command) -> None:
    """RFC 1939 5."""
    drop = session.drop()
    number = _message(drop, command, 1)
    await _send(session, number, None, f"{drop.sizes[number - 1]} octets")
    drop.note_fetched(number)


async def do_top(session: Session, command: Command) -> None:
    """RFC 1939 7."""
    number = _message(session.drop(), command, 2)
    lines = parse_number(command.words()[1])
    if lines is None:
        raise Refused(err("TOP needs a message and a number of lines"))
    await _send(session, number, lines, "top of message")


async def _send(session: Session, number: int, lines: int | None, text: str) -> None:
    """The whole response. Once its first octet is out only ``cut`` can say that it failed."""
    drop, pool = session.drop(), session.means.pool
    # RFC 6856 2.1: headers in UTF-8 only for clients that asked for them.
    old = session.means.settings.downgrade_headers and not session.utf8
    shaper = Shaper(Stuffer(lines), old)
    # Most messages are small with a header in ASCII: they cost less than a thread.
    small = lines is None and drop.sizes[number - 1] < PIECE_BYTES
    file, made = await (pool.brisk if small else pool.run)(_first, drop, number, shaper)
    session.out.write(session.line(ok(text)) + made)
    if file is None:
        return
    try:
        while not shaper.ended:
            await session.out.drain()
            session.out.write(await pool.run(_next, file, shaper))
    except MailnodeError:
        session.out.cut("a message could not be read to its end")
        raise
    finally:
        await pool.run(file.close)


class Shaper:
    """A message as it goes out. Work for the pool: a header may take a while to become ASCII."""

    def __init__(self, stuffer: Stuffer, downgrades: bool) -> None:
        self._stuffer = stuffer
        self._downgrader: Downgrader | Untouched = Downgrader() if downgrades else Untouched()
        self.ended = False

    def whole(self, message: bytes) -> bytes:
        """The same for a small message at once, on the event loop; not there if it is larger than
        was told, nor if its header may have to become ASCII, which takes a while."""
        if needs_none(message):
            self._downgrader = Untouched()
        if len(message) >= PIECE_BYTES or isinstance(self._downgrader, Downgrader):
            may_wait()
        return self.shape(message)

    def shape(self, piece: bytes) -> bytes:
        """What to send for this piece, with the response's end after the last one, which is
        shorter than ``PIECE_BYTES``."""
        made = self._stuffer.feed(self._downgrader.feed(piece))
        if len(piece) == PIECE_BYTES and not self._stuffer.full:
            return made
        self.ended = True
        return made + self._stuffer.feed(self._downgrader.finish()) + self._stuffer.finish()


def _first(drop: Maildrop, number: int, shaper: Shaper) -> tuple[BinaryIO | None, bytes]:
    if is_brisk():
        return None, shaper.whole(drop.read(number))
    file, piece = drop.open(number)
    try:
        return file, shaper.shape(piece)
    except BaseException:
        if file is not None:
            file.close()
        raise


def _next(file: BinaryIO, shaper: Shaper) -> bytes:
    return shaper.shape(read_piece(file))


async def do_dele(session: Session, command: Command) -> Reply:
    """RFC 1939 5."""
    drop = session.drop()
    number = _message(drop, command, 1)
    drop.delete(number)
    return ok(f"message {number} deleted")


async def do_rset(session: Session, command: Command) -> Reply:
    """RFC 1939 5."""
    drop = session.drop()
    drop.reset()
    return ok(f"{drop.count} messages ({drop.octets} octets)")


async def do_noop(session: Session, command: Command) -> Reply:
    """RFC 1939 5."""
    return ok()


def _message(drop: Maildrop, command: Command, words: int) -> int:
    """The message that the command's first of so many words names."""
    given = command.words()
    number = parse_number(given[0]) if len(given) == words else None
    if number is None:
        raise Refused(err(f"{command.name} needs {words} number{'s' * (words > 1)}"))
    # RFC 1939 5: a message marked as deleted is none any more.
    if drop.is_deleted(number):
        raise Refused(err(f"message {number} is deleted"))
    if not drop.exists(number):
        raise Refused(err("no such message"))
    return number
