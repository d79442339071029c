"""Which messages a command names, and in what pieces it handles them.

RFC: 3501 6.4.8, 9 "sequence-set"; 2180 4; 5182 ("$").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

from mailnode.access.imap.reply import Refused, bad, no
from mailnode.access.imap.selected import Selected
from mailnode.wire.imap.sets import SequenceSet

T = TypeVar("T")
SOME_GONE = no("some of the messages no longer exist", "EXPUNGEISSUED")


def chosen(selected: Selected, messages: SequenceSet, by_uid: bool) -> list[int]:
    """The UIDs a command names, ascending. Raises ``Refused`` for a number beyond the folder."""
    uids = selected.picture.uids
    return [uids[row] for row in chosen_rows(selected, messages, by_uid)]


def chosen_rows(selected: Selected, messages: SequenceSet, by_uid: bool) -> Sequence[int]:
    """The same as rows of the client's picture; a range where no other lies between them."""
    uids = selected.picture.uids
    if messages.saved:
        return [row for uid in selected.saved if (row := selected.row(uid)) is not None]
    # RFC 3501 9 "seq-number": a number that no message has is an error, an unknown UID is none.
    if not by_uid and messages.exceeds(len(uids)):
        raise Refused(bad("no such message number"))
    spans = messages.rows(uids, by_uid)
    return spans[0] if len(spans) == 1 else list(chain.from_iterable(spans))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Pieces of at most ``size``."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
