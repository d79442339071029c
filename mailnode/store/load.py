"""From a journal's bytes to a folder's state.

Promises: nothing invalid is applied; what is valid is, also beyond damage, so that counters never
go back.
"""

from __future__ import annotations

from typing import NamedTuple

from mailnode.store import journal, snapshot
from mailnode.store.journal import HEADER_SIZE, Header, JournalDamaged, Kind, Record
from mailnode.store.state import FolderState


class Loaded(NamedTuple):
    """``whole`` False: damaged, rebuild it. ``base`` ends the snapshot, ``offset`` the rest."""

    state: FolderState | None
    whole: bool
    base: int
    offset: int


def replay(header: Header, raw: bytes, expunge_history: int) -> Loaded:
    """The state after all records of ``raw``, which is the journal behind its header."""
    state: FolderState | None = None
    whole, base, offset, end = True, HEADER_SIZE, HEADER_SIZE, HEADER_SIZE + len(raw)
    for span in journal.scan(raw, HEADER_SIZE):
        if span.record is None:
            whole = whole and span.end == end  # else only a torn tail
            continue
        if span.record.kind == Kind.SNAPSHOT:
            fresh = _unpack(header, span.record, expunge_history)
            base = span.end
            state, whole = (state, False) if fresh is None else (fresh, whole)
        if state is None:  # the snapshot is lost, the counters are not
            state, whole = FolderState(header, expunge_history), False
        state.apply(span.record, remember=False)
        offset = span.end
    return Loaded(state, whole and state is not None, base, offset)


def _unpack(header: Header, record: Record, expunge_history: int) -> FolderState | None:
    try:
        return snapshot.unpack(header, record, expunge_history)
    except JournalDamaged:
        return None
