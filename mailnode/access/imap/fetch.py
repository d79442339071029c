"""FETCH: from the items a client names to the bytes of the untagged responses.

Promises: each literal is exactly as long as announced; a message's file is read at most once
for all items of a command, and not at all where the picture, the view's facts or its summaries
hold the answer; a call of ``render`` holds about ``max_bytes`` of answers, and whole messages
above ``STREAM_BYTES`` stay on disk (``FilePart``).
Fails: ``StorageGone``. A message that is gone is left out and named in ``Rendered.gone`` (RFC 2180
4.1.2), one that BINARY cannot decode in ``Rendered.undecodable``.
RFC: 3501 6.4.5 and 7.4.2, 9051 6.4.5 and 7.5.2, 7162 3.1.4; 6855 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from mailnode.access.imap.ascii_folder import AsciiFolder, source_of
from mailnode.access.imap.fetch_bulk import BulkContent, Sizes, is_bulk
from mailnode.access.imap.fetch_content import (
    STREAM_BYTES,
    ContentWriter,
    Piece,
    Row,
    UnknownEncoding,
    is_constant,
)
from mailnode.access.imap.fetch_heads import FROM_PICTURE, Heads, picked
from mailnode.access.imap.message_file import FilePart, MessageCache
from mailnode.access.imap.row_cache import WORTH_BYTES, is_same
from mailnode.model.errors import NoSuchMessage, StorageFull
from mailnode.model.flags import Flag
from mailnode.store import FlagsOp, Folder, MessageInfo, Picture
from mailnode.store.guarded import check_readable
from mailnode.wire.imap.fetch_items import Binary, Fact, FetchItem, Section
from mailnode.wire.mime.structure import MAX_HEADER

MAX_BYTES = 1024 * 1024
# Messages whose facts and summaries are asked for at once, and the header bytes that may mean.
SLICE_ROWS = 64
SLICE_HEADER_BYTES = 16 * 1024 * 1024
ROW_BYTES = 100  # what a response takes apart from its content, about
MAX_FILES = 8  # open files one call may hand out
_SEEN = int(Flag.SEEN)  # an enum's & is a call, for each message
# So many answers from memory are put together at once.
MAX_ROWS = 4000
PARSED_ROWS = 100  # and so many messages looked into
# What clients ask for again and again, if it is no longer than this.
_KEPT_PLANS, _KEPT_WORDS = 128, 50


@dataclass(slots=True)
class Rendered:
    """What one call made of some rows.

    ``pieces`` go to the client in order; ``done`` rows are dealt with, go on after them; ``seen``
    are the UIDs that got ``\\Seen`` on the way, as the change ``modseq`` (0: none), and the client
    has been told; ``gone`` are the UIDs that no longer exist, ``undecodable`` those with a transfer
    encoding that BINARY does not know. ``held`` is about what the pieces take in memory.
    """

    pieces: list[Piece] = field(default_factory=list)
    done: int = 0
    seen: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    undecodable: list[int] = field(default_factory=list)
    modseq: int = 0
    held: int = 0

    @property
    def files(self) -> int:
        """Open files among the pieces."""
        return sum(isinstance(piece, FilePart) for piece in self.pieces)

    def close(self) -> None:
        """Give all files back; for a connection that ends before they are sent."""
        for piece in self.pieces:
            if isinstance(piece, FilePart):
                piece.close()


class _Plan(NamedTuple):
    """What follows from the items alone. ``content``: those that are not in the picture, whose
    ``facts`` are; ``in_columns``, ``constant``, ``marks``: see ``is_bulk``, ``is_constant``,
    ``_marks_seen``."""

    facts: frozenset[Fact]
    content: tuple[FetchItem, ...]
    sized: bool
    in_columns: bool
    constant: bool
    marks: bool


def _plan_of(items: tuple[FetchItem, ...]) -> _Plan:
    fields = sum(len(item.fields) for item in items if isinstance(item, Section))
    long = len(items) + fields > _KEPT_WORDS
    return _plan.__wrapped__(items) if long else _plan(items)


@lru_cache(_KEPT_PLANS)
def _plan(items: tuple[FetchItem, ...]) -> _Plan:
    content = tuple(item for item in items if item not in FROM_PICTURE)
    return _Plan(
        FROM_PICTURE.intersection(item for item in items if isinstance(item, Fact)),
        content,
        Fact.SIZE in items,
        all(map(is_bulk, content)),
        all(map(is_constant, content)),
        any(map(_marks_seen, items)),
    )


class Fetcher:
    """One FETCH command on one folder. Blocking; one thread at a time.

    ``condstore``: MODSEQ goes with the FLAGS that tell of a new ``\\Seen``; ``read_only``: nothing
    becomes seen (EXAMINE); ``recent`` are the UIDs that are ``\\Recent`` to this session; ``cache``
    is shared by the sessions of a worker; ``uid_only``: answers are UIDFETCH (RFC 9586);
    ``ascii_only``: headers are shown in ASCII (RFC 6855 8).
    """

    def __init__(
        self,
        folder: Folder,
        items: Iterable[FetchItem],
        *,
        condstore: bool,
        read_only: bool,
        recent: Sequence[range],
        cache: MessageCache,
        uid_only: bool = False,
        ascii_only: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._folder, self._cache = folder, cache
        plan = _plan_of(tuple(items))
        source = source_of(folder, ascii_only=ascii_only, sized=plan.sized)
        self._source, self._content, self._in_columns = source, plan.content, plan.in_columns
        self._kept = cache.rows if plan.constant else None
        self._kept_key = (source.key, *plan.content)
        self._marks = not read_only and plan.marks
        self._heads = Heads(
            plan.facts,
            content=bool(plan.content),
            condstore=condstore,
            uid_only=uid_only,
            recent=recent,
        )
        self._max_bytes = max_bytes

    @property
    def needs_content(self) -> bool:
        """Whether the picture is not all that is needed."""
        return bool(self._content)

    @cached_property
    def _bulk(self) -> BulkContent | None:
        return BulkContent(self._source, self._content) if self._in_columns else None

    @cached_property
    def _writer(self) -> ContentWriter:
        return ContentWriter(self._source, self._content, self._cache)

    @property
    def downgraded(self) -> AbstractSet[int]:
        """UIDs of messages that were not shown as they are (RFC 6858 3)."""
        return self._source.changed if isinstance(self._source, AsciiFolder) else frozenset()

    def render(self, rows: Sequence[int], picture: Picture) -> Rendered:
        """Answer for the first of these rows of ``picture``, one of them at least. Raises
        ``NoPermission`` once the folder may not be read any more."""
        check_readable(self._folder)
        if not self._content:
            rows = rows[: min(MAX_ROWS, max(1, self._max_bytes // ROW_BYTES))]
            return Rendered([self._heads.lines(rows, picture)], len(rows))
        out = self._again(rows, picture)
        if out.done:
            return out
        if self._bulk is None:
            rows = rows[:PARSED_ROWS]
        try:
            while out.done < len(rows) and out.held < self._max_bytes and out.files < MAX_FILES:
                some = rows[out.done : out.done + SLICE_ROWS]
                if not self._some(some, picture, out):
                    break
        except BaseException:
            out.close()
            raise
        return out

    def _again(self, rows: Sequence[int], picture: Picture) -> Rendered:
        """The first rows as far as they were answered before; none where the folder has changed
        since the picture, so that some may be gone."""
        if self._kept is None or not is_same(self._folder.picture(), picture):
            return Rendered()
        known = self._kept.of((picture.uidvalidity, *self._kept_key))
        if not known:
            return Rendered()
        rows, held = rows[:MAX_ROWS], 0
        texts: list[bytes] = []
        for text in map(known.get, picked(picture.uids, rows)):
            if text is None or held >= self._max_bytes:
                break
            texts.append(text)
            held += len(text) + ROW_BYTES
        if not texts:
            return Rendered()
        lines = self._heads.lines(rows[: len(texts)], picture, texts)
        return Rendered([lines], len(texts), held=held)

    def _some(self, rows: Sequence[int], picture: Picture, out: Rendered) -> bool:
        """Answer for the first of these rows; False where others should have their turn now."""
        uids = picked(picture.uids, rows)
        sizes = self._source.sizes(uids)
        count = self._bearable(uids, sizes, self._max_bytes - out.held)
        if self._bulk is not None and count:
            return self._in_bulk(self._bulk, rows[:count], picture, sizes, out)
        # A message that has to be streamed is dealt with alone.
        some = rows[:1] if self._bulk is not None else rows[: max(count, 1)]
        self._one_by_one(some, picture, out)
        return True

    def _bearable(self, uids: Sequence[int], sizes: Sizes, room: int) -> int:
        """How many of these fit into memory together, whatever there is in them."""
        whole = self._bulk is not None and self._bulk.whole
        budget, most = (room, STREAM_BYTES) if whole else (SLICE_HEADER_BYTES, MAX_HEADER)
        for count, uid in enumerate(uids):
            size, _ = sizes.get(uid, (0, 0.0))
            if budget <= 0 or (whole and size > most):
                return count
            budget -= min(size, most) + ROW_BYTES
        return len(uids)

    # -------------------------------------------------------------- many at once

    def _in_bulk(
        self,
        bulk: BulkContent,
        rows: Sequence[int],
        picture: Picture,
        sizes: Sizes,
        out: Rendered,
    ) -> bool:
        uids = picked(picture.uids, rows)
        here = uids if len(sizes) >= len(uids) else [uid for uid in uids if uid in sizes]
        texts = bulk.texts(here, sizes) if here else []
        made = dict(zip(here, texts, strict=False))
        self._keep(made, picture)
        if len(texts) < len(here):
            rows = rows[: uids.index(here[len(texts)])]
        ready: dict[int, bytes] = {}
        for row, uid in zip(rows, uids, strict=False):
            if out.held >= self._max_bytes:
                break
            out.done += 1
            text = made.get(uid)
            if text is None:
                out.gone.append(uid)
            else:
                ready[row] = text
                out.held += len(text) + ROW_BYTES
        self._finish_bulk(rows, ready, picture, out)
        return len(texts) == len(here)

    def _finish_bulk(
        self, rows: Sequence[int], ready: dict[int, bytes], picture: Picture, out: Rendered
    ) -> None:
        if not ready:
            return
        fresh = self._mark_seen(ready, picture, out)
        if not fresh:
            chosen = rows if len(ready) == len(rows) else list(ready)
            out.pieces.append(self._heads.lines(chosen, picture, list(ready.values())))
            return
        for row, text in ready.items():
            info = fresh.get(picture.uids[row])
            head = self._heads.changed(row, info) if info else self._heads.head(row, picture)
            out.pieces.append(b"%b%b)\r\n" % (head, text))

    def _keep(self, made: Mapping[int, bytes | None], picture: Picture) -> None:
        """Keep what will be the same at the next FETCH."""
        if self._kept is None:
            return
        short = {uid: text for uid, text in made.items() if text and len(text) <= WORTH_BYTES}
        for uid in self.downgraded & short.keys():
            del short[uid]  # that it was downgraded is said each time
        self._kept.keep((picture.uidvalidity, *self._kept_key), short)

    # -------------------------------------------------------------- one by one

    def _one_by_one(self, rows: Sequence[int], picture: Picture, out: Rendered) -> None:
        """What needs a look into the message, or a file of its own."""
        ready: list[tuple[Row, list[Piece]]] = []
        files = 0
        try:
            for row in self._rows(rows, picture):
                out.done += 1
                pieces = _try_content(self._writer, row, out)
                if pieces is not None:
                    ready.append((row, pieces))
                    files += sum(isinstance(piece, FilePart) for piece in pieces)
                    out.held += ROW_BYTES + sum(len(p) for p in pieces if isinstance(p, bytes))
                if out.held >= self._max_bytes or out.files + files >= MAX_FILES:
                    break
            fresh = self._mark_seen([row.at for row, _ in ready], picture, out)
        except BaseException:
            Rendered([piece for _, pieces in ready for piece in pieces]).close()
            raise
        for row, pieces in ready:
            info = fresh.get(row.uid)
            heads = self._heads
            head = heads.changed(row.at, info) if info else heads.head(row.at, picture)
            out.pieces += _joined(head, pieces)

    def _rows(self, rows: Sequence[int], picture: Picture) -> list[Row]:
        """The rows with their facts and summaries."""
        found = [Row(at, picture.uids[at]) for at in rows]
        infos = {info.uid: info for info in self._source.infos([row.uid for row in found])}
        for row in found:
            row.info = infos.get(row.uid)
            row.uidvalidity = picture.uidvalidity
        self._writer.prepare(found)
        return found

    # -------------------------------------------------------------- flags

    def _mark_seen(
        self, rows: Iterable[int], picture: Picture, out: Rendered
    ) -> dict[int, MessageInfo]:
        """RFC 9051 6.4.5: BODY[...] sets \\Seen. The facts of the messages that got it."""
        if not self._marks:
            return {}
        unseen = [picture.uids[row] for row in rows if not picture.flags[row] & _SEEN]
        if not unseen:
            return {}
        try:
            result = self._folder.store_flags(unseen, FlagsOp.ADD, Flag.SEEN, frozenset())
        except StorageFull:
            # Whoever wants to make room must be able to read first.
            return {}
        if result.changed:
            out.seen += result.changed
            out.modseq = result.modseq
        return {info.uid: info for info in self._folder.infos(result.changed)}


def _try_content(content: ContentWriter, row: Row, out: Rendered) -> list[Piece] | None:
    try:
        return content.write(row)
    except NoSuchMessage:
        out.gone.append(row.uid)
    except UnknownEncoding:
        out.undecodable.append(row.uid)
    return None


def _marks_seen(item: FetchItem) -> bool:
    # RFC 3501 6.4.5: RFC822.HEADER is like BODY.PEEK[HEADER].
    if isinstance(item, Section):
        return not item.peek and item.legacy != "RFC822.HEADER"
    return isinstance(item, Binary) and not item.peek and not item.size_only


def _joined(head: bytes, pieces: list[Piece]) -> Iterator[Piece]:
    """One response; neighbouring bytes are made one piece."""
    plain = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(plain) == len(pieces):
        yield b"".join([head, *plain, b")\r\n"])
        return
    pending = [head]
    for piece in pieces:
        if isinstance(piece, bytes):
            pending.append(piece)
        else:
            yield b"".join(pending)
            yield piece
            pending = []
    yield b"".join([*pending, b")\r\n"])
