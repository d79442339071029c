"""Reading a message's file once it is open.

Promises: the descriptor is closed in any case; within a brisk call nothing waits for a disk.
Fails: ``StorageGone``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

from mailnode.model.errors import NoSuchMessage
from mailnode.runtime import files
from mailnode.runtime.tasks import MustWait, is_brisk
from mailnode.store import listing, names
from mailnode.store.core import FolderCore
from mailnode.wire.mime.summary import HEAD_LIMIT, header_end

_HEAD_BYTES = 16 * 1024  # what most headers fit in
_AHEAD = 64  # files that are open at once while the disk brings them
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_PAGE = 4096


def read_whole(fd: int, base: bytes) -> bytes:
    """All of it with CRLF line ends, however the file has them."""
    raw = _at_hand(fd) if is_brisk() else _all(fd, base)
    told = names.size_in(base)
    return raw if told is not None and told == names.vsize_in(base) else listing.with_crlf(raw)


def _all(fd: int, base: bytes) -> bytes:
    with io.FileIO(fd, "rb") as file, files.storage_errors(base):
        return file.read()


def _at_hand(fd: int) -> bytes:
    try:
        raw = files.read_at_hand(fd)
    finally:
        os.close(fd)
    if raw is None:
        raise MustWait
    return raw


def read_head(fd: int, base: bytes) -> bytes:
    """At least the header block, as it lies on the disk; what it takes of the body with it is
    a few KiB."""
    if is_brisk():
        return _at_hand(fd)
    with io.FileIO(fd, "rb") as file, files.storage_errors(base):
        raw = bytearray(file.read(_HEAD_BYTES))
        searched = 0
        while not header_end(raw, searched) and len(raw) < HEAD_LIMIT:
            searched = len(raw)
            piece = file.read(_HEAD_BYTES)
            if not piece:
                break
            raw += piece
        if len(raw) >= HEAD_LIMIT:
            raw += file.readall()
    return bytes(raw)


def unless_gone(read: Callable[[int], bytes], uid: int) -> bytes | None:
    """What ``read`` gives, with CRLF line ends whatever the file's name says of it; ``None`` for a
    message that is gone."""
    try:
        return listing.with_crlf(read(uid))
    except NoSuchMessage:
        return None


def read_expected(core: FolderCore, uids: Sequence[int]) -> list[bytes | None]:
    """The first of these messages, with CRLF line ends, as far as each lies where the journal
    says, and within a brisk call in memory; perhaps none."""
    paths = _expected(core, uids[:_AHEAD])
    read = _at_hand_among if is_brisk() else _ahead
    with files.storage_errors(core.path):
        if len(paths) == 1:
            found = read(None, [core.path + b"/" + paths[0]])
            return [listing.with_crlf(raw) for raw in found]
        # Names below an open folder are looked up in half the time.
        try:
            folder = os.open(core.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []  # whoever looks for the first one goes after the folder
        try:
            return [listing.with_crlf(raw) for raw in read(folder, paths)]
        finally:
            os.close(folder)


def _at_hand_among(folder: int | None, paths: Sequence[bytes]) -> Iterator[bytes]:
    """The files' bytes, up to the first that is not in its place or not in memory."""
    room = memoryview(bytearray(files.AT_HAND_BYTES))
    for path in paths:
        try:
            fd = os.open(path, _OPEN, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            size = os.preadv(fd, [room], 0, os.RWF_NOWAIT)
            # Within a page nothing but the file's end stops it; else that has to be looked for.
            if size % _PAGE == 0 and size != os.fstat(fd).st_size:
                return
        except OSError:
            return  # not in memory, or a file system that cannot tell
        finally:
            os.close(fd)
        yield bytes(room[:size])


def _ahead(
    folder: int | None, paths: Sequence[bytes], most: int = files.AT_HAND_BYTES
) -> Iterator[bytes]:
    """The files' bytes, up to the first that is not in its place; the disk brings the first
    ``most`` of all of them while the first is read. With less than ``files.AT_HAND_BYTES`` as
    ``most``, no more of each."""
    opened: list[int] = []
    try:
        for path in paths:
            try:
                opened.append(os.open(path, _OPEN, dir_fd=folder))
            except (FileNotFoundError, NotADirectoryError):
                break
            try:
                os.posix_fadvise(opened[-1], 0, most, os.POSIX_FADV_WILLNEED)
            except OSError:
                pass  # a file system that takes no hints
        for fd in opened:
            raw = os.read(fd, most)
            if len(raw) == files.AT_HAND_BYTES:
                raw += io.FileIO(fd, closefd=False).readall()
            yield raw
    finally:
        for fd in opened:
            os.close(fd)


class Heads:
    """``read_head`` of messages in this order, or some of them; those that come one after the
    other are read ahead, more and more at once. ``find`` opens a file that is not in its place."""

    def __init__(
        self, core: FolderCore, uids: Sequence[int], find: Callable[[int], tuple[int, bytes]]
    ) -> None:
        self._core, self._uids, self._find = core, uids, find
        self._ready: dict[int, bytes] = {}
        self._next = 0  # in the order
        self._count = 4

    def __call__(self, uid: int) -> bytes:
        """At least the header block of the message. Raises ``NoSuchMessage``."""
        if uid not in self._ready and not is_brisk():
            self._read_ahead(uid)
        found = self._ready.pop(uid, None)
        return read_head(*self._find(uid)) if found is None else found

    def _read_ahead(self, uid: int) -> None:
        follows = self._next < len(self._uids) and self._uids[self._next] == uid
        if not follows:
            try:
                self._next = self._uids.index(uid)
            except ValueError:
                return
        self._count = min(2 * self._count, _AHEAD) if follows else 1
        some = self._uids[self._next : self._next + self._count]
        self._next += len(some)
        self._ready = dict(zip(some, _heads(self._core, some), strict=False))


class Wholes:
    """Messages as they lie on the disk, in this order, or some of them; those that come one after
    the other are on their way before they are asked for. ``find`` reads one wherever it is."""

    def __init__(self, core: FolderCore, uids: Sequence[int], find: Callable[[int], bytes]) -> None:
        self._core, self._uids, self._find = core, uids, find
        self._coming: Iterator[bytes] = iter(())
        self._next = self._end = 0  # in the order: what comes next, and where that ends
        self._count = 4

    def __call__(self, uid: int) -> bytes:
        """The message, whatever its line ends. Raises ``NoSuchMessage``."""
        if is_brisk():
            return self._find(uid)
        follows = self._next < len(self._uids) and self._uids[self._next] == uid
        if not follows or self._next >= self._end:
            self._begin(uid, follows)
        self._next += 1
        with files.storage_errors(self._core.path):
            raw = next(self._coming, None)
        if raw is None:
            self._end = self._next  # the others are not where they should be, either
            return self._find(uid)
        return raw

    def _begin(self, uid: int, follows: bool) -> None:
        if not follows:
            self._next = self._uids.index(uid)
        self._count = min(2 * self._count, _AHEAD) if follows else 1
        some = self._uids[self._next : self._next + self._count]
        self._end = self._next + len(some)
        # One by itself need not be read ahead.
        self._coming = _wholes(self._core, some) if len(some) > 1 else iter(())


def _wholes(core: FolderCore, uids: Sequence[int]) -> Iterator[bytes]:
    """The first of these, as far as each lies where the journal says."""
    paths = _expected(core, uids)
    try:
        folder = os.open(core.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        yield from _ahead(folder, paths)
    finally:
        os.close(folder)


def _expected(core: FolderCore, uids: Sequence[int]) -> list[bytes]:
    """Where the first of these should be, below the folder."""
    with core.ledger.mutex:
        spots = takewhile(lambda at: at >= 0, map(core.state.index, uids))
        return [core.expected(at) for at in spots]


def _heads(core: FolderCore, uids: Sequence[int]) -> list[bytes]:
    """Of the first of these, as far as each lies where the journal says and its first bytes hold
    the header, or all there is."""
    paths = _expected(core, uids)
    with files.storage_errors(core.path):
        try:
            folder = os.open(core.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return []
        try:
            heads = _ahead(folder, paths, _HEAD_BYTES) if len(paths) > 1 else ()
            return list(takewhile(lambda raw: len(raw) < _HEAD_BYTES or header_end(raw), heads))
        finally:
            os.close(folder)
