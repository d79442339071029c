"""One line of each message, for very many messages: read from the view, made where it has none.

Promises: works in steps of bounded work like ``search``; what is made is kept, so that it is made
once. Of a message that is gone there is no line.
Fails: ``StorageGone``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from mailnode.store import Folder
from mailnode.store.lines import NO_LINES, SPAN, SPAN_BITS, Block, merge
from mailnode.wire.mime.header import field_finder
from mailnode.wire.mime.lines import FIELDS, field_line, key_line
from mailnode.wire.mime.sortkeys import SortKeys

BLOCKS_AT_ONCE = 8  # of 4 MiB each, should somebody make the worst of it; of 40 KiB usually
HEADERS_AT_ONCE = 50
# Blocks in which fewer messages are wanted cost more than these messages one by one.
_WORTH_A_BLOCK = 8

Rows = Sequence[int]
Lines = Callable[[Sequence[int]], Mapping[int, bytes]]  # by UID
Steps = Generator[None, None, list["Piece"]]


class Piece(NamedTuple):
    """Rows of a picture and their UIDs, which lie in one block."""

    rows: Rows
    uids: array[int]
    block: Block

    @property
    def number(self) -> int:
        """The block's."""
        return self.uids[0] >> SPAN_BITS

    @property
    def is_exact(self) -> bool:
        """Whether the block has these messages and no others."""
        return self.block.uids == self.uids

    def texts(self) -> list[str]:
        """The lines of all rows; that of a message that is gone is empty."""
        found = self.block.lines.decode("utf-8", "replace").split("\n")
        if self.is_exact:
            return found
        kept = dict(zip(self.block.uids, found, strict=False))
        return [kept.get(uid, "") for uid in self.uids]

    def picked(self, places: Sequence[int]) -> list[int]:
        """The rows whose lines stand at these places (ascending) in the block."""
        if self.is_exact:
            return [self.rows[place] for place in places]
        wanted = dict(zip(self.uids, self.rows, strict=True)) if places else {}
        uids = (self.block.uids[place] for place in places)
        return [wanted[uid] for uid in uids if uid in wanted]


def are_worth_it(uids: Sequence[int], rows: Rows) -> bool:
    """Whether so many messages lie together that blocks are the quicker way."""
    if len(rows) <= HEADERS_AT_ONCE:
        return False
    blocks = (uids[rows[-1]] >> SPAN_BITS) - (uids[rows[0]] >> SPAN_BITS) + 1
    return len(rows) >= _WORTH_A_BLOCK * blocks


def in_pieces(uids: Sequence[int], rows: Rows) -> Iterator[list[Piece]]:
    """``rows`` (ascending) of a picture with these ``uids``, some pieces at once, still empty."""
    some: list[Piece] = []
    at = 0
    while at < len(rows):
        beyond = (uids[rows[at]] // SPAN + 1) * SPAN
        end = bisect_left(rows, beyond, at, min(at + SPAN, len(rows)), key=uids.__getitem__)
        part = rows[at:end]
        picked = (
            uids[part[0] : part[-1] + 1] if isinstance(part, range) else [uids[r] for r in part]
        )
        some.append(Piece(part, array("I", picked), NO_LINES))
        at = end
        if len(some) >= BLOCKS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def filled(folder: Folder, kind: str, pieces: Sequence[Piece], make: Lines) -> Steps:
    """Steps; at their end the pieces with their blocks, made where the view has none."""
    found = folder.lines(kind, [piece.number for piece in pieces])
    done: list[Piece] = []
    for piece in pieces:
        piece = piece._replace(block=found.get(piece.number, NO_LINES))
        if not piece.is_exact and (missing := set(piece.uids).difference(piece.block.uids)):
            fresh: dict[int, bytes] = {}
            order = sorted(missing)
            for at in range(0, len(order), HEADERS_AT_ONCE):
                fresh.update(make(order[at : at + HEADERS_AT_ONCE]))
                yield
            folder.keep_lines(kind, fresh)
            piece = piece._replace(block=merge(piece.block, fresh))
        done.append(piece)
    return done


def field_kind(name: str) -> str:
    """The kind of lines that a header field (in lower case) has; empty if none."""
    return f"field {name}" if name in FIELDS else ""


def field_lines(folder: Folder, name: str) -> Lines:
    """Makes the lines of a field of ``wire.mime.lines``."""
    find = field_finder(name.encode())

    def make(uids: Sequence[int]) -> Mapping[int, bytes]:
        headers = folder.summaries(uids, "headers")
        return {uid: field_line(find(block)) for uid, block in headers.items()}

    return make


def key_kind(name: str) -> str:
    """The kind of lines that a sort key has, by its name in ``SortKeys``."""
    return f"key {name}"


def key_lines(folder: Folder, name: str) -> Lines:
    """Makes the lines of a sort key, by its name in ``SortKeys``."""
    place = SortKeys._fields.index(name)

    def make(uids: Sequence[int]) -> Mapping[int, bytes]:
        keys = folder.summaries(uids, "sortkeys")
        return {uid: key_line(raw, place) for uid, raw in keys.items()}

    return make
