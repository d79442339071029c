"""A folder in memory: columns of numbers, one blob of names, pictures, and what changed lately.

Promises: ``apply`` is the only way in, one journal record at a time; counters never go back. A
picture shares columns with the state until the next change of that column copies it, so that
any number of sessions and pictures cost one copy. About 105 bytes a message.
Locks: none here; the owner (``FolderCore``) holds its mutex around every call.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import compress

from mailnode.model.flags import Flag
from mailnode.store import Change, MessageInfo, Picture, PictureDiff, names
from mailnode.store.journal import (
    Added,
    Flagged,
    Header,
    Kind,
    Record,
    Totals,
    added_totals,
    disk_size,
    known,
    unpack_added,
    unpack_flagged,
    unpack_keywords,
    unpack_recent,
    unpack_uids,
)

MAX_KEYWORDS = 64
# Above this many removals one sweep over the columns is cheaper than single deletions.
_SWEEP = 64
_LOG_ENTRIES = 4096
_MICRO = 1_000_000
_LOG_UIDS = 200_000
_SEEN = int(Flag.SEEN)
_STRIDE = 16 * 1024  # so many flags are looked at in one go
_SLASH = b"/"  # cannot occur in a file name, so it parts the names in the blob


class FolderState:
    """See the module's promises. Index ``i`` of every column belongs to ``uids[i]``."""

    def __init__(self, header: Header, expunge_history: int = 20_000) -> None:
        self.header = header
        self.uidnext, self.modseq, self.recent = 1, 1, 1
        self.keywords: tuple[str, ...] = ()
        self.uids, self.flags, self.modseqs, self.bits = (
            array("I"), array("B"), array("Q"), array("Q"),
        )  # fmt: skip
        self.sizes, self.internal_us, self.save_us = array("Q"), array("q"), array("q")
        self.disk_bytes = 0  # what the messages count for quota
        self.name_at, self.blob = array("I"), bytearray(_SLASH)
        self.email_ids: dict[int, bytes] = {}
        self.gone_uids, self.gone_modseqs, self.horizon = array("I"), array("Q"), 0
        self.expunge_history = expunge_history
        self.version = 0
        self._log: deque[tuple[int, Change, Sequence[int]]] = deque()
        self._log_uids, self._log_floor = 0, 0
        self._seen = 0  # the messages before this position are seen
        self._shared: set[str] = set()
        self._picture: Picture | None = None

    def __len__(self) -> int:
        return len(self.uids)

    # -- looking ---------------------------------------------------------------------------

    def index(self, uid: int) -> int:
        """Where the message stands; -1 when it is not here."""
        at = bisect_left(self.uids, uid)
        return at if at < len(self.uids) and self.uids[at] == uid else -1

    def indexes(self, uids: Iterable[int]) -> list[int]:
        """Positions of those that are here, ascending."""
        return sorted({i for i in map(self.index, uids) if i >= 0})

    def spots(self, uids: Sequence[int]) -> Sequence[int]:
        """The same of many ascending UIDs, quick where no other lies between them."""
        first = bisect_left(self.uids, uids[0]) if uids else 0
        if self.uids[first : first + len(uids)] == array("I", uids):
            return range(first, first + len(uids))
        return self.indexes(uids)

    def sizes_of(self, uids: Sequence[int]) -> dict[int, tuple[int, float]]:
        """Size and internal date of those that are here, by ascending UID."""
        columns = (self.uids, self.sizes, self.internal_us)
        spots = self.spots(uids)
        at, size, us = (picked(column, spots) for column in columns)
        return dict(zip(at, zip(size, [one / _MICRO for one in us], strict=True), strict=True))

    def name(self, index: int) -> bytes:
        """The base name of the message's file."""
        at = self.name_at[index]
        return bytes(self.blob[at : self.blob.index(_SLASH, at)])

    def uid_of(self, base: bytes) -> int:
        """The UID of a base name, 0 when unknown; quick for the newest messages."""
        found = self.blob.rfind(_SLASH + base + _SLASH)
        if found < 0:
            return 0
        at = bisect_left(self.name_at, found + 1)
        return self.uids[at] if at < len(self) and self.name_at[at] == found + 1 else 0

    def letters(self, index: int) -> bytes:
        """The info letters the message's file should carry."""
        return names.letters_for(self.flags[index], self.bits[index], self.keywords)

    def email_id(self, index: int) -> bytes:
        """16 bytes of RFC 8474 EMAILID."""
        return self.email_ids.get(self.uids[index]) or names.email_id(self.name(index))

    def picture(self) -> Picture:
        """An immutable picture; the same object while nothing changed."""
        if self._picture is None:
            self._shared = {"uids", "flags", "modseqs", "bits"}
            self._picture = Picture(
                self.header.uidvalidity, self.uidnext, self.modseq, self.uids, self.flags,
                self.modseqs, self.bits, self.keywords,
            )  # fmt: skip
        return self._picture

    def first_unseen(self) -> int:
        """Where the first unseen message stands, -1 when all are seen. Costs what has come or
        changed since it was asked for last."""
        while self._seen < len(self.flags):
            part = self.flags[self._seen : self._seen + _STRIDE]
            found = first_without(part.tobytes(), Flag.SEEN)
            self._seen += len(part) if found < 0 else found
            if found >= 0:
                return self._seen
        return -1

    def vanished_since(self, modseq: int, wanted: Iterable[int] | None) -> list[int] | None:
        """UIDs expunged after ``modseq``; None when history does not reach back so far."""
        if modseq < self.horizon:
            return None
        gone = set(self.gone_uids[bisect_right(self.gone_modseqs, modseq) :])
        return sorted(gone if wanted is None else gone.intersection(wanted))

    # -- how much is here ------------------------------------------------------------------

    @property
    def totals(self) -> Totals:
        """Messages and the bytes they count for quota."""
        return Totals(len(self.uids), self.disk_bytes)

    def size_for_quota(self, indexes: Iterable[int]) -> int:
        """What these messages count for quota, in bytes."""
        return sum(disk_size(self.name(i), self.sizes[i]) for i in indexes)

    def recount(self) -> None:
        """Add up anew what all messages count for quota."""
        self.disk_bytes = self.size_for_quota(range(len(self)))

    def totals_after(self, kind: int, payload: bytes) -> Totals:
        """What ``totals`` will be once this record is applied."""
        if kind == Kind.ADD:
            return self.totals.plus(added_totals(payload))
        if kind == Kind.EXPUNGE:
            gone = self.indexes(unpack_uids(payload))
            return self.totals.plus(Totals(-len(gone), -self.size_for_quota(gone)))
        return self.totals

    # -- changing --------------------------------------------------------------------------

    def apply(self, record: Record, *, remember: bool = True) -> None:
        """Take a record in; ``remember`` False while loading (no one has an older picture)."""
        if known(record):
            self._apply_known(record, remember)
        self.uidnext = max(self.uidnext, record.uidnext)
        self.modseq = max(self.modseq, record.modseq)
        self.version += 1
        self._picture = None
        if not remember:
            self._log_floor = self.modseq

    def _apply_known(self, record: Record, remember: bool) -> None:
        match record.kind:
            case Kind.ADD:
                self._add(unpack_added(record.payload), record.modseq)
            case Kind.FLAGS:
                changed = self._flag(unpack_flagged(record.payload), record.modseq)
                self._note(record.modseq, Change.FLAGS, changed, remember)
            case Kind.EXPUNGE:
                gone = self._expunge(unpack_uids(record.payload), record.modseq)
                self._note(record.modseq, Change.EXPUNGED, gone, remember)
            case Kind.KEYWORDS:
                first, fresh = unpack_keywords(record.payload)
                self.keywords = self.keywords[:first] + tuple(fresh)
            case Kind.RECENT:
                self.recent = max(self.recent, unpack_recent(record.payload))

    def _own(self, *columns: str) -> None:
        """Copy columns that a picture shares before they change."""
        for column in columns:
            if column in self._shared:
                self._shared.discard(column)
                setattr(self, column, getattr(self, column)[:])

    def _add(self, messages: list[Added], modseq: int) -> None:
        self._own("uids", "flags", "modseqs", "bits")
        last = self.uids[-1] if self.uids else 0
        for m in messages:
            if m.uid <= last:
                continue  # a record read twice or damaged; UIDs strictly ascend
            last = m.uid
            self.uids.append(m.uid)
            self.flags.append(m.flags)
            self.modseqs.append(modseq)
            self.bits.append(m.keyword_bits)
            self.sizes.append(m.size)
            self.disk_bytes += disk_size(m.name, m.size)
            self.internal_us.append(m.internal_us)
            self.save_us.append(m.save_us)
            self.name_at.append(len(self.blob))
            self.blob += m.name + _SLASH
            if m.email_id:
                self.email_ids[m.uid] = m.email_id

    def _flag(self, change: Flagged, modseq: int) -> list[int]:
        self._own("flags", "modseqs")
        if change.add_keywords or change.remove_keywords:
            self._own("bits")
        changed = []
        for uid in change.uids:
            at = self.index(uid)
            if at < 0:
                continue
            self.flags[at] = (self.flags[at] & ~change.remove) | change.add
            if change.remove & _SEEN:
                self._seen = min(self._seen, at)
            if change.add_keywords or change.remove_keywords:
                bits = self.bits[at] & ~change.remove_keywords
                self.bits[at] = bits | change.add_keywords
            self.modseqs[at] = modseq
            changed.append(uid)
        return changed

    def _expunge(self, uids: Sequence[int], modseq: int) -> list[int]:
        indexes = self.indexes(uids)
        if not indexes:
            return []
        gone = [self.uids[i] for i in indexes]
        self.disk_bytes -= self.size_for_quota(indexes)
        self._own("uids", "flags", "modseqs", "bits")
        for uid in gone:
            self.email_ids.pop(uid, None)
            self.gone_uids.append(uid)
            self.gone_modseqs.append(modseq)
        self._drop(indexes)
        self._trim_history()
        self._pack_blob()
        return gone

    def _drop(self, indexes: list[int]) -> None:
        self._seen -= bisect_left(indexes, self._seen)
        columns = (
            "uids", "flags", "modseqs", "bits", "sizes", "internal_us", "save_us", "name_at",
        )  # fmt: skip
        if len(indexes) <= _SWEEP:
            for column in columns:
                values = getattr(self, column)
                for i in reversed(indexes):
                    del values[i]
            return
        keep = bytearray(b"\x01") * len(self.uids)
        for i in indexes:
            keep[i] = 0
        for column in columns:
            values = getattr(self, column)
            setattr(self, column, array(values.typecode, compress(values, keep)))

    def _trim_history(self) -> None:
        excess = len(self.gone_uids) - self.expunge_history
        if excess > self.expunge_history // 4:
            self.horizon = self.gone_modseqs[excess - 1]
            del self.gone_uids[:excess], self.gone_modseqs[:excess]

    def _pack_blob(self) -> None:
        """Drop the names of expunged messages once they are half of the blob."""
        if len(self.blob) < 4096 or len(self.blob) < len(self) * 160:
            return
        fresh, starts = bytearray(_SLASH), array("I")
        for i in range(len(self)):
            starts.append(len(fresh))
            fresh += self.name(i) + _SLASH
        self.blob, self.name_at = fresh, starts

    # -- what changed between two pictures -------------------------------------------------

    def _note(self, modseq: int, change: Change, uids: list[int], remember: bool) -> None:
        if not remember or not uids:
            return
        self._log.append((modseq, change, array("I", uids)))
        self._log_uids += len(uids)
        while len(self._log) > _LOG_ENTRIES or self._log_uids > _LOG_UIDS:
            self._log_floor, _, dropped = self._log.popleft()
            self._log_uids -= len(dropped)

    def forget_past(self) -> None:
        """Say that pictures older than now were made by another state (it was just loaded)."""
        self._log.clear()
        self._log_uids, self._log_floor = 0, self.modseq

    def diff(self, old: Picture, new: Picture) -> PictureDiff:
        """Expunged, added and flagged UIDs from ``old`` to ``new``, at the cost of those."""
        if old is new:
            return PictureDiff((), (), ())
        same = old.uidvalidity == new.uidvalidity == self.header.uidvalidity
        if not same or old.highestmodseq < self._log_floor:
            return compare(old, new)
        expunged, flagged = set[int](), set[int]()
        for modseq, change, uids in reversed(self._log):
            if modseq <= old.highestmodseq:
                break
            if modseq <= new.highestmodseq:
                (expunged if change is Change.EXPUNGED else flagged).update(uids)
        added = new.uids[bisect_left(new.uids, old.uidnext) :]
        return PictureDiff(
            tuple(sorted(uid for uid in expunged if uid < old.uidnext)),
            tuple(added),
            tuple(sorted(uid for uid in flagged - expunged if uid < old.uidnext)),
        )


