"""What one reader has seen in a folder that is another's or public: an append-only file.

``mailnode.seen-<hash of the user>`` in the folder's directory, little-endian. Header: magic
``mnseen``, format version u16, UIDVALIDITY u32, length of the user's name u16, the name, CRC32.
Records: length u32 (of the whole record), modseq u64, seen or no longer u8, pairs of first and
last UID (u32 each), CRC32. A record counts once its CRC32 is right and the folder's journal has
reached its modseq. It is written with a wrong one, *before* the journal's record of that modseq,
and sealed with the right one after it. So whoever sees the journal move finds the record or
bytes that are none yet (``tail``); and a record whose writer failed or died before it had its
modseq never counts, though a later change of the folder has that modseq.
Promises: bytes that are no valid record are never applied and cut off by the next writer; a file
of another UIDVALIDITY says nothing; grown long, it is written anew with what still counts.
Fails: ``StorageGone`` (also for a file of a newer version), ``StorageFull``, ``NoSuchFolder`` when
the folder went away or was renamed.
Locks: writing is done under the folder's lock; reading needs none.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from itertools import takewhile
from typing import NamedTuple

from mailnode.model.errors import MailnodeError, NoSuchFolder, StorageGone
from mailnode.runtime import files
from mailnode.runtime.tasks import may_wait

_PREFIX = b"mailnode.seen-"
_MAGIC = b"mnseen"
_VERSION = 1
_HEADER = struct.Struct("<6sHIH")
_HEAD = struct.Struct("<IQB")
_PAIR = struct.Struct("<II")
_CRC = struct.Struct("<I")
_MAX_BYTES = 256 << 20
_BRIEF_BYTES = 64 * 1024  # so much is read and taken in on the event loop
_OPEN = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_RECENT = 4096
# A file longer than this, and this for each message it speaks of, is written anew; a message
# alone in its record takes half of it.
_SLACK_BYTES, _MARK_BYTES = 64 * 1024, 64


class Record(NamedTuple):
    """At ``modseq`` the messages in ``spans`` became seen, or no longer so."""

    modseq: int
    seen: bool
    spans: tuple[tuple[int, int], ...]


def path_of(folder: bytes, user: str) -> bytes:
    """Where the file of a user lies."""
    digest = blake2b(user.lower().encode("utf-8", "surrogateescape"), digest_size=16)
    return folder + b"/" + _PREFIX + digest.hexdigest().encode()


def spans_of(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending UIDs as runs."""
    spans: list[tuple[int, int]] = []
    for uid in uids:
        if spans and spans[-1][1] == uid - 1:
            spans[-1] = (spans[-1][0], uid)
        else:
            spans.append((uid, uid))
    return spans


def pack_header(uidvalidity: int, user: str) -> bytes:
    """The first bytes of a file."""
    name = user.encode("utf-8", "surrogateescape")
    body = _HEADER.pack(_MAGIC, _VERSION, uidvalidity, len(name)) + name
    return body + _CRC.pack(zlib.crc32(body))


def pack_record(record: Record) -> bytes:
    """One record."""
    length = _HEAD.size + len(record.spans) * _PAIR.size + _CRC.size
    body = _HEAD.pack(length, record.modseq, record.seen)
    body += b"".join(_PAIR.pack(low, high) for low, high in record.spans)
    return body + _CRC.pack(zlib.crc32(body))


def header_end(raw: bytes, uidvalidity: int) -> int:
    """Where the records begin; 0 where the file says nothing of this folder. Raises
    ``StorageGone`` for a newer version's."""
    if len(raw) < _HEADER.size or not raw.startswith(_MAGIC):
        return 0
    _, version, validity, length = _HEADER.unpack_from(raw)
    if version > _VERSION:
        raise StorageGone(f"file of seen messages of version {version}")
    end = _HEADER.size + length + _CRC.size
    body = raw[: end - _CRC.size]
    if len(raw) < end or _CRC.unpack_from(raw, end - _CRC.size)[0] != zlib.crc32(body):
        return 0
    return end if validity == uidvalidity else 0


