"""SORT: the order of the messages that a search has found.

Promises: works in steps of bounded work like ``search``; sorts by keys that the view keeps, so
that no message is read whose keys are kept. Equal messages stay in the order of their numbers.
Fails: ``StorageGone``.
RFC: 5256 2.2, 3 (SORT); 5957.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from mailnode.access.imap import lines
from mailnode.access.imap.orders import Orders
from mailnode.store import Folder, Picture
from mailnode.wire.imap.ast import Criterion, SortKey
from mailnode.wire.mime.sortkeys import MAX_TEXT, SortKeys, read_keys

KEYS_AT_ONCE = 500
SIZES_AT_ONCE = 5000
# No other thread runs while some are sorted; what is sorted already is merged in less time.
RUN = 20_000

Rows = Sequence[int]
Column = list[str] | list[float]
_BY_SIZES = frozenset((SortKey.ARRIVAL, SortKey.SIZE))
_NAMES = {
    SortKey.CC: "cc",
    SortKey.DATE: "date",
    SortKey.DISPLAYFROM: "display_from",
    SortKey.DISPLAYTO: "display_to",
    SortKey.FROM: "sender",
    SortKey.SUBJECT: "subject",
    SortKey.TO: "to",
}


def sort_rows(
    folder: Folder,
    picture: Picture,
    rows: Rows,
    criteria: Iterable[Criterion],
    scores: Mapping[int, int] = MappingProxyType({}),
    orders: Orders | None = None,
) -> Generator[None, None, Rows]:
    """Steps; at their end ``rows`` (ascending) of the picture in order. ``scores``: by UID, of a
    fuzzy search. Raises ``StorageGone``."""
    criteria = list(criteria)
    fuzzy = any(criterion.key is SortKey.RELEVANCY for criterion in criteria)
    # Nearly all messages in order are all of them, less some, in a known order.
    if orders is None or fuzzy or 4 * len(rows) < 3 * len(picture.uids):
        return (yield from _sorted(folder, picture, rows, criteria, scores))
    order: Rows | None = orders.get(folder.mailbox_id, picture, tuple(criteria))
    if order is None:
        every = range(len(picture.uids))
        order = yield from _sorted(folder, picture, every, criteria, scores)
        orders.keep(folder.mailbox_id, picture, tuple(criteria), order)
    if len(rows) == len(order):
        return order
    wanted = set(rows)
    return [row for row in order if row in wanted]


def _sorted(
    folder: Folder,
    picture: Picture,
    rows: Rows,
    criteria: Sequence[Criterion],
    scores: Mapping[int, int],
) -> Generator[None, None, list[int]]:
    order = list(range(len(rows)))
    # From the last criterion to the first, since a stable sort keeps the order of equals.
    for criterion in reversed(criteria):
        column = yield from _column(folder, picture, rows, criterion.key, scores)
        order = yield from stable(order, column.__getitem__, criterion.reverse)
    return [rows[at] for at in order]


def stable(
    order: list[int], of: Callable[[int], str | float], reverse: bool
) -> Generator[None, None, list[int]]:
    """Steps; at their end what ``sorted`` gives."""
    runs: list[list[int]] = []
    for at in range(0, len(order), RUN):
        runs.append(sorted(order[at : at + RUN], key=of, reverse=reverse))
        yield
    while len(runs) > 1:
        merged: list[list[int]] = []
        for at in range(0, len(runs), 2):
            merged.append(sorted(chain(*runs[at : at + 2]), key=of, reverse=reverse))
            yield
        runs = merged
    return runs[0] if runs else []


def read_sort_keys(folder: Folder, uids: Sequence[int]) -> Iterator[list[tuple[SortKeys, float]]]:
    """Blocking, piece by piece: the keys of each message and the time that stands for a missing
    Date (INTERNALDATE); of a message that is gone, empty ones."""
    nothing = read_keys(b"")
    for at in range(0, len(uids), KEYS_AT_ONCE):
        some = uids[at : at + KEYS_AT_ONCE]
        found = {uid: read_keys(raw) for uid, raw in folder.summaries(some, "sortkeys").items()}
        dateless = [uid for uid, keys in found.items() if not keys.date]
        sizes = folder.sizes(dateless) if dateless else {}
        yield [(found.get(uid, nothing), sizes.get(uid, (0, 0.0))[1]) for uid in some]


def _column(
    folder: Folder, picture: Picture, rows: Rows, key: SortKey, scores: Mapping[int, int]
) -> Generator[None, None, Column]:
    """What the rows are compared by, each in its place."""
    uids = picture.uids[rows.start : rows.stop] if isinstance(rows, range) else []
    uids = uids or [picture.uids[row] for row in rows]
    if key is SortKey.RELEVANCY:
        # RFC 6203 5: the most relevant first.
        return [-float(scores.get(uid, 100)) for uid in uids]
    if key in _BY_SIZES:
        return (yield from _figures(folder, uids, key))
    if lines.are_worth_it(picture.uids, rows):
        texts = yield from _texts(folder, picture, rows, key)
    else:
        texts = []
        for at in range(0, len(uids), KEYS_AT_ONCE):
            some = uids[at : at + KEYS_AT_ONCE]
            found = folder.summaries(some, "sortkeys")
            keys = (read_keys(found.get(uid, b"")) for uid in some)
            texts += [getattr(one, _NAMES[key])[:MAX_TEXT] for one in keys]
            yield
    return _dates(folder, uids, texts) if key is SortKey.DATE else texts


def _texts(
    folder: Folder, picture: Picture, rows: Rows, key: SortKey
) -> Generator[None, None, list[str]]:
    kind, make = lines.key_kind(_NAMES[key]), lines.key_lines(folder, _NAMES[key])
    texts: list[str] = []
    for pieces in lines.in_pieces(picture.uids, rows):
        for piece in (yield from lines.filled(folder, kind, pieces, make)):
            texts += piece.texts()
        yield
    return texts


def _dates(folder: Folder, uids: Sequence[int], texts: Sequence[str]) -> list[float]:
    """Sent dates. RFC 5256 2.2: INTERNALDATE where there is none."""
    dateless = [uid for uid, text in zip(uids, texts, strict=True) if not text]
    arrived = folder.sizes(dateless)
    return [
        int(text) if text else int(arrived.get(uid, (0, 0.0))[1])
        for uid, text in zip(uids, texts, strict=True)
    ]


def _figures(
    folder: Folder, uids: Sequence[int], key: SortKey
) -> Generator[None, None, list[float]]:
    figures: list[float] = []
    for at in range(0, len(uids), SIZES_AT_ONCE):
        some = uids[at : at + SIZES_AT_ONCE]
        sizes = folder.sizes(some)
        nothing = 0, 0.0
        if key is SortKey.SIZE:
            figures += [sizes.get(uid, nothing)[0] for uid in some]
        else:
            # RFC 5256 3: ARRIVAL is INTERNALDATE, of which clients see whole seconds.
            figures += [int(sizes.get(uid, nothing)[1]) for uid in some]
        yield
    return figures
