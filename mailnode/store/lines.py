"""The part of the view that is read for all messages of a folder at once: a line for each.

Blocks of ``SPAN`` neighbouring UIDs have the lines of one kind in a row of bytes: 10 000 subjects
come as ten values, in less time than a hundred messages have to be asked for one by one.
Promises: a block holds what was kept of its messages, perhaps not all of them; what expunged
messages leave goes with its block, which is made again on demand.
Fails: ``sqlite3.Error``.
Locks: the caller's, on the database.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mailnode.wire.mime.lines import FIELDS
from mailnode.wire.mime.sortkeys import SortKeys

SPAN_BITS = 10
SPAN = 1 << SPAN_BITS  # UIDs that a block may hold
# Kinds are kept by number: new ones go to the end. Keys are made of lines without a line end.
KINDS = (
    *(f"field {name}" for name in FIELDS),
    *(f"key {name}" for name in SortKeys._fields if name not in ("message_id", "references")),
)
_KIND_BITS = 6
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}

SCHEMA = """
CREATE TABLE IF NOT EXISTS line (key INTEGER PRIMARY KEY, uids BLOB NOT NULL, lines BLOB NOT NULL);
"""


class Block(NamedTuple):
    """Messages, ascending, and their lines with a line end between each two."""

    uids: array[int]
    lines: bytes


NO_LINES = Block(array("I"), b"")


def merge(block: Block, lines: Mapping[int, bytes]) -> Block:
    """The block with lines by UID that it does not have yet."""
    if not lines:
        return block
    kept = dict(zip(block.uids, block.lines.split(b"\n"), strict=False))
    kept.update(lines)
    uids = sorted(kept)
    return Block(array("I", uids), b"\n".join([kept[uid] for uid in uids]))


def get(
    db: sqlite3.Connection, first_key: int, kind: str, numbers: Iterable[int]
) -> dict[int, Block]:
    """The blocks of these numbers (UID // ``SPAN``) that there are."""
    first = first_key + _NUMBERS[kind]
    keys = json.dumps([first + (number << _KIND_BITS) for number in numbers])
    rows = db.execute(
        "SELECT line.key, uids, lines FROM json_each(?) AS wanted "
        "CROSS JOIN line ON line.key = wanted.value",
        (keys,),
    )
    found = {(key - first) >> _KIND_BITS: Block(array("I", u), lines) for key, u, lines in rows}
    return {number: block for number, block in found.items() if _is_whole(block)}


def _is_whole(block: Block) -> bool:
    return block.lines.count(b"\n") + 1 == len(block.uids)


def keep(db: sqlite3.Connection, first_key: int, kind: str, lines: Mapping[int, bytes]) -> None:
    """Add lines by UID. The caller has a transaction open."""
    fresh: dict[int, dict[int, bytes]] = {}
    for uid, line in lines.items():
        fresh.setdefault(uid >> SPAN_BITS, {})[uid] = line
    blocks = get(db, first_key, kind, fresh)
    first = first_key + _NUMBERS[kind]
    for number, some in fresh.items():
        block = merge(blocks.get(number, NO_LINES), some)
        db.execute(
            "INSERT OR REPLACE INTO line VALUES (?,?,?)",
            (first + (number << _KIND_BITS), block.uids.tobytes(), block.lines),
        )


def forget(db: sqlite3.Connection, first_key: int, uids: Iterable[int]) -> None:
    """Drop the blocks that these messages may be in. The caller has a transaction open."""
    starts = {first_key + (uid >> SPAN_BITS << _KIND_BITS) for uid in uids}
    db.executemany(
        "DELETE FROM line WHERE key BETWEEN ? AND ?",
        [(start, start + (1 << _KIND_BITS) - 1) for start in starts],
    )
