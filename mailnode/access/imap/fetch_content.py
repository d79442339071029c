"""The FETCH items that need more than the picture: facts, summaries and the message itself.

Promises: a message is read at most once for all its items; a section that does not exist is
``NIL``.
Fails: ``NoSuchMessage``, ``StorageGone``, ``UnknownEncoding``.
RFC: 3501 6.4.5 and 7.4.2, 9051 7.5.2, 3516 4 and 6 (BINARY), 8474 5, 8514 4, 8970 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mailnode.access.imap.message_file import FilePart, Message, MessageCache, Source
from mailnode.model.errors import NoSuchMessage, PermanentError
from mailnode.runtime.tasks import may_wait
from mailnode.store import MessageInfo
from mailnode.wire.imap.fetch_items import (
    Binary,
    Fact,
    FetchItem,
    Preview,
    Section,
    SectionKind,
)
from mailnode.wire.imap.format import astring, date_time
from mailnode.wire.mime.decode import part_bytes, preview
from mailnode.wire.mime.parameters import parse_token
from mailnode.wire.mime.sections import Text, cut, extract, field_chooser, find_part, is_selection
from mailnode.wire.mime.strings import format_string
from mailnode.wire.mime.structure import Part, to_crlf

# Whole messages above this go from disk to the client in pieces.
STREAM_BYTES = 256 * 1024

Piece = bytes | FilePart

HEADER_KINDS = frozenset((SectionKind.HEADER, SectionKind.FIELDS, SectionKind.FIELDS_NOT))
SUMMARY_OF = {
    Fact.ENVELOPE: "envelope",
    Fact.BODY: "body",
    Fact.BODYSTRUCTURE: "bodystructure",
}
_DECODABLE = frozenset((b"", b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))


class UnknownEncoding(PermanentError):
    """BINARY cannot undo the part's transfer encoding (RFC 3516 4.3: UNKNOWN-CTE)."""

    public = "the transfer encoding of this part is not known"


@dataclass(slots=True)
class Row:
    """A message being answered for; ``info`` is ``None`` for one that is gone."""

    at: int  # where it stands in the picture
    uid: int
    info: MessageInfo | None = None
    uidvalidity: int = 0
    summaries: dict[str, bytes] = field(default_factory=dict)
    message: Message | None = None


class ContentWriter:
    """Writes a command's items, those from the picture apart, for one row after the other."""

    def __init__(self, folder: Source, items: Iterable[FetchItem], cache: MessageCache) -> None:
        self._folder = folder
        self._cache = cache
        self._writers = [self._writer(item) for item in items]
        self._kinds = sorted({kind for item in items if (kind := _summary_of(item))})

    def prepare(self, rows: Sequence[Row]) -> None:
        """Fetch the summaries the rows need, each kind at once."""
        uids = [row.uid for row in rows if row.info]
        for kind in self._kinds:
            found = self._folder.summaries(uids, kind)
            for row in rows:
                if row.uid in found:
                    row.summaries[kind] = found[row.uid]

    def write(self, row: Row) -> list[Piece]:
        """All items of a row, blanks between them. Raises ``NoSuchMessage``."""
        pieces: list[Piece] = []
        try:
            for writer in self._writers:
                if pieces:
                    pieces.append(b" ")
                pieces += writer(row)
        except BaseException:
            for piece in pieces:
                if isinstance(piece, FilePart):
                    piece.close()
            raise
        finally:
            row.message = None
        return pieces

    def _writer(self, item: FetchItem) -> Callable[[Row], list[Piece]]:
        if isinstance(item, Fact):
            kind = SUMMARY_OF.get(item)
            if kind is None:
                return lambda row: [fact_text(item, _info(row))]
            return lambda row: [item.value.encode(), b" ", _summary(row, kind)]
        if isinstance(item, Section):
            return self._section_writer(item)
        if isinstance(item, Preview):
            return lambda row: [b"PREVIEW ", self._preview(row)]
        return lambda row: [binary_name(item), b" ", *self._binary(row, item)]

    # -------------------------------------------------------------- sections

    def _section_writer(self, section: Section) -> Callable[[Row], list[Piece]]:
        name, partial = section_name(section) + b" ", section.partial
        text = Text(section.kind.value)
        if not section.part and section.kind in HEADER_KINDS:
            if not is_selection(text):
                return lambda row: [name, *_literal(cut(_summary(row, "headers"), partial))]
            choose = field_chooser(text, section.fields)
            return lambda row: [name, *_literal(cut(choose(_summary(row, "headers")), partial))]
        if not section.part and text is Text.ALL:
            return lambda row: [name, *self._whole(row, partial)]
        return lambda row: [name, *self._section(row, section, text)]

    def _whole(self, row: Row, partial: tuple[int, int] | None) -> list[Piece]:
        if row.message is not None:
            return _literal(cut(row.message.data, partial))
        if _info(row).size > STREAM_BYTES:
            return self._streamed(row, partial)
        return _literal(cut(self._cache.raw(self._folder, row.uid), partial))

    def _section(self, row: Row, section: Section, text: Text) -> list[Piece]:
        message = self._message(row)
        found = extract(message.data, message.root, section.part, text, section.fields)
        # RFC 9051 6.4.5: what does not exist is answered, not refused.
        return [b"NIL"] if found is None else _literal(cut(found, section.partial))

    def _streamed(self, row: Row, partial: tuple[int, int] | None) -> list[Piece]:
        file = self._folder.open(row.uid)
        try:
            raw, shown = self._cache.measure(self._folder, row.uidvalidity, row.uid, file)
        except BaseException:
            file.close()
            raise
        start, count = partial or (0, shown)
        start = min(start, shown)
        part = FilePart(file, start, min(count, shown - start), plain=raw == shown)
        return [b"{%d}\r\n" % part.size, part]

    def _message(self, row: Row) -> Message:
        if row.message is None:
            if _info(row).size > STREAM_BYTES:
                may_wait()  # parsing and decoding take their time
            row.message = self._cache.load(self._folder, row.uidvalidity, row.uid)
        return row.message

    # -------------------------------------------------------------- BINARY, PREVIEW

    def _preview(self, row: Row) -> bytes:
        message = self._message(row)
        return format_string(preview(message.data, message.root).encode())

    def _binary(self, row: Row, item: Binary) -> list[Piece]:
        message = self._message(row)
        part = find_part(message.root, item.part)
        decoded = None if part is None else _decoded(message.data, part, bool(item.part))
        if item.size_only:
            return [b"%d" % len(decoded or b"")]
        if decoded is None:
            return [b"NIL"]
        wanted = cut(decoded, item.partial)
        # RFC 3516 4.2: NULs need a literal8.
        return [b"~" if b"\0" in wanted else b"", *_literal(wanted)]


