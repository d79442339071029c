"""Changing flags and removing messages: journal first, then the names of the files.

Promises: SIGKILL at any point loses no change: the next writer finishes it (``recover``).
Locks: ``core.changing`` around each verb.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailnode.model.errors import PermanentError
from mailnode.model.flags import Flag
from mailnode.runtime import files
from mailnode.store import EVERYTHING, Allowed, FlagsOp, StoreResult, listing, names
from mailnode.store.core import FolderCore
from mailnode.store.journal import Flagged, Kind, pack_flagged, pack_uids
from mailnode.store.state import MAX_KEYWORDS, FolderState

_DELETED = int(Flag.DELETED)  # arithmetic with the enum takes microseconds
# Messages removed without letting go of the folder's lock, and how long it is free then: who waits
# for it looks every 10 ms.
EXPUNGED_AT_ONCE = 500
TURN_S = 0.015
_ALL_KEYWORDS = 2**MAX_KEYWORDS - 1


class TooManyKeywords(PermanentError):
    """The folder knows as many keywords as it can."""

    public = "too many different keywords in this mailbox"


class _Sorted(NamedTuple):
    changed: list[int]  # indexes, as ``gone`` and ``modified`` are UIDs
    modified: tuple[int, ...]
    gone: tuple[int, ...]


def store_flags(
    core: FolderCore,
    uids: Iterable[int],
    op: FlagsOp,
    flags: Flag,
    keywords: frozenset[str],
    unchanged_since: int | None = None,
    among: Allowed = EVERYTHING,
) -> StoreResult:
    """See ``Folder.store_flags``. Raises ``TooManyKeywords``."""
    with core.changing() as state:
        bits = bits_of(core, op, keywords) if among.keywords else 0
        change = _change(op, int(flags), bits, among)
        parts = _sort(state, uids, change, unchanged_since)
        changed = tuple(state.uids[i] for i in parts.changed)
        if changed:
            _flag(core, parts.changed, change._replace(uids=changed))
        return StoreResult(changed, parts.modified, parts.gone, state.modseq)


def bits_of(core: FolderCore, op: FlagsOp, keywords: frozenset[str]) -> int:
    """The keywords' bits, new ones given. Raises ``TooManyKeywords``."""
    room = 0 if op is FlagsOp.REMOVE else MAX_KEYWORDS
    bits = core.keyword_bits(keywords, room=room)
    if room and bits.bit_count() < len({word.lower() for word in keywords}):
        raise TooManyKeywords
    return bits


def _change(op: FlagsOp, flags: int, bits: int, among: Allowed) -> Flagged:
    flags &= among.flags
    if op is FlagsOp.ADD:
        return Flagged((), flags, 0, bits, 0)
    if op is FlagsOp.REMOVE:
        return Flagged((), 0, flags, 0, bits)
    return Flagged((), flags, int(among.flags), bits, _ALL_KEYWORDS if among.keywords else 0)


def _sort(
    state: FolderState, uids: Iterable[int], change: Flagged, unchanged_since: int | None
) -> _Sorted:
    changed, modified, gone = list[int](), list[int](), list[int]()
    for uid in sorted(set(uids)):
        i = state.index(uid)
        if i < 0:
            gone.append(uid)
        # RFC 7162 3.1.3: a message changed after UNCHANGEDSINCE is left alone and reported.
        elif unchanged_since is not None and state.modseqs[i] > unchanged_since:
            modified.append(uid)
        elif (state.flags[i] & ~change.remove) | change.add != state.flags[i] or (
            state.bits[i] & ~change.remove_keywords
        ) | change.add_keywords != state.bits[i]:
            changed.append(i)
    return _Sorted(changed, tuple(modified), tuple(gone))


def _flag(core: FolderCore, indexes: list[int], change: Flagged) -> None:
    before = [core.expected(i) for i in indexes]
    core.ledger.begin(core.offset)
    core.commit(Kind.FLAGS, pack_flagged(change))
    finder = _Finder(core)
    for i, old in zip(indexes, before, strict=True):
        base = core.state.name(i)
        core.where.pop(base, None)
        new = core.expected(i)
        if new != old:
            finder.rename(base, old, new)
    core.ledger.finish()


def expunge(
    core: FolderCore, uids: Iterable[int] | None, *, only_deleted: bool
) -> Iterator[list[int]]:
    """Remove these messages (None: all), or those of them that carry ``\\Deleted``, in batches,
    each told once it is done. Others get the folder's lock in between: on a busy disk a file takes
    milliseconds."""
    with core.ledger.mutex:
        core.catch_up()
        state = core.state
        indexes = range(len(state)) if uids is None else state.indexes(uids)
        wanted = [state.uids[i] for i in indexes if not only_deleted or state.flags[i] & _DELETED]
    for start in range(0, len(wanted), EXPUNGED_AT_ONCE):
        if start:
            time.sleep(TURN_S)
        batch = wanted[start : start + EXPUNGED_AT_ONCE]
        if gone := remove(core, batch, only_deleted=only_deleted):
            yield gone


def remove(core: FolderCore, uids: Iterable[int], *, only_deleted: bool) -> list[int]:
    """The same at once; the UIDs removed."""
    with core.changing() as state:
        indexes = state.indexes(uids)
        if only_deleted:
            indexes = [i for i in indexes if state.flags[i] & _DELETED]
        if not indexes:
            return []
        gone = [state.uids[i] for i in indexes]
        bases = [state.name(i) for i in indexes]
        paths = [core.expected(i) for i in indexes]
        core.ledger.begin(core.offset)
        core.commit(Kind.EXPUNGE, pack_uids(gone))
        finder = _Finder(core)
        for base, path in zip(bases, paths, strict=True):
            core.where.pop(base, None)
            finder.unlink(base, path)
        core.ledger.finish()
        return gone


def disk_size(state: FolderState, index: int, base: bytes) -> int:
    """What the message counts for quota: its size on disk, as far as its name tells it."""
    told = names.size_in(base)
    return state.sizes[index] if told is None else told


class _Finder:
    """Renames and unlinks files that may not be where they should; lists the folder once."""

    def __init__(self, core: FolderCore) -> None:
        self._core = core
        self._listed: dict[bytes, bytes] | None = None

    def rename(self, base: bytes, old: bytes, new: bytes) -> None:
        """Rename from ``old``, from ``new/`` or from wherever the file is; a lost one stays so."""
        for place in self._places(base, old):
            try:
                files.rename(self._path(place), self._path(new))
                return
            except FileNotFoundError:
                continue

    def unlink(self, base: bytes, old: bytes) -> None:
        """Remove the file wherever it is."""
        for place in self._places(base, old):
            if files.unlink(self._path(place), missing_ok=True):
                return

    def _path(self, relative: bytes) -> bytes:
        return self._core.path + b"/" + relative

    def _places(self, base: bytes, old: bytes) -> Iterable[bytes]:
        yield old
        yield b"new/" + base
        if self._listed is None:
            self._listed = {f.base: f.relative for f in listing.list_files(self._core.path)}
        if base in self._listed:
            yield self._listed[base]
