"""APPEND.

Promises: OK only after the message is durable; all messages of a command or none.
RFC: 3501 6.3.11, 3516 4.4 (literal8), 4315 3 (APPENDUID), 4469 (CATENATE), 6855 4 (UTF8), 7889
(APPENDLIMIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO, NamedTuple

from mailnode.access.imap.commands.catenate import catenated
from mailnode.access.imap.commands.verb import KNOWN, Verb
from mailnode.access.imap.reply import Refused, Reply, no, ok
from mailnode.access.imap.selected import News, Selected
from mailnode.access.imap.session import Session, log_storage
from mailnode.model.errors import MailnodeError
from mailnode.runtime.tasks import may_wait
from mailnode.store import Account, NewMessage
from mailnode.wire.imap.ast import Append, AppendMessage, Command, Literal
from mailnode.wire.imap.format import ordered_set
from mailnode.wire.mime.recode import recode_binary

PIECE_BYTES = 1 << 20
MAX_HEADER_LINE = 1 << 16
# Messages with binary parts are taken up to this size.
RECODE_BYTES = 1 << 25


async def do_append(session: Session, command: Command, args: Append) -> Reply:
    """RFC 3501 6.3.11."""
    now = session.means.clock.now()
    pool, account = session.means.pool, session.owner()
    messages = [await prepared(session, message, now) for message in args.messages]
    done, seen = await pool.run(_append_and_look, account, args.mailbox, messages, session.selected)
    selected = session.selected
    heard = selected is not None and selected.must_look  # since the look
    session.changed_folder(done.key, done.uids)
    if selected is not None and seen is not None:
        selected.must_look = heard
        try:
            await session.tell_news(seen.news, expunge=True)
        except MailnodeError as error:
            log_storage(session, error)  # the messages are kept all the same
    return ok("message kept", done.code())


class Appended(NamedTuple):
    """Where messages went: the folder's key and UIDVALIDITY, and their UIDs; ``readable``:
    whether whoever put them there may read it."""

    key: str
    uidvalidity: int
    uids: list[int]
    readable: bool

    def code(self) -> str:
        """RFC 4315 3: nothing of a folder that the client may not look into."""
        if not self.readable:
            return ""
        return (b"APPENDUID %d %b" % (self.uidvalidity, ordered_set(self.uids))).decode()


class Seen(NamedTuple):
    """What a look at the selected folder has shown."""

    news: News | None


def _append_and_look(
    account: Account, name: str, messages: Sequence[NewMessage], selected: Selected | None
) -> tuple[Appended, Seen | None]:
    """Blocking: the same as ``append``; and where it is the selected folder that got them, a look
    at it in the same visit."""
    done = append(account, name, messages)
    if selected is None or selected.folder.key != done.key:
        return done, None
    try:
        return done, Seen(selected.look())
    except MailnodeError:
        return done, None  # they are kept; whoever looks next says what is wrong


async def prepared(session: Session, message: AppendMessage, now: float) -> NewMessage:
    """A message as it may be kept, or ``Refused``."""
    pool = session.means.pool
    body, size = await _body(session, message)
    date = now if message.internal_date is None else message.internal_date
    made = NewMessage((body,), date, message.flags, message.keywords)
    # RFC 6855 4: a client that does not say that it knows UTF-8 headers must not store any.
    strict = not (session.enabled.utf8 or session.means.settings.accept_8bit_headers)
    if strict and await pool.brisk(has_8bit_header, made):
        raise Refused(no("8-bit header fields need ENABLE UTF8=ACCEPT", "CANNOT"))
    literals = (message.literal, *(part for part in message.parts if isinstance(part, Literal)))
    if any(literal.binary for literal in literals):
        return await pool.run(without_binary, made, size)
    return made


async def _body(session: Session, message: AppendMessage) -> tuple[bytes | BinaryIO, int]:
    literal = message.literal
    body: bytes | BinaryIO | None = literal.data
    size = literal.size
    if message.parts:
        body, size = await catenated(session, message.parts)
    elif body is None and size:
        body = session.spools[literal.number]
    if not size or body is None:
        # RFC 3501 6.3.11 "literal" may be empty, a message may not.
        raise Refused(no("a message cannot be empty", "CANNOT"))
    return body, size


def without_binary(message: NewMessage, size: int) -> NewMessage:
    """Blocking: what came as literal8 (RFC 3516 4.4) in a form that can be kept."""
    if size > RECODE_BYTES:
        # Recoded in memory, so bounded; without NUL it is as good as any other literal.
        if has_nul(message):
            raise Refused(no("too large for binary content", "TOOBIG"))
        return message
    (chunk,) = message.chunks
    if not isinstance(chunk, (bytes, memoryview)):
        chunk.seek(0)
        chunk = chunk.read(size)
    message = replace(message, chunks=(recode_binary(bytes(chunk)),))
    if has_nul(message):
        # RFC 3516 4.4: what is not declared binary cannot be encoded.
        raise Refused(no("NUL outside binary parts", "UNKNOWN-CTE"))
    return message


def append(
    account: Account,
    name: str,
    messages: Sequence[NewMessage],
    spare_bytes: int = 0,
    spare_key: str = "",
) -> Appended:
    """Blocking. ``spare_bytes`` are about to be free in the folder ``spare_key``: to another
    account they give no room. Raises ``NoSuchFolder``."""
    if any(has_nul(message) for message in messages):
        # RFC 3501 9 "CHAR8": a literal holds no NUL; only BINARY's literal8 would.
        raise Refused(no("a message cannot hold NUL octets", "CANNOT"))
    folder = account.open(name)
    try:
        at_home = _account(folder.key) == _account(spare_key)
        uids = folder.append(messages, spare_bytes if at_home else 0)
        validity = folder.picture().uidvalidity
        return Appended(folder.key, validity, uids, "r" in folder.rights)
    finally:
        folder.close()


def _account(key: str) -> str:
    return key.partition("\0")[0]


def has_8bit_header(message: NewMessage) -> bool:
    """Is there anything but ASCII in the header? Brisk, where it is in memory."""
    (chunk,) = message.chunks
    if isinstance(chunk, (bytes, memoryview)):
        lines: BinaryIO = BytesIO(chunk)
    else:
        may_wait()
        lines = chunk
        lines.seek(0)
    while line := lines.readline(MAX_HEADER_LINE):
        if line in (b"\r\n", b"\n"):
            return False
        if not line.isascii():
            return True
    return False


def has_nul(message: NewMessage) -> bool:
    """Blocking: is there a NUL in the message?"""
    for chunk in message.chunks:
        if isinstance(chunk, bytes):
            if b"\0" in chunk:
                return True
        elif isinstance(chunk, memoryview):
            if 0 in chunk:
                return True
        else:
            chunk.seek(0)
            while piece := chunk.read(PIECE_BYTES):
                if b"\0" in piece:
                    return True
    return False


VERBS = {"APPEND": Verb(do_append, KNOWN)}