def _decoded(message: bytes, part: Part, numbered: bool) -> bytes:
    if not numbered:
        return message
    encoding = parse_token(part.fields.get(b"content-transfer-encoding", b""))
    if part.parts:
        return message[part.body_start : part.end]
    if encoding not in _DECODABLE:
        raise UnknownEncoding(repr(encoding))
    decoded = part_bytes(message, part)
    # RFC 3516 6: lines of text end in CRLF; a text with NULs (UTF-16) is not made of such lines.
    is_lines = part.content.main == b"text" and b"\0" not in decoded
    return to_crlf(decoded) if is_lines else decoded


def is_constant(item: FetchItem) -> bool:
    """Whether the answer is the same as long as the message lives, short, and marks nothing."""
    if isinstance(item, Section):
        return item.peek and not item.part and item.kind in HEADER_KINDS
    return isinstance(item, Fact)


def _summary_of(item: FetchItem) -> str:
    if isinstance(item, Fact):
        return SUMMARY_OF.get(item, "")
    at_top = isinstance(item, Section) and not item.part and item.kind in HEADER_KINDS
    return "headers" if at_top else ""


def _info(row: Row) -> MessageInfo:
    if row.info is None:
        raise NoSuchMessage(str(row.uid))
    return row.info


def _summary(row: Row, kind: str) -> bytes:
    found = row.summaries.get(kind)
    if found is None:
        raise NoSuchMessage(str(row.uid))
    return found


def fact_text(item: Fact, info: MessageInfo) -> bytes:
    """A fact with its name."""
    name = item.value.encode()
    if item is Fact.SIZE:
        return b"%b %d" % (name, info.size)
    if item is Fact.INTERNALDATE:
        return b"%b %b" % (name, date_time(info.internal_date))
    if item is Fact.SAVEDATE:
        return b"%b %b" % (name, date_time(info.save_date))
    # RFC 8474 5.2: a server without threads says NIL.
    found = info.email_id if item is Fact.EMAILID else info.thread_id
    return b"%b (%b)" % (name, found.encode()) if found else name + b" NIL"


def _literal(data: bytes) -> list[Piece]:
    # RFC 9051 9 "CHAR8" deviation: a NUL in stored mail goes out as it is, since a changed octet
    # breaks signatures; SMTP and APPEND let none in.
    return [b"{%d}\r\n" % len(data), data]


def section_name(section: Section) -> bytes:
    """How the response names a section: ``BODY[1.HEADER.FIELDS (DATE)]<0>``, or the old name."""
    if section.legacy:
        return section.legacy.encode()
    words = [*(b"%d" % number for number in section.part)]
    if section.kind.value:
        words.append(section.kind.value.encode())
    spec = b".".join(words)
    if section.kind in (SectionKind.FIELDS, SectionKind.FIELDS_NOT):
        spec += b" (" + b" ".join(astring(name) for name in section.fields) + b")"
    return b"BODY[" + spec + b"]" + _origin(section.partial)


def binary_name(item: Binary) -> bytes:
    """How the response names a BINARY item."""
    word = b"BINARY.SIZE[" if item.size_only else b"BINARY["
    return word + b".".join(b"%d" % n for n in item.part) + b"]" + _origin(item.partial)


def _origin(partial: tuple[int, int] | None) -> bytes:
    # RFC 9051 7.5.2: the answer to a partial names its start only.
    return b"" if partial is None else b"<%d>" % partial[0]