def records(raw: bytes, at: int) -> Iterator[tuple[Record, int]]:
    """Each valid record from ``at`` on, and where it ends; up to the first that is none."""
    while at + _HEAD.size + _CRC.size <= len(raw):
        length, modseq, seen = _HEAD.unpack_from(raw, at)
        end = at + length
        if length < _HEAD.size + _CRC.size or end > len(raw):
            return
        body = raw[at : end - _CRC.size]
        if _CRC.unpack_from(raw, end - _CRC.size)[0] != zlib.crc32(body):
            return
        spans = tuple(_PAIR.iter_unpack(body[_HEAD.size :]))
        yield Record(modseq, bool(seen), spans), end
        at = end


class Marks:
    """UIDs with what was last said of each: modseq, and whether seen. Ascending columns."""

    def __init__(self) -> None:
        self.uids, self._said = array("I"), array("Q")
        self._recent: deque[tuple[int, int]] = deque()  # modseq and UID, as they came
        self._floor = 0  # ``_recent`` has all that was said after it

    def put(self, uid: int, modseq: int, seen: bool) -> None:
        """Say it of one message."""
        at = bisect_left(self.uids, uid)
        said = modseq << 1 | seen
        if at < len(self.uids) and self.uids[at] == uid:
            self._said[at] = said
        else:
            self.uids.insert(at, uid)
            self._said.insert(at, said)
        self._recent.append((modseq, uid))
        if len(self._recent) > _RECENT:
            self._floor = self._recent.popleft()[0]

    def get(self, uid: int) -> tuple[int, bool]:
        """Modseq and whether seen; (0, False) where nothing was ever said."""
        at = bisect_left(self.uids, uid)
        if at < len(self.uids) and self.uids[at] == uid:
            return self._said[at] >> 1, bool(self._said[at] & 1)
        return 0, False

    def __iter__(self) -> Iterator[tuple[int, int, bool]]:
        for uid, said in zip(self.uids, self._said, strict=True):
            yield uid, said >> 1, bool(said & 1)

    def since(self, modseq: int) -> Iterable[int]:
        """UIDs of which something was said after ``modseq``, some perhaps twice."""
        if modseq >= self._floor:
            later = takewhile(lambda said: said[0] > modseq, reversed(self._recent))
            return [uid for _, uid in later]
        least = (modseq + 1) << 1
        return [u for u, said in zip(self.uids, self._said, strict=True) if said >= least]

    def packed(self, there: array[int], at_most: int) -> Iterator[Record]:
        """As few records as tell the same of the messages ``there``; no modseq above
        ``at_most``."""
        by_word: dict[tuple[int, bool], list[int]] = {}
        for uid, modseq, seen in self:
            at = bisect_left(there, uid)
            if at < len(there) and there[at] == uid:
                by_word.setdefault((min(modseq, at_most), seen), []).append(uid)
        for (modseq, seen), uids in sorted(by_word.items()):
            yield Record(modseq, seen, tuple(spans_of(uids)))


