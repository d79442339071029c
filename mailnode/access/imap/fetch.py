"""FETCH: from the items a client names to the bytes of the untagged responses.

Promises: each literal is exactly as long as announced; a message's file is read at most once
for all items of a command, and not at all where the picture, the view's facts or its summaries
hold the answer; a call of ``render`` holds about ``max_bytes`` of answers, and whole messages
above ``STREAM_BYTES`` stay on disk (``FilePart``).
Fails: ``StorageGone``. A message that is gone is left out and named in ``Rendered.gone`` (RFC 2180
4.1.2), one that BINARY cannot decode in ``Rendered.undecodable``.
RFC: 3501 6.4.5 and 7.4.2, 9051 6.4.5 and 7.5.2, 7162 3.1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mailnode.access.imap.fetch_content import (
    ContentWriter,
    Piece,
    Row,
    UnknownEncoding,
    is_constant,
)
from mailnode.access.imap.message_file import FilePart, MessageCache
from mailnode.access.imap.row_cache import WORTH_BYTES
from mailnode.model.errors import NoSuchMessage, StorageFull
from mailnode.model.flags import Flag
from mailnode.store import FlagsOp, Folder, MessageInfo, Picture
from mailnode.store.guarded import check_readable
from mailnode.wire.imap.fetch_items import Binary, Fact, FetchItem, Section
from mailnode.wire.imap.format import flags as format_flags
from mailnode.wire.mime.structure import MAX_HEADER

MAX_BYTES = 1024 * 1024
# Messages whose facts and summaries are asked for at once, and the header bytes that may mean.
SLICE_ROWS = 64
SLICE_HEADER_BYTES = 16 * 1024 * 1024
ROW_BYTES = 100  # what a response takes apart from its content, about
MAX_FILES = 8  # open files one call may hand out

_FROM_PICTURE = frozenset((Fact.UID, Fact.FLAGS, Fact.MODSEQ))


@dataclass(slots=True)
class Rendered:
    """What one call made of a batch.

    ``pieces`` go to the client in order; ``done`` rows of the batch are dealt with, go on after
    them; ``seen`` are the UIDs that got ``\\Seen`` on the way, as the change ``modseq`` (0: none),
    and the client has been told; ``gone`` are the UIDs that no longer exist, ``undecodable`` those
    with a transfer encoding that BINARY does not know.
    """

    pieces: list[Piece] = field(default_factory=list)
    done: int = 0
    seen: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    undecodable: list[int] = field(default_factory=list)
    modseq: int = 0

    def close(self) -> None:
        """Give all files back; for a connection that ends before they are sent."""
        for piece in self.pieces:
            if isinstance(piece, FilePart):
                piece.close()


class Fetcher:
    """One FETCH command on one folder. Blocking; one thread at a time.

    ``condstore``: MODSEQ goes with the FLAGS that tell of a new ``\\Seen``; ``read_only``: nothing
    becomes seen (EXAMINE); ``is_recent`` tells what ``\\Recent`` is to this session; ``cache`` is
    shared by the sessions of a worker; ``uid_only``: answers are UIDFETCH (RFC 9586).
    """

    def __init__(
        self,
        folder: Folder,
        items: Iterable[FetchItem],
        *,
        condstore: bool,
        read_only: bool,
        is_recent: Callable[[int], bool],
        cache: MessageCache,
        uid_only: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._folder = folder
        items = tuple(items)
        self._facts = _FROM_PICTURE.intersection(item for item in items if isinstance(item, Fact))
        content = [item for item in items if item not in _FROM_PICTURE]
        self._content = ContentWriter(folder, content, cache) if content else None
        self._kept = cache.rows if all(map(is_constant, content)) else None
        self._kept_key = (folder.key, *content)
        self._marks = not read_only and any(map(_marks_seen, items))
        self._condstore = condstore
        self._uid_only = uid_only
        self._is_recent = is_recent
        self._max_bytes = max_bytes
        self._flag_texts: dict[tuple[int, int, bool], bytes] = {}

    @property
    def needs_content(self) -> bool:
        """Whether the picture is not all that is needed."""
        return self._content is not None

    def render(self, batch: Sequence[tuple[int, int]], picture: Picture) -> Rendered:
        """Answer for rows ``(message number, UID)`` of ``picture``, at least one of them. Raises
        ``NoPermission`` once the folder may not be read any more."""
        content = self._content
        check_readable(self._folder)
        if content is None:
            return self._from_picture(batch, picture)
        again = self._again(batch, picture)
        if again is not None:
            return again
        out = Rendered()
        files: list[FilePart] = []
        held = 0
        try:
            while out.done < len(batch) and held < self._max_bytes and len(files) < MAX_FILES:
                ready: list[tuple[Row, list[Piece]]] = []
                for row in self._rows(content, batch, out.done, picture):
                    out.done += 1
                    pieces = _try_content(content, row, out)
                    if pieces is not None:
                        ready.append((row, pieces))
                        files += (piece for piece in pieces if isinstance(piece, FilePart))
                        held += ROW_BYTES + sum(len(p) for p in pieces if isinstance(p, bytes))
                    if held >= self._max_bytes or len(files) >= MAX_FILES:
                        break
                self._keep(ready, picture)
                self._finish(ready, picture, out)
        except BaseException:
            for file in files:
                file.close()
            raise
        return out

    def _from_picture(self, batch: Sequence[tuple[int, int]], picture: Picture) -> Rendered:
        """Flags, UIDs and modseqs alone."""
        batch = batch[: max(1, self._max_bytes // ROW_BYTES)]
        lines = [self._head(Row(number, uid), picture, None) for number, uid in batch]
        return Rendered([b")\r\n".join([*lines, b""])], len(batch))

    def _again(self, batch: Sequence[tuple[int, int]], picture: Picture) -> Rendered | None:
        """The first rows from what was answered before; ``None`` where that has not the first, or
        where the folder has changed since the picture, so that some may be gone."""
        if self._kept is None or not _is_same(self._folder.picture(), picture):
            return None
        known = self._kept.of((picture.uidvalidity, *self._kept_key))
        lines: list[bytes] = []
        held = 0
        for number, uid in batch:
            text = known.get(uid)
            if text is None or held >= self._max_bytes:
                break
            head = self._head(Row(number, uid), picture, None)
            lines.append(b"%b%b%b)\r\n" % (head, b"" if head.endswith(b"(") else b" ", text))
            held += len(lines[-1])
        return Rendered([b"".join(lines)], len(lines)) if lines else None

    def _keep(self, ready: list[tuple[Row, list[Piece]]], picture: Picture) -> None:
        """Keep what will be the same at the next FETCH."""
        if self._kept is None:
            return
        texts = {
            row.uid: b"".join(piece for piece in pieces if isinstance(piece, bytes))
            for row, pieces in ready
        }
        short = {uid: text for uid, text in texts.items() if len(text) <= WORTH_BYTES}
        self._kept.keep((picture.uidvalidity, *self._kept_key), short)

    def _rows(
        self, content: ContentWriter, batch: Sequence[tuple[int, int]], start: int, picture: Picture
    ) -> list[Row]:
        """The next rows with their facts and summaries, as many as memory bears."""
        rows = [Row(number, uid) for number, uid in batch[start : start + SLICE_ROWS]]
        infos = {info.uid: info for info in self._folder.infos([row.uid for row in rows])}
        budget = SLICE_HEADER_BYTES
        for count, row in enumerate(rows):
            row.info = infos.get(row.uid)
            row.uidvalidity = picture.uidvalidity
            budget -= min(row.info.size, MAX_HEADER) if row.info else 0
            if budget < 0 and count:
                del rows[count:]
                break
        content.prepare(rows)
        return rows

    # -------------------------------------------------------------- flags

    def _finish(
        self, ready: list[tuple[Row, list[Piece]]], picture: Picture, out: Rendered
    ) -> None:
        """Mark as seen what was read, then put each response together."""
        fresh = self._mark_seen([row for row, _ in ready], picture, out)
        for row, pieces in ready:
            head = self._head(row, picture, fresh.get(row.uid))
            out.pieces += _joined(head, pieces)

    def _mark_seen(
        self, rows: list[Row], picture: Picture, out: Rendered
    ) -> dict[int, MessageInfo]:
        """RFC 9051 6.4.5: BODY[...] sets \\Seen. The facts of the messages that got it."""
        unseen = [row.uid for row in rows if not picture.flags[row.number - 1] & Flag.SEEN]
        if not self._marks or not unseen:
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

    def _head(self, row: Row, picture: Picture, fresh: MessageInfo | None) -> bytes:
        words: list[bytes] = []
        # RFC 7162 3.2.4: a FETCH that tells of a change has the UID once QRESYNC is on.
        if Fact.UID in self._facts or (fresh and self._condstore):
            words.append(b"UID %d" % row.uid)
        # RFC 9051 6.4.5: flags that FETCH itself changed are told with it.
        if fresh or Fact.FLAGS in self._facts:
            words.append(b"FLAGS " + self._flags(row, picture, fresh))
        if Fact.MODSEQ in self._facts or (fresh and self._condstore):
            modseq = fresh.modseq if fresh else picture.modseqs[row.number - 1]
            words.append(b"MODSEQ (%d)" % modseq)
        if self._uid_only:
            # RFC 9586 3.3: the UID stands in front, and again only where there is nothing else.
            if words and words[0].startswith(b"UID ") and (len(words) > 1 or self._content):
                del words[0]
            return b"* %d UIDFETCH (%b" % (row.uid, b" ".join(words))
        return b"* %d FETCH (%b" % (row.number, b" ".join(words))

    def _flags(self, row: Row, picture: Picture, fresh: MessageInfo | None) -> bytes:
        recent = self._is_recent(row.uid)
        if fresh:
            return format_flags(fresh.flags, fresh.keywords, recent)
        at = row.number - 1
        key = (picture.flags[at], picture.keyword_bits[at], recent)
        text = self._flag_texts.get(key)
        if text is None:
            names = [word for n, word in enumerate(picture.keywords) if key[1] >> n & 1]
            text = self._flag_texts[key] = format_flags(key[0], names, recent)
        return text


def _is_same(now: Picture, picture: Picture) -> bool:
    """Whether nothing came, went or changed since: each of these raises the modseq."""
    return now is picture or (
        now.uidvalidity == picture.uidvalidity and now.highestmodseq == picture.highestmodseq
    )


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
    if pieces and not head.endswith(b"("):
        head += b" "
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
