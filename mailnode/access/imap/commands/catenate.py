"""CATENATE: a message put together from literals and parts of other messages.

Promises: built in a nameless file, never larger than a message may be; nothing becomes seen.
RFC: 4469, 4467 (URLs that others authorized), 6855 4.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, cast

from mailnode.access.imap.authorized import Granted, authorize
from mailnode.access.imap.message_file import PIECE_BYTES
from mailnode.access.imap.referred import BadUrl, read_url
from mailnode.access.imap.reply import Refused, no
from mailnode.access.imap.session import Session
from mailnode.model.errors import StorageFull
from mailnode.wire.imap.ast import Literal
from mailnode.wire.imap.url import parse_url, shown_url
from mailnode.wire.imap.urlauth import parse_auth_url


async def catenated(session: Session, parts: Iterable[Literal | str]) -> tuple[BinaryIO, int]:
    """The message and its size; the file goes with the command's other literals."""
    file = await session.means.pool.run(_open, session)
    # Beside the streamed literals, which are numbered from 0.
    session.spools[-1 - len(session.spools)] = file
    spools = dict(session.spools)
    chosen = [
        part if isinstance(part, Literal) else await _granted(session, part) for part in parts
    ]
    return file, await session.means.pool.run(_write, session, file, chosen, spools)


async def _granted(session: Session, text: str) -> Granted | str:
    """A URL that its owner lets us read (RFC 4469 3, 4467), or the text of any other."""
    if parse_auth_url(text) is None:
        return text
    granted = await authorize(session, text)
    if granted is None:
        raise _bad(text)
    return granted


def _open(session: Session) -> BinaryIO:
    try:
        return cast(BinaryIO, tempfile.TemporaryFile(dir=session.means.settings.spool_dir))
    except OSError as error:
        raise StorageFull(f"spool: {error}") from error


def _write(
    session: Session,
    file: BinaryIO,
    parts: Sequence[Literal | Granted | str],
    spools: Mapping[int, BinaryIO],
) -> int:
    size = 0
    for part in parts:
        for piece in _pieces(session, part, spools):
            size += len(piece)
            if size > session.means.settings.max_append_bytes:
                # RFC 4469 4.2
                raise Refused(no("the message would be too large", "TOOBIG"))
            try:
                file.write(piece)
            except OSError as error:
                raise StorageFull(f"spool: {error}") from error
    try:
        file.flush()
    except OSError as error:
        raise StorageFull(f"spool: {error}") from error
    return size


def _pieces(
    session: Session, part: Literal | Granted | str, spools: Mapping[int, BinaryIO]
) -> Iterable[bytes]:
    if isinstance(part, str):
        return (_referred(session, part),)
    if isinstance(part, Granted):
        octets = part.read()
        if octets is None:
            raise _bad(part.url.whole)
        return (octets,)
    if part.data is not None:
        return (part.data,)
    spool = spools[part.number]
    spool.seek(0)
    return iter(lambda: spool.read(PIECE_BYTES), b"")


def _referred(session: Session, text: str) -> bytes:
    url = parse_url(text)
    # RFC 4469 3: relative URLs, for they speak of this server and this user.
    if url is None or url.server is not None or url.rest:
        raise _bad(text)
    if not url.mailbox and session.selected is not None:
        url = url.within(session.selected.folder.name)
    try:
        return read_url(session.owner(), url, session.means.cache)
    except BadUrl:
        raise _bad(text) from None


def _bad(text: str) -> Refused:
    # RFC 4469 4.1: the first URL that cannot be used.
    return Refused(no("nothing there", f"BADURL {shown_url(text)}"))