class SeenFile:
    """The file of one reader as far as it counts, read as it grows."""

    def __init__(self, folder: bytes, user: str) -> None:
        self.path, self._user = path_of(folder, user), user
        self.marks = Marks()
        self._stamp: tuple[int, int] | None = None  # inode and UIDVALIDITY of what was read
        self._offset = 0
        self._early = False  # records were met whose modseq the journal has not reached
        # Inode and size of a file whose end is no record (yet): one that is just being written, or
        # whose writer failed or died. Which of the two, only the folder's lock tells.
        self.tail: tuple[int, int] | None = None

    def catch_up(self, uidvalidity: int, modseq: int) -> set[int]:
        """Take in what was added up to ``modseq``; the UIDs of which something was said, and
        ``{0}`` where everything was read anew."""
        try:
            with files.storage_errors(self.path):
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            if self._stamp is not None and not os.path.isdir(os.path.dirname(self.path)):
                # Renamed just now: nothing is unseen by that.
                raise NoSuchFolder(os.fsdecode(self.path)) from None
            return self._nothing()
        try:
            return self._read(fd, uidvalidity, modseq)
        finally:
            os.close(fd)

    def _nothing(self) -> set[int]:
        had = self._stamp is not None
        self.marks, self._stamp, self._offset, self._early = Marks(), None, 0, False
        self.tail = None
        return {0} if had else set()

    def _read(self, fd: int, uidvalidity: int, modseq: int) -> set[int]:
        there = os.fstat(fd)
        changed = set[int]()
        known = self._offset and self._stamp == (there.st_ino, uidvalidity)
        if there.st_size - (self._offset if known else 0) > _BRIEF_BYTES:
            may_wait()
        if not known or there.st_size < self._offset:
            changed = self._nothing() or {0}
            raw = os.pread(fd, _MAX_BYTES, 0)
            self._stamp = (there.st_ino, uidvalidity)
            at = header_end(raw, uidvalidity)
            self._offset = at
            if not at:
                return changed
        elif there.st_size == self._offset:
            self.tail = None
            return changed
        else:
            raw, at = os.pread(fd, _MAX_BYTES, self._offset), 0
        return changed | self._apply(raw, at, modseq)

    def _apply(self, raw: bytes, at: int, modseq: int) -> set[int]:
        changed, self._early = set[int](), False
        start = self._offset - at
        size = start + len(raw)
        for record, end in records(raw, at):
            if record.modseq > modseq:
                self._early = True
                break
            for uid in _uids(record):
                self.marks.put(uid, record.modseq, record.seen)
                changed.add(uid)
            self._offset = start + end
        torn = self._offset < size and not self._early
        self.tail = (self._stamp[0], size) if torn and self._stamp else None
        return changed

    @contextmanager
    def writing(
        self, record: Record, uidvalidity: int, there: array[int], modseq: int
    ) -> Iterator[None]:
        """Append a record, which counts once the block has written the journal's of its modseq; if
        that fails it is taken away. ``there``: the folder's UIDs, ``modseq``: the folder's so far.
        The caller has caught up, and is the folder's only writer."""
        raw = pack_record(record)
        seal = raw[-_CRC.size :]
        open_raw = raw[: -_CRC.size] + bytes(byte ^ 0xFF for byte in seal)
        fd, at = self._room(uidvalidity, there, modseq)
        try:
            files.write_at(fd, open_raw, at, self.path)
            yield
            files.write_at(fd, seal, at + len(raw) - len(seal), self.path)
        except BaseException:
            self._take_back(fd, at)
            raise
        finally:
            os.close(fd)

    def _room(self, uidvalidity: int, there: array[int], modseq: int) -> tuple[int, int]:
        """A descriptor, and where the next record goes; the file is written anew if need be."""
        at = self._offset
        fresh = self._stamp is None or not at
        if fresh or self._early or self._is_torn() or at > self._bound():
            # Early records are those of a journal that lost its end.
            head = pack_header(uidvalidity, self._user)
            kept = map(pack_record, self.marks.packed(there, modseq))
            whole = b"".join((head, *kept))
            files.replace(self.path, whole)
            at = len(whole)
        with files.storage_errors(self.path):
            return os.open(self.path, _OPEN), at

    def _take_back(self, fd: int, at: int) -> None:
        try:
            files.truncate(fd, at, self.path)
        except (OSError, MailnodeError):
            pass  # it has no seal, so it never counts, and the next writer cuts it off

    def _is_torn(self) -> bool:
        with files.storage_errors(self.path):
            return os.stat(self.path).st_size != self._offset

    def _bound(self) -> int:
        return _SLACK_BYTES + _MARK_BYTES * len(self.marks.uids)


def _uids(record: Record) -> Iterator[int]:
    for low, high in record.spans:
        yield from range(low, high + 1)
