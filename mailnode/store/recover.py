"""Finishing what a writer that was killed had begun.

A writer notes in the lock file from which journal offset on it changes file names, writes the
records, renames or unlinks, and clears the note. Whoever finds a note under the lock knows that
its writer died, and does the rest: names follow the journal, and files that were placed but not
recorded are adopted.
Locks: inside ``core.ledger.hold``.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from mailnode.runtime import files
from mailnode.store import journal, listing, names, rescan, snapshot
from mailnode.store.journal import HEADER_SIZE, Kind, Record
from mailnode.store.listing import FoundFile
from mailnode.store.state import FolderState

if TYPE_CHECKING:
    from mailnode.store.core import FolderCore


def complete(core: FolderCore, epoch: int, offset: int) -> None:
    """Make the file names what the records from ``offset`` on say; then clear the note."""
    header = core.ledger.header
    if header is not None and header.epoch == epoch and offset >= HEADER_SIZE:
        _complete(core, offset)
    # A journal of another epoch was written by someone who had done this already.
    core.ledger.finish()


def _complete(core: FolderCore, offset: int) -> None:
    end = os.fstat(core.ledger.fd).st_size
    records = [
        span.record
        for span in journal.scan(core.ledger.read(offset, end), offset)
        if span.record is not None
    ]
    flagged = {
        uid
        for record in records
        if record.kind == Kind.FLAGS
        for uid in journal.unpack_flagged(record.payload).uids
    }
    expunged = [
        uid
        for record in records
        if record.kind == Kind.EXPUNGE
        for uid in journal.unpack_uids(record.payload)
    ]
    found: defaultdict[bytes, list[FoundFile]] = defaultdict(list)
    for file in listing.list_files(core.path):
        found[file.base].append(file)
    _unlink(core, expunged, offset, found)
    _rename(core, flagged, found)
    rescan.reconcile(core)


def _unlink(
    core: FolderCore, uids: list[int], offset: int, found: dict[bytes, list[FoundFile]]
) -> None:
    before = _state_before(core, offset) if uids else None
    for uid in uids:
        index = before.index(uid) if before is not None else -1
        if before is None or index < 0:
            continue
        for file in found.get(before.name(index), ()):
            files.unlink(core.path + b"/" + file.relative, missing_ok=True)


def _state_before(core: FolderCore, offset: int) -> FolderState | None:
    """The state as it was before the records from ``offset`` on; it knows the names."""
    header, state = core.ledger.header, None
    assert header is not None
    for span in journal.scan(core.ledger.read(HEADER_SIZE, offset), HEADER_SIZE):
        record: Record | None = span.record
        if record is not None and record.kind == Kind.SNAPSHOT:
            state = snapshot.unpack(header, record, core.context.settings.expunge_history)
        elif record is not None and state is not None:
            state.apply(record, remember=False)
    return state


def _rename(core: FolderCore, uids: set[int], found: dict[bytes, list[FoundFile]]) -> None:
    for index in core.state.indexes(uids):
        base = core.state.name(index)
        target = b"cur/" + base + names.INFO + core.state.letters(index)
        for file in found.get(base, ())[:1]:
            if file.relative != target:
                files.rename(core.path + b"/" + file.relative, core.path + b"/" + target)
        core.where.pop(base, None)
