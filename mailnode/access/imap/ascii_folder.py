"""A folder as FETCH reads it for a client that knows only ASCII in headers.

Promises: all that is given of one message (sizes, header, ENVELOPE, BODYSTRUCTURE, the whole) is
of one and the same surrogate (``wire.mime.surrogate``); a message with an ASCII header is given as
it is, and costs a look at its header block; a large one is still read in pieces.
Fails: as ``store.Folder``.
RFC: 6855 7 and 8; 6858.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import BinaryIO

from mailnode.access.imap.message_file import Source, read_exactly
from mailnode.model.errors import NoSuchMessage
from mailnode.runtime.tasks import may_wait
from mailnode.store import Folder, MessageInfo
from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.structure import to_crlf
from mailnode.wire.mime.surrogate import (
    has_ascii_header,
    is_plain_structure,
    read_growth,
    shown_header,
    shown_message,
    shown_structure,
)

_STRUCTURES = frozenset(("bodystructure", "body"))


class AsciiFolder:
    """``sized``: sizes are asked for, so that each message's header must be known. ``changed``: the
    UIDs of messages that were not given as they are."""

    def __init__(self, folder: Folder, *, sized: bool) -> None:
        self._inner = folder
        self._sized = sized
        self.changed: set[int] = set()

    @property
    def key(self) -> str:
        """What answers are remembered by: not those of other clients."""
        return f"{self._inner.key}\0ascii"

    # -- sizes

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """See ``store.Folder``."""
        sizes = self._inner.sizes(uids)
        for uid, grown in self._growth(sizes).items():
            size, date = sizes[uid]
            sizes[uid] = size + grown, date
        return sizes

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """See ``store.Folder``."""
        infos = self._inner.infos(uids)
        grown = self._growth([info.uid for info in infos])
        return [replace(info, size=info.size + grown.get(info.uid, 0)) for info in infos]

    def _growth(self, uids: Iterable[int]) -> dict[int, int]:
        """Of those that are shown otherwise than they are."""
        if not self._sized:
            return {}
        found = self._inner.summaries(uids, "growth")
        return {uid: read_growth(made) for uid, made in found.items() if made}

    # -- messages

    def read(self, uid: int) -> bytes:
        """See ``store.Folder``; with CRLF line ends."""
        return self._shown(uid, to_crlf(self._inner.read(uid)))

    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        """See ``store.Folder``."""
        found = self._inner.read_some(uids)
        return [
            None if raw is None else self._shown(uid, raw)
            for uid, raw in zip(uids, found, strict=False)
        ]

    def _shown(self, uid: int, message: bytes) -> bytes:
        if has_ascii_header(message):
            return message
        self._change(uid)
        return shown_message(message)

    def _change(self, uid: int) -> None:
        may_wait()  # it takes its time
        self.changed.add(uid)

    def open(self, uid: int) -> BinaryIO:
        """See ``store.Folder``."""
        block = self._inner.summaries([uid], "headers").get(uid)
        if block is None:
            raise NoSuchMessage(str(uid))
        file = self._inner.open(uid)
        if block.isascii():
            return file
        try:
            self._change(uid)
            return io.BufferedReader(_Spliced(shown_header(block), file, _on_disk(file, block)))
        except BaseException:
            file.close()
            raise

    # -- summaries

    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """See ``store.Folder``."""
        found = self._inner.summaries(uids, kind)
        as_it_is = is_plain_structure if kind in _STRUCTURES else bytes.isascii
        others = [uid for uid, text in found.items() if not as_it_is(text)]
        if not others:
            return found
        headers = found if kind == "headers" else self._inner.summaries(others, "headers")
        for uid in others:
            self._change(uid)
            try:
                found[uid] = self._summary(uid, kind, headers.get(uid, b""))
            except NoSuchMessage:
                del found[uid]
        return found

    def _summary(self, uid: int, kind: str, header: bytes) -> bytes:
        if kind == "headers":
            return shown_header(header)
        if kind == "envelope":
            return format_envelope(shown_header(header))
        extended, plain = shown_structure(self.read(uid))
        return extended if kind == "bodystructure" else plain


def source_of(folder: Folder, *, ascii_only: bool, sized: bool) -> Source:
    """Where a FETCH reads."""
    return AsciiFolder(folder, sized=sized) if ascii_only else folder


def _on_disk(file: BinaryIO, block: bytes) -> int:
    """How long a header block is in the file, whose lines may end in LF alone."""
    raw = read_exactly(file, 0, len(block))
    if raw == block or not block.endswith(b"\n"):
        return len(raw)
    lines = raw.split(b"\n", block.count(b"\n"))
    return len(raw) - len(lines[-1])


class _Spliced(io.RawIOBase):
    """``head``, then ``file`` from ``start`` on."""

    def __init__(self, head: bytes, file: BinaryIO, start: int) -> None:
        super().__init__()
        self._head, self._file, self._start = head, file, start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            offset += len(self._head) + self._file.seek(0, io.SEEK_END) - self._start
        self._at = offset
        return offset

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]  # what io hands over
        if self._at < len(self._head):
            piece = self._head[self._at : self._at + len(room)]
        else:
            self._file.seek(self._at - len(self._head) + self._start)
            piece = self._file.read(len(room))
        room[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