_NO_KEYWORDS: frozenset[str] = frozenset()
_FLAGS = tuple(map(Flag, range(32)))


def message_info(state: FolderState, index: int) -> MessageInfo:
    """The facts of the message at ``index``."""
    bits = state.bits[index]
    words = (word for i, word in enumerate(state.keywords) if bits >> i & 1)
    return MessageInfo(
        uid=state.uids[index],
        modseq=state.modseqs[index],
        flags=_FLAGS[state.flags[index]],
        keywords=frozenset(words) if bits else _NO_KEYWORDS,
        size=state.sizes[index],
        internal_date=state.internal_us[index] / _MICRO,
        save_date=state.save_us[index] / _MICRO,
        email_id=state.email_id(index).hex(),
        thread_id="",
    )


def picked(column: Sequence[int], spots: Sequence[int]) -> Sequence[int]:
    """The values at these positions."""
    if isinstance(spots, range):
        return column[spots.start : spots.stop]
    return [column[at] for at in spots]


def compare(old: Picture, new: Picture) -> PictureDiff:
    """The same from the pictures alone, at the cost of the whole folder."""
    if old.uidvalidity != new.uidvalidity:
        return PictureDiff(tuple(old.uids), tuple(new.uids), ())
    expunged = set(old.uids).difference(new.uids)
    start = bisect_left(new.uids, old.uidnext)
    flagged = (
        uid
        for uid, modseq in zip(new.uids[:start], new.modseqs[:start], strict=True)
        if modseq > old.highestmodseq
    )
    return PictureDiff(tuple(sorted(expunged)), tuple(new.uids[start:]), tuple(flagged))


def size_of_deleted(sizes: Sequence[int], flags: Sequence[int]) -> int:
    """Bytes of the messages marked ``\\Deleted``."""
    deleted = int(Flag.DELETED)  # arithmetic with the enum takes microseconds
    return sum(size for size, bits in zip(sizes, flags, strict=True) if bits & deleted)


# By the bit of each flag, a table for ``translate``: 1 for flags that lack it.
_LACKS = {int(flag): bytes(not bits & int(flag) for bits in range(256)) for flag in Flag}


def first_without(flags: bytes, flag: Flag) -> int:
    """Where the first message that lacks the flag stands; -1: nowhere."""
    return flags.translate(_LACKS[int(flag)]).find(1)


def count_without(flags: bytes, flag: Flag) -> int:
    """How many messages lack the flag."""
    return flags.translate(_LACKS[int(flag)]).count(1)
