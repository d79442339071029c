"""SORT: the order of the messages that a search has found.

Promises: works in steps of bounded work like ``search``; sorts by keys that the view keeps, so
that no message is read whose keys are kept. Equal messages stay in the order of their numbers.
Fails: ``StorageGone``.
RFC: 5256 2.2, 3 (SORT); 5957.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from mailnode.store import Folder, MessageInfo, Picture
from mailnode.wire.imap.ast import Criterion, SortKey
from mailnode.wire.mime.sortkeys import SortKeys, read_keys

KEYS_AT_ONCE = 500

Column = list[str] | list[float]
_BY_INFO = frozenset((SortKey.ARRIVAL, SortKey.SIZE))
_TEXTS: dict[SortKey, Callable[[SortKeys], str]] = {
    SortKey.CC: lambda keys: keys.cc,
    SortKey.DISPLAYFROM: lambda keys: keys.display_from,
    SortKey.DISPLAYTO: lambda keys: keys.display_to,
    SortKey.FROM: lambda keys: keys.sender,
    SortKey.SUBJECT: lambda keys: keys.subject,
    SortKey.TO: lambda keys: keys.to,
}


def sort_rows(
    folder: Folder,
    picture: Picture,
    rows: Sequence[int],
    criteria: Iterable[Criterion],
    scores: Mapping[int, int] = MappingProxyType({}),
) -> Generator[None, None, list[int]]:
    """Steps; at their end ``rows`` of the picture in order. ``scores``: by UID, of a fuzzy search.
    Raises ``StorageGone``."""
    criteria = list(criteria)
    uids = [picture.uids[row] for row in rows]
    columns: dict[SortKey, Column] = {}
    by_info = {c.key for c in criteria} & _BY_INFO
    by_keys = {c.key for c in criteria} - _BY_INFO - {SortKey.RELEVANCY}
    # RFC 6203 5: the most relevant first.
    columns[SortKey.RELEVANCY] = [-float(scores.get(uid, 100)) for uid in uids]
    if by_info:
        yield from _fill_from_infos(folder, uids, by_info, columns)
    if by_keys:
        yield from _fill_from_keys(folder, uids, by_keys, columns)
    order = list(range(len(rows)))
    # From the last criterion to the first, since a stable sort keeps the order of equals.
    for criterion in reversed(criteria):
        order.sort(key=columns[criterion.key].__getitem__, reverse=criterion.reverse)
        yield
    return [rows[at] for at in order]


def read_sort_keys(folder: Folder, uids: Sequence[int]) -> Iterator[list[tuple[SortKeys, float]]]:
    """Blocking, piece by piece: the keys of each message and the time that stands for a missing
    Date (INTERNALDATE); of a message that is gone, empty ones."""
    nothing = read_keys(b"")
    for at in range(0, len(uids), KEYS_AT_ONCE):
        some = uids[at : at + KEYS_AT_ONCE]
        found = {uid: read_keys(raw) for uid, raw in folder.summaries(some, "sortkeys").items()}
        dateless = [uid for uid, keys in found.items() if not keys.date]
        dates = {info.uid: info.internal_date for info in folder.infos(dateless)}
        yield [(found.get(uid, nothing), dates.get(uid, 0.0)) for uid in some]


def _fill_from_keys(
    folder: Folder, uids: Sequence[int], wanted: set[SortKey], columns: dict[SortKey, Column]
) -> Generator[None, None, None]:
    texts: dict[SortKey, list[str]] = {key: [] for key in wanted - {SortKey.DATE}}
    sent: list[float] = []
    for some in read_sort_keys(folder, uids):
        for key, values in texts.items():
            text_of = _TEXTS[key]
            values += [text_of(keys) for keys, _ in some]
        if SortKey.DATE in wanted:
            sent += [keys.sent(otherwise) for keys, otherwise in some]
        yield
    columns.update(texts)
    columns[SortKey.DATE] = sent


def _fill_from_infos(
    folder: Folder, uids: Sequence[int], wanted: set[SortKey], columns: dict[SortKey, Column]
) -> Generator[None, None, None]:
    values: dict[SortKey, list[float]] = {key: [] for key in wanted}
    for at in range(0, len(uids), KEYS_AT_ONCE):
        some = uids[at : at + KEYS_AT_ONCE]
        infos = {info.uid: info for info in folder.infos(some)}
        for key, column in values.items():
            column += [_figure(infos.get(uid), key) for uid in some]
        yield
    columns.update(values)


def _figure(info: MessageInfo | None, key: SortKey) -> float:
    if info is None:
        return 0.0
    # RFC 5256 3: ARRIVAL is INTERNALDATE, of which clients see whole seconds.
    return int(info.internal_date) if key is SortKey.ARRIVAL else info.size
