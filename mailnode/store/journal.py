"""The journal's bytes: header and records, to and from values. No I/O but ``read_all``.

Layout, little-endian. Header (64 bytes): magic ``mailnode``, format version u16, header size u16,
reserved u32, UIDVALIDITY u32, epoch u64, mailbox id (16 bytes), zeros, CRC32 of what precedes.
Record: marker ``\\xabMR\\n``, length u32 (of the whole record), type u8, version u8, reserved u16,
uidnext u32, highestmodseq u64, messages u32, bytes u64 (all as they are *after* the record),
payload, CRC32 u32 of all that precedes, length u32 again. So the last record can be read backwards,
and it alone tells a delivery all it needs, and how much room the folder takes.
Promises: bytes that are no valid record are never applied. Invalid bytes with nothing valid
behind them are a torn tail (a crash amid an append); with a valid record behind them, damage.
A reader of version N ignores record types from 128 up that it does not know.
Fails: ``JournalDamaged`` for a header that is not one, ``OtherFormat`` for another version's.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from mailnode.model.errors import StorageGone, TemporaryError
from mailnode.runtime.files import storage_errors
from mailnode.store import names

JOURNAL_NAME = b"mailnode.journal"
LOCK_NAME = b"mailnode.lock"
FORMAT_VERSION = 2

_HEADER = struct.Struct("<8sHHIIQ16s16xI")
_HEAD = struct.Struct("<4sIBBHIQIQ")
_TAIL = struct.Struct("<II")
_MAGIC = b"mailnode"
_MARKER = b"\xabMR\n"
_MESSAGE = struct.Struct("<IBBHQQqq")
_FLAGGED = struct.Struct("<BBxxQQI")
_COUNT = struct.Struct("<I")
HEADER_SIZE = _HEADER.size
RECORD_OVERHEAD = _HEAD.size + _TAIL.size
EMAIL_ID_SIZE = 16
# A record this long is followed by a MARK, so that reading the last record stays cheap.
LONG_RECORD_BYTES = 32 * 1024
# Enough for the last record in nearly every folder; a longer one is read in a second step.
_LAST_BYTES = 1024


class JournalDamaged(TemporaryError):
    """The journal cannot be read as one; the folder's next writer rebuilds it."""


class OtherFormat(StorageGone):
    """The journal is of a version that this program does not read; it is left as it is."""


class OlderFormat(OtherFormat):
    """It is of a version from before the first release."""


class Kind(IntEnum):
    """Record types."""

    ADD = 1
    FLAGS = 2
    EXPUNGE = 3
    KEYWORDS = 4
    RECENT = 5
    MARK = 6
    SNAPSHOT = 7


_KNOWN = frozenset(int(kind) for kind in Kind)
_MAY_IGNORE = 128


class Header(NamedTuple):
    """Identity of a folder's journal; ``epoch`` counts compactions."""

    uidvalidity: int
    epoch: int
    mailbox_id: bytes


class Totals(NamedTuple):
    """How many messages there are, and the bytes they count for quota (see ``disk_size``)."""

    messages: int = 0
    size: int = 0

    def plus(self, other: Totals) -> Totals:
        """The sum."""
        return Totals(self.messages + other.messages, self.size + other.size)


NOTHING = Totals()


class Record(NamedTuple):
    """A valid record. ``uidnext``, ``modseq`` and ``totals`` are the folder's after it."""

    kind: int
    uidnext: int
    modseq: int
    payload: bytes
    totals: Totals = NOTHING


class Span(NamedTuple):
    """Bytes ``start`` to ``end`` of a journal; ``record`` is None where they are not valid."""

    start: int
    end: int
    record: Record | None


class Added(NamedTuple):
    """One message of an ADD. ``name`` is the base name (before ``:2,``); dates in microseconds
    since 1970; ``email_id`` empty: derived from the name."""

    uid: int
    flags: int
    keyword_bits: int
    size: int
    internal_us: int
    save_us: int
    name: bytes
    email_id: bytes = b""


class Flagged(NamedTuple):
    """A FLAGS: each message's flags become ``(old & ~remove) | add``, keywords alike."""

    uids: Sequence[int]
    add: int
    remove: int
    add_keywords: int
    remove_keywords: int


def pack_header(header: Header) -> bytes:
    """The 64 bytes a journal starts with."""
    raw = _HEADER.pack(
        _MAGIC, FORMAT_VERSION, HEADER_SIZE, 0, header.uidvalidity, header.epoch,
        header.mailbox_id, 0,
    )  # fmt: skip
    return raw[:-4] + zlib.crc32(raw[:-4]).to_bytes(4, "little")


