"""FETCH items of many messages at once, column by column.

Promises: what is not a small message's bytes, a summary of the view or a fact of the state is not
made here; each literal is exactly as long as announced.
Fails: ``StorageGone``.
RFC: 3501 6.4.5 and 7.4.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mailnode.access.imap.fetch_content import HEADER_KINDS, SUMMARY_OF, fact_text, section_name
from mailnode.access.imap.message_file import Source
from mailnode.wire.imap.fetch_items import Fact, FetchItem, Section, SectionKind
from mailnode.wire.imap.format import date_time
from mailnode.wire.mime.sections import Text, cut, field_chooser, is_selection

Sizes = dict[int, tuple[int, float]]
Column = Sequence[int | bytes | None]
# For UIDs that are in ``Sizes``: as many columns as the item's template has places.
Maker = Callable[[Sequence[int], Sizes], list[Column]]


class BulkContent:
    """Writes a command's items, those from the picture apart; all of them must be ``is_bulk``.
    ``whole``: messages themselves are among them."""

    def __init__(self, folder: Source, items: Iterable[FetchItem]) -> None:
        items = list(items)
        self.whole = any(map(_is_whole, items))
        parts = [_part(folder, item, items) for item in items]
        self._template = b" ".join(template for template, _ in parts)
        self._makers = [make for _, make in parts]

    def texts(self, uids: Sequence[int], sizes: Sizes) -> list[bytes | None]:
        """All items of the first of these messages, at least one; ``None``: it is gone. As with
        ``Folder.read_some``."""
        columns: list[Column] = []
        for make in self._makers:
            columns += make(uids, sizes)
            uids = uids[: len(columns[-1])]
        rows, template = zip(*columns, strict=False), self._template
        if any(None in column for column in columns):
            return [None if None in values else template % values for values in rows]
        return [template % values for values in rows]


# Functions, not methods: what keeps itself alive waits for the collector of cyclic garbage.


def _part(folder: Source, item: FetchItem, items: Sequence[FetchItem]) -> tuple[bytes, Maker]:
    if isinstance(item, Section):
        name = section_name(item).replace(b"%", b"%%")
        make = _whole(folder, item) if _is_whole(item) else _headers(folder, item)
        return name + b" {%d}\r\n%b", make
    assert isinstance(item, Fact)
    if item in SUMMARY_OF:
        # The structure's message tells the envelope, too; the header alone not the structure.
        before = next(
            (SUMMARY_OF[one] for one in (Fact.BODYSTRUCTURE, Fact.BODY) if one in items), ""
        )
        return item.value.encode() + b" %b", _summaries(folder, SUMMARY_OF[item], before)
    if item is Fact.SIZE:
        return b"RFC822.SIZE %d", lambda uids, sizes: [[sizes[uid][0] for uid in uids]]
    if item is Fact.INTERNALDATE:
        return b"INTERNALDATE %b", _dates
    return b"%b", _facts(folder, item)


def _summaries(folder: Source, kind: str, before: str) -> Maker:
    def make(uids: Sequence[int], _: Sizes) -> list[Column]:
        if kind == "envelope" and before:
            folder.summaries(uids, before)
        return [list(map(folder.summaries(uids, kind).get, uids))]

    return make


def _headers(folder: Source, section: Section) -> Maker:
    text, partial = Text(section.kind.value), section.partial
    choose = field_chooser(text, section.fields) if is_selection(text) else bytes

    def make(uids: Sequence[int], _: Sizes) -> list[Column]:
        found = folder.summaries(uids, "headers")
        chosen = {uid: cut(choose(block), partial) for uid, block in found.items()}
        return _literals([chosen.get(uid) for uid in uids])

    return make


def _whole(folder: Source, section: Section) -> Maker:
    def make(uids: Sequence[int], _: Sizes) -> list[Column]:
        found = folder.read_some(uids)
        if section.partial is not None:
            found = [None if raw is None else cut(raw, section.partial) for raw in found]
        return _literals(found)

    return make


def _facts(folder: Source, item: Fact) -> Maker:
    def make(uids: Sequence[int], _: Sizes) -> list[Column]:
        found = {info.uid: fact_text(item, info) for info in folder.infos(uids)}
        return [[found.get(uid) for uid in uids]]

    return make


def is_bulk(item: FetchItem) -> bool:
    """Whether the item is made without a look into the parts of a message."""
    if isinstance(item, Section):
        return not item.part and (item.kind in HEADER_KINDS or _is_whole(item))
    return isinstance(item, Fact)


def _is_whole(item: FetchItem) -> bool:
    return isinstance(item, Section) and not item.part and item.kind is SectionKind.ALL


def _dates(uids: Sequence[int], sizes: Sizes) -> list[Column]:
    return [[date_time(sizes[uid][1]) for uid in uids]]


def _literals(texts: Sequence[bytes | None]) -> list[Column]:
    # RFC 9051 9 "CHAR8" deviation: a NUL in stored mail goes out as it is, since a changed octet
    # breaks signatures; SMTP and APPEND let none in.
    if None in texts:
        return [[None if text is None else len(text) for text in texts], texts]
    return [list(map(len, texts)), texts]  # type: ignore[arg-type]  # none is None
