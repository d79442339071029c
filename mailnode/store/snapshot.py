"""A whole folder as one journal record: columns behind one another, ready to be loaded.

Promises: ``unpack(pack(state))`` gives an equal state; loading costs a few copies per column,
not a step per message.
Payload, little-endian: counts (messages, expunge history, bytes of names, keyword text, email
ids), recent UID, history horizon; columns uids u32, flags u8, modseqs u64, keyword bits u64, sizes
u64, internal dates i64, save dates i64, name offsets u32, expunged uids u32, their modseqs u64;
names, each between slashes; keywords, one a line; email ids (uid u32, 16 bytes).
"""

from __future__ import annotations

import struct
import sys
from array import array
from itertools import accumulate

from mailnode.store.journal import EMAIL_ID_SIZE, Header, JournalDamaged, Record
from mailnode.store.state import FolderState

_HEAD = struct.Struct("<IIIIIIQ")
_COLUMNS = ("uids", "flags", "modseqs", "bits", "sizes", "internal_us", "save_us", "name_at")
_HISTORY = ("gone_uids", "gone_modseqs")
_EMAIL_ID = struct.Struct(f"<I{EMAIL_ID_SIZE}s")


def pack(state: FolderState) -> bytes:
    """The payload of a SNAPSHOT."""
    names = [state.name(i) for i in range(len(state))]
    starts = array("I", accumulate((len(name) + 1 for name in names), initial=1))
    blob = b"/" + b"".join(name + b"/" for name in names)
    keywords = "\n".join(state.keywords).encode()
    counts = (len(state), len(state.gone_uids), len(blob), len(keywords), len(state.email_ids))
    parts = [_HEAD.pack(*counts, state.recent, state.horizon)]
    parts += (_to_bytes(getattr(state, column)) for column in _COLUMNS[:-1])
    parts.append(_to_bytes(starts[: len(state)]))
    parts += (_to_bytes(getattr(state, column)) for column in _HISTORY)
    parts += (blob, keywords)
    parts += (_EMAIL_ID.pack(uid, value) for uid, value in state.email_ids.items())
    return b"".join(parts)


def unpack(header: Header, record: Record, expunge_history: int) -> FolderState:
    """The state a SNAPSHOT holds. Raises ``JournalDamaged`` where the counts do not fit."""
    state = FolderState(header, expunge_history)
    raw = memoryview(record.payload)
    try:
        count, gone, blob, keywords, ids, state.recent, state.horizon = _HEAD.unpack_from(raw)
        at = _HEAD.size
        for column in _COLUMNS:
            at = _load(state, column, raw, at, count)
        for column in _HISTORY:
            at = _load(state, column, raw, at, gone)
    except struct.error as error:
        raise JournalDamaged("snapshot too short") from error
    if at + blob + keywords + ids * _EMAIL_ID.size != len(raw):
        raise JournalDamaged("snapshot of a wrong length")
    state.blob = bytearray(raw[at : at + blob])
    at += blob
    text = bytes(raw[at : at + keywords]).decode("utf-8", "replace")
    state.keywords = tuple(text.split("\n")) if text else ()
    state.email_ids = dict(_EMAIL_ID.iter_unpack(raw[at + keywords :]))
    state.uidnext, state.modseq = record.uidnext, record.modseq
    state.disk_bytes = record.totals.size
    state.forget_past()
    return state


def _load(state: FolderState, column: str, raw: memoryview, at: int, count: int) -> int:
    values = array(getattr(state, column).typecode)
    end = at + count * values.itemsize
    if end > len(raw):
        raise JournalDamaged("snapshot column too short")
    values.frombytes(raw[at:end])
    setattr(state, column, _little(values))
    return end


def _to_bytes(values: array[int]) -> bytes:
    return _little(values[:]).tobytes() if sys.byteorder == "big" else values.tobytes()


def _little(values: array[int]) -> array[int]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