def unpack_header(raw: bytes) -> Header:
    """Raises ``JournalDamaged``, or ``OtherFormat`` when another version of mailnode wrote it
    (``OlderFormat`` when an older one did)."""
    if len(raw) < HEADER_SIZE or raw[:8] != _MAGIC:
        raise JournalDamaged("no journal header")
    _, version, _, _, uidvalidity, epoch, mailbox_id, crc = _HEADER.unpack(raw[:HEADER_SIZE])
    if crc != zlib.crc32(raw[: HEADER_SIZE - 4]) or not uidvalidity:
        raise JournalDamaged("journal header has a wrong checksum")
    if version > FORMAT_VERSION:
        raise OtherFormat(f"journal format {version} is newer than this program")
    if version < FORMAT_VERSION:
        raise OlderFormat(
            f"journal format {version} is older than {FORMAT_VERSION}, the first one released; "
            "move the folder's mailnode.journal and mailnode.lock away and it is read anew"
        )
    return Header(uidvalidity, epoch, mailbox_id)


def identity_in(path: bytes) -> bytes | None:
    """The mailbox id in the header of the journal at ``path``; None where none can be read."""
    try:
        with storage_errors(path), open(path, "rb", buffering=0) as file:
            return unpack_header(file.read(HEADER_SIZE)).mailbox_id
    except (FileNotFoundError, NotADirectoryError, JournalDamaged, OtherFormat):
        return None


def pack_record(
    kind: int, uidnext: int, modseq: int, payload: bytes = b"", *, totals: Totals = NOTHING
) -> bytes:
    """A whole record, followed by a MARK where it is long."""
    length = RECORD_OVERHEAD + len(payload)
    body = _HEAD.pack(_MARKER, length, kind, 1, 0, uidnext, modseq, *totals) + payload
    raw = body + _TAIL.pack(zlib.crc32(body), length)
    if length > LONG_RECORD_BYTES:
        raw += pack_record(Kind.MARK, uidnext, modseq, totals=totals)
    return raw


def unpack_record(raw: bytes | memoryview, start: int) -> tuple[Record, int] | None:
    """The record at ``start`` and where it ends; None where no valid one begins there."""
    if len(raw) - start < RECORD_OVERHEAD:
        return None
    marker, length, kind, _, _, uidnext, modseq, *totals = _HEAD.unpack_from(raw, start)
    end = start + length
    if marker != _MARKER or length < RECORD_OVERHEAD or end > len(raw):
        return None
    crc, again = _TAIL.unpack_from(raw, end - _TAIL.size)
    body = memoryview(raw)[start : end - _TAIL.size]
    if again != length or crc != zlib.crc32(body):
        return None
    return Record(kind, uidnext, modseq, bytes(body[_HEAD.size :]), Totals(*totals)), end


def peek(raw: bytes) -> tuple[int, int, int, int, Totals]:
    """Type, length, uidnext, modseq and totals that a record's first bytes claim, unchecked."""
    if len(raw) < RECORD_OVERHEAD:
        return 0, 0, 0, 0, NOTHING
    _, length, kind, _, _, uidnext, modseq, *totals = _HEAD.unpack_from(raw)
    return kind, length, uidnext, modseq, Totals(*totals)


def last_length(raw: bytes) -> int:
    """The length of the record that these last bytes of a journal end; 0 where none can."""
    length = int.from_bytes(raw[-4:], "little") if len(raw) >= RECORD_OVERHEAD else 0
    return length if length >= RECORD_OVERHEAD else 0


def last_record(fd: int, size: int) -> Record | None:
    """The record that ends a journal of ``size`` bytes; None where it ends with none."""
    start = max(HEADER_SIZE, size - _LAST_BYTES)
    raw = read_range(fd, start, size)
    length = last_length(raw)
    if not length or length > size - HEADER_SIZE:
        return None
    if length > len(raw):
        raw = read_range(fd, size - length, size)
    found = unpack_record(raw, len(raw) - length)
    return found[0] if found else None


def scan(raw: bytes, base: int = 0) -> Iterator[Span]:
    """Every span of ``raw``, which starts at offset ``base`` of a journal, at a record."""
    at = 0
    while at < len(raw):
        found = unpack_record(raw, at)
        if found is not None:
            record, end = found
            yield Span(base + at, base + end, record)
        else:
            end = _next_valid(raw, at + 1)
            yield Span(base + at, base + end, None)
        at = end


def _next_valid(raw: bytes, at: int) -> int:
    """Where the next valid record starts, or the end of ``raw``."""
    while (at := raw.find(_MARKER, at)) >= 0:
        if unpack_record(raw, at) is not None:
            return at
        at += 1
    return len(raw)


