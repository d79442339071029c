"""A stored message as IMAP shows it: with CRLF line ends, whole in memory or in pieces from disk.

Promises: ``FilePart.size`` is exactly what ``pieces`` gives, or ``pieces`` raises; no large message
is held in memory for the sake of sending it whole.
Fails: ``NoSuchMessage``; ``StorageGone`` when the disk fails or a file shrank while it was sent
(the announced literal cannot be ended then: the connection must be cut).
RFC: 3501 2.3.4 (sizes are those of the CRLF form).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import SEEK_END
from threading import Lock
from typing import BinaryIO, Protocol

from mailnode.access.imap.row_cache import RowCache
from mailnode.model.errors import StorageGone
from mailnode.store import MessageInfo
from mailnode.wire.mime.decode import walk
from mailnode.wire.mime.structure import Part, parse, to_crlf

PIECE_BYTES = 64 * 1024
MAX_SIZES = 1000


def read_exactly(file: BinaryIO, start: int, count: int) -> bytes:
    """Up to ``count`` bytes at ``start``; fewer only at the end of the file."""
    try:
        file.seek(start)
        found = file.read(count)
        while len(found) < count and (more := file.read(count - len(found))):
            found += more
    except OSError as error:
        raise StorageGone(f"reading a message: {error}") from error
    return found


def _raw_pieces(file: BinaryIO) -> Iterator[bytes]:
    pos = 0
    while piece := read_exactly(file, pos, PIECE_BYTES):
        pos += len(piece)
        yield piece


def _crlf_pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces, each bare LF made CRLF, also where a CR ends the piece before."""
    after_cr = False
    for piece in _raw_pieces(file):
        starts_bare = not (after_cr and piece.startswith(b"\n"))
        yield to_crlf(piece) if starts_bare else b"\n" + to_crlf(piece[1:])
        after_cr = piece.endswith(b"\r")


def measure(file: BinaryIO) -> tuple[int, int]:
    """The file's size, and its size with CRLF line ends."""
    raw = shown = 0
    after_cr = False
    for piece in _raw_pieces(file):
        raw += len(piece)
        split = after_cr and piece.startswith(b"\n")
        shown += len(piece) + piece.count(b"\n") - piece.count(b"\r\n") - split
        after_cr = piece.endswith(b"\r")
    return raw, shown


class FilePart:
    """``size`` bytes from ``start`` of a message's CRLF form, still on disk.

    Whoever takes it closes it; ``pieces`` blocks and may be run from one thread at a time.
    """

    __slots__ = ("_file", "_plain", "size", "start")

    def __init__(self, file: BinaryIO, start: int, size: int, *, plain: bool) -> None:
        self._file = file
        self._plain = plain  # no bare LF in it: bytes go out as they lie
        self.start = start
        self.size = size

    def pieces(self) -> Iterator[bytes]:
        """The bytes, about ``PIECE_BYTES`` at a time. Raises ``StorageGone``."""
        left = self.size
        for piece in self._plain_pieces() if self._plain else self._turned_pieces():
            yield piece[:left]
            left -= min(len(piece), left)
            if not left:
                return
        if left:
            raise StorageGone("a message file became shorter while it was sent")

    def _plain_pieces(self) -> Iterator[bytes]:
        pos = self.start
        while piece := read_exactly(self._file, pos, PIECE_BYTES):
            pos += len(piece)
            yield piece

    def _turned_pieces(self) -> Iterator[bytes]:
        skip = self.start
        for piece in _crlf_pieces(self._file):
            if skip < len(piece):
                yield piece[skip:]
            skip = max(skip - len(piece), 0)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class Source(Protocol):
    """What FETCH reads of a folder; see ``store.Folder``."""

    @property
    def key(self) -> str:
        """What answers may be remembered by."""

    def sizes(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """See ``store.Folder``."""

    def infos(self, uids: Iterable[int]) -> list[MessageInfo]:
        """See ``store.Folder``."""

    def read(self, uid: int) -> bytes:
        """See ``store.Folder``."""

    def read_some(self, uids: Sequence[int]) -> list[bytes | None]:
        """See ``store.Folder``."""

    def open(self, uid: int) -> BinaryIO:
        """See ``store.Folder``."""

    def summaries(self, uids: Iterable[int], kind: str) -> dict[int, bytes]:
        """See ``store.Folder``."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message in memory, in CRLF form, and its parts."""

    data: bytes
    root: Part


class MessageCache:
    """The last large messages parsed, for clients that fetch one in many partial pieces.

    Promises: holds about ``limit_bytes`` at most, and the sizes of the last ``MAX_SIZES`` messages
    that were sent from disk; a message never changes, so nothing grows stale.
    Locks: ``_lock`` guards the table; nothing blocks while it is held.
    """

    def __init__(self, limit_bytes: int = 64 * 1024 * 1024, worth_bytes: int = 256 * 1024) -> None:
        self._limit = limit_bytes
        self._worth = worth_bytes
        self._held = 0
        self._kept: OrderedDict[tuple[str, int, int], Message] = OrderedDict()
        self._sizes: OrderedDict[tuple[str, int, int], tuple[int, int]] = OrderedDict()
        self._lock = Lock()
        self.rows = RowCache()

    def load(self, folder: Source, uidvalidity: int, uid: int) -> Message:
        """The message, parsed. Raises ``NoSuchMessage``, ``StorageGone``."""
        key = (folder.key, uidvalidity, uid)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        data = self.raw(folder, uid)
        message = Message(data, parse(data))
        if len(data) >= self._worth:
            self._keep(key, message)
        return message

    def raw(self, folder: Source, uid: int) -> bytes:
        """The whole message, not parsed. Raises ``NoSuchMessage``, ``StorageGone``."""
        return to_crlf(folder.read(uid))

    def measure(
        self, folder: Source, uidvalidity: int, uid: int, file: BinaryIO
    ) -> tuple[int, int]:
        """``measure(file)``, remembered while the file's size stays what it was."""
        key = (folder.key, uidvalidity, uid)
        with self._lock:
            known = self._sizes.get(key)
        if known is None or known[0] != file.seek(0, SEEK_END):
            known = measure(file)
            with self._lock:
                self._sizes[key] = known
                if len(self._sizes) > MAX_SIZES:
                    self._sizes.popitem(last=False)
        return known

    def _keep(self, key: tuple[str, int, int], message: Message) -> None:
        cost = _cost(message)
        if cost > self._limit // 2:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = message
            self._held += cost
            while self._held > self._limit:
                _, oldest = self._kept.popitem(last=False)
                self._held -= _cost(oldest)


def _cost(message: Message) -> int:
    """Bytes in memory, roughly: a part's offsets, fields and parameters take about one KiB."""
    return len(message.data) + 1024 * sum(1 for _ in walk(message.root))
