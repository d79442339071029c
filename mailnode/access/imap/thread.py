"""THREAD: the messages that a search has found, as trees.

Promises: works in steps of bounded work like ``search``, from keys that the view keeps.
Fails: ``StorageGone``.
RFC: 5256 3 (THREAD), 4; draft-ietf-morg-inthread (REFS).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import chain

from mailnode.access.imap.forest import Forest, Node
from mailnode.access.imap.orders import Orders
from mailnode.access.imap.sort import read_sort_keys
from mailnode.store import Folder, Picture
from mailnode.wire.imap.ast import Threading

Steps = Generator[None, None, list[Node]]

THREADS_AT_ONCE = 500
# Marks among rows, of which there are fewer.
_OPEN, _CLOSE, _BLANK = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_MARKS = {_OPEN: b"(", _CLOSE: b")", _BLANK: b" "}


def threaded_rows(
    folder: Folder,
    picture: Picture,
    rows: Sequence[int],
    algorithm: Threading,
    orders: Orders,
) -> Generator[None, None, array[int]]:
    """Steps; at their end rows and marks in the order in which they are written. Raises
    ``StorageGone``."""
    whole = len(rows) == len(picture.uids)
    known = orders.get(folder.mailbox_id, picture, algorithm) if whole else None
    if known is not None:
        return known
    threads = yield from thread_rows(folder, picture, rows, algorithm)
    written = array("I")
    for at in range(0, len(threads), THREADS_AT_ONCE):
        written.extend(in_order(threads[at : at + THREADS_AT_ONCE]))
        yield
    if whole:
        orders.keep(folder.mailbox_id, picture, algorithm, written)
    return written


def thread_rows(
    folder: Folder, picture: Picture, rows: Sequence[int], algorithm: Threading
) -> Steps:
    """Steps; at their end the threads, each a tree of rows. Raises ``StorageGone``."""
    if algorithm is Threading.ORDEREDSUBJECT:
        return _by_subject(folder, picture, rows)
    return _by_references(folder, picture, rows, algorithm is Threading.REFERENCES)


def _by_subject(folder: Folder, picture: Picture, rows: Sequence[int]) -> Steps:
    threads: dict[str, list[Node]] = {}
    left = iter(rows)
    for some in read_sort_keys(folder, [picture.uids[row] for row in rows]):
        for keys, otherwise in some:
            row, at = next(left), keys.sent(otherwise)
            threads.setdefault(keys.subject, []).append(Node(row, place=(at, row)))
        yield
    for nodes in threads.values():
        nodes.sort(key=lambda node: node.place)
        # RFC 5256 3 (ORDEREDSUBJECT): the first message is the parent of all others.
        nodes[0].children = nodes[1:]
    return sorted((nodes[0] for nodes in threads.values()), key=lambda node: node.place)


def _by_references(
    folder: Folder, picture: Picture, rows: Sequence[int], by_subject: bool
) -> Steps:
    forest = Forest()
    uids = [picture.uids[row] for row in rows]
    arrivals = None if by_subject else _arrivals(folder, uids)
    left = iter(rows)
    for some in read_sort_keys(folder, uids):
        for keys, otherwise in some:
            names = keys.references.split(" ") if keys.references else ()
            forest.add(
                next(left),
                keys.message_id,
                names,
                keys.sent(otherwise),
                keys.subject,
                bool(keys.reply),
                0.0 if arrivals is None else next(arrivals),
            )
        yield
    return forest.grown(by_subject=by_subject)


def _arrivals(folder: Folder, uids: Sequence[int]) -> Iterator[float]:
    for at in range(0, len(uids), 500):
        some = uids[at : at + 500]
        sizes = folder.sizes(some)
        yield from (sizes.get(uid, (0, 0.0))[1] for uid in some)


def in_order(threads: Iterable[Node]) -> Iterator[int]:
    """Rows and marks in the order in which RFC 5256 4 writes the threads."""
    return chain.from_iterable(map(_written, threads))


def format_written(written: Sequence[int], number: Callable[[int], int]) -> bytes:
    """Rows and marks as octets; ``number`` gives what a row is called."""
    return b"".join([_MARKS[one] if one >= _BLANK else b"%d" % number(one) for one in written])


def _written(thread: Node) -> Iterator[int]:
    yield _OPEN
    # What is still to be written, the next at the end: marks, or nodes with all below them.
    pending: list[int | Node] = [thread]
    while pending:
        item = pending.pop()
        if isinstance(item, int):
            yield item
            continue
        if not item.is_dummy:
            yield item.row
            if item.children:
                yield _BLANK
        if len(item.children) == 1:
            pending.append(item.children[0])
        else:
            for child in reversed(item.children):
                pending += (_CLOSE, child, _OPEN)
    yield _CLOSE