def read_all(journal: int | bytes | str) -> tuple[Header, Iterator[Span]]:
    """Header and spans of a whole journal, by descriptor or path (for loading and checking).

    Raises ``JournalDamaged``, ``FileNotFoundError``, ``StorageGone``.
    """
    if isinstance(journal, int):
        raw = _read_whole(journal)
    else:
        with storage_errors(journal):
            fd = os.open(journal, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                raw = _read_whole(fd)
            finally:
                os.close(fd)
    return unpack_header(raw), scan(raw[HEADER_SIZE:], HEADER_SIZE)


def _read_whole(fd: int) -> bytes:
    return read_range(fd, 0, os.fstat(fd).st_size)


def read_range(fd: int, start: int, end: int) -> bytes:
    """Bytes ``start`` to ``end``; fewer where the file is shorter."""
    block = os.pread(fd, end - start, start)
    if len(block) == end - start or not block:
        return block
    blocks = [block]
    start += len(block)
    while start < end and (block := os.pread(fd, end - start, start)):
        blocks.append(block)
        start += len(block)
    return b"".join(blocks)


def known(record: Record) -> bool:
    """True when this program understands the record; raises for one it must not ignore."""
    if record.kind in _KNOWN:
        return True
    if record.kind >= _MAY_IGNORE:
        return False
    raise OtherFormat(f"journal record type {record.kind} is newer than this program")


def pack_added(messages: Iterable[Added]) -> bytes:
    """Payload of ADD."""
    parts: list[bytes] = []
    for m in messages:
        numbers = (m.uid, m.flags, len(m.email_id), len(m.name), m.keyword_bits, m.size)
        parts += (_MESSAGE.pack(*numbers, m.internal_us, m.save_us), m.name, m.email_id)
    return b"".join(parts)


def unpack_added(payload: bytes) -> list[Added]:
    """The messages of an ADD."""
    messages, at = [], 0
    while at < len(payload):
        uid, flags, id_len, name_len, bits, size, internal, save = _MESSAGE.unpack_from(payload, at)
        name_at = at + _MESSAGE.size
        at = name_at + name_len + id_len
        name = payload[name_at : name_at + name_len]
        email_id = payload[name_at + name_len : at]
        messages.append(Added(uid, flags, bits, size, internal, save, name, email_id))
    return messages


def disk_size(base: bytes, size: int) -> int:
    """What a message counts for quota: its size on disk if its name tells it, else ``size``, the
    one with CRLF line ends."""
    told = names.size_in(base)
    return size if told is None else told


def added_totals(payload: bytes) -> Totals:
    """By how much an ADD makes a folder grow."""
    messages = unpack_added(payload)
    return Totals(len(messages), sum(disk_size(m.name, m.size) for m in messages))


def pack_uids(uids: Sequence[int]) -> bytes:
    """Payload of EXPUNGE."""
    return struct.pack(f"<I{len(uids)}I", len(uids), *uids)


def unpack_uids(payload: bytes, at: int = 0) -> tuple[int, ...]:
    """The UIDs of an EXPUNGE."""
    (count,) = _COUNT.unpack_from(payload, at)
    return struct.unpack_from(f"<{count}I", payload, at + 4)


def pack_flagged(change: Flagged) -> bytes:
    """Payload of FLAGS."""
    head = _FLAGGED.pack(
        change.add, change.remove, change.add_keywords, change.remove_keywords, len(change.uids)
    )
    return head + struct.pack(f"<{len(change.uids)}I", *change.uids)


def unpack_flagged(payload: bytes) -> Flagged:
    """The change of a FLAGS."""
    add, remove, add_bits, remove_bits, count = _FLAGGED.unpack_from(payload)
    uids = struct.unpack_from(f"<{count}I", payload, _FLAGGED.size)
    return Flagged(uids, add, remove, add_bits, remove_bits)


def pack_keywords(first: int, names: Iterable[str]) -> bytes:
    """Payload of KEYWORDS: names for the bits from ``first`` on."""
    return _COUNT.pack(first) + "\n".join(names).encode()


def unpack_keywords(payload: bytes) -> tuple[int, list[str]]:
    """First bit and names of a KEYWORDS."""
    text = payload[4:].decode("utf-8", "replace")
    return _COUNT.unpack_from(payload)[0], text.split("\n") if text else []


def pack_recent(uid: int) -> bytes:
    """Payload of RECENT: messages below ``uid`` are no longer recent."""
    return _COUNT.pack(uid)


def unpack_recent(payload: bytes) -> int:
    """The UID of a RECENT."""
    return int(_COUNT.unpack_from(payload)[0])
