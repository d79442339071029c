"""FETCH and UID FETCH.

RFC: 3501/9051 6.4.5; 3516 (BINARY), 7162 (CHANGEDSINCE, VANISHED), 8474, 8514, 8970, 9394.
"""

from __future__ import annotations

import re

from mailnode.wire.imap.ast import Binary, Fact, Fetch, FetchItem, Preview, Section, SectionKind
from mailnode.wire.imap.lexer import UINT32, UINT63, Bounds, Cursor, Wrong
from mailnode.wire.imap.receiver import RawCommand

MACROS: dict[str, tuple[Fact, ...]] = {
    "FAST": (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE),
    "ALL": (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE, Fact.ENVELOPE),
    "FULL": (Fact.FLAGS, Fact.INTERNALDATE, Fact.SIZE, Fact.ENVELOPE, Fact.BODY),
}
LEGACY: dict[str, Section] = {
    "RFC822": Section(legacy="RFC822"),
    "RFC822.HEADER": Section(kind=SectionKind.HEADER, peek=True, legacy="RFC822.HEADER"),
    "RFC822.TEXT": Section(kind=SectionKind.TEXT, legacy="RFC822.TEXT"),
}
_FACTS = {fact.value: fact for fact in Fact}
_SECTION_TEXTS = {kind.value: kind for kind in SectionKind if kind.value}
_PART = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")
_PART_DEPTH = 100
_KEPT_BYTES, _KEPT_COMMANDS = 256, 256
_What = tuple[tuple[FetchItem, ...], int | None, bool, tuple[int, int] | None]
_kept: dict[tuple[bytes, bool, bool, Bounds], _What] = {}  # by what stands behind the messages
_LAZY = re.compile(rb" \(LAZY(?: LAZY)*\)", re.IGNORECASE)


def parse_fetch(cursor: Cursor, uid: bool) -> Fetch:
    """``FETCH set items [(modifiers)]``."""
    cursor.space()
    messages = cursor.sequence_set()
    cursor.space()
    rest = cursor.rest()
    if rest is None or len(rest) > _KEPT_BYTES:
        return Fetch(messages, *_what(cursor, uid))
    # Clients ask for the same again and again, of one message after the other.
    key = (rest, uid, cursor.utf8, cursor.bounds)
    what = _kept.get(key)
    if what is not None:
        cursor.take(rest)
        return Fetch(messages, *what)
    what = _what(cursor, uid)
    if cursor.at_end():
        if len(_kept) >= _KEPT_COMMANDS:
            _kept.clear()
        _kept[key] = what
    return Fetch(messages, *what)


def _what(cursor: Cursor, uid: bool) -> _What:
    """All that follows the messages."""
    items = _items(cursor)
    since, vanished, partial = (None, False, None) if cursor.at_end() else _modifiers(cursor)
    if vanished and (since is None or not uid):
        # RFC 7162 3.2.6: VANISHED only in UID FETCH and with CHANGEDSINCE.
        cursor.fail("VANISHED needs UID FETCH and CHANGEDSINCE")
    # RFC 9051 6.4.9: UID FETCH answers with UIDs; RFC 7162 3.1.4.1: CHANGEDSINCE with MODSEQ.
    items += [Fact.UID] if uid else []
    items += [Fact.MODSEQ] if since is not None else []
    return tuple(dict.fromkeys(items)), since, vanished, partial


def _items(cursor: Cursor) -> list[FetchItem]:
    if cursor.at(b"("):
        return list(parse_items(cursor))
    name = cursor.word("FETCH item")
    if name in MACROS:
        return list(MACROS[name])
    return [_item(cursor, name)]


def parse_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """``(item item …)``, each once; no macros."""
    items = cursor.listed(lambda: _item(cursor, cursor.word("FETCH item")), "FETCH items")
    if not items:
        cursor.fail("expected a FETCH item")
    return tuple(dict.fromkeys(items))


def _item(cursor: Cursor, name: str) -> FetchItem:
    if name in ("BODY", "BODY.PEEK") and cursor.take(b"["):
        return _section(cursor, name == "BODY.PEEK")
    if name.startswith("BINARY") and cursor.take(b"["):
        return _binary(cursor, name)
    if name in LEGACY:
        return LEGACY[name]
    if name == "PREVIEW":
        return _preview(cursor)
    fact = _FACTS.get(name)
    if fact is None:
        cursor.fail("unknown FETCH item")
    return fact


def parse_section(text: bytes) -> Section | None:
    """What stands between the brackets of ``BODY[...]``, found elsewhere (IMAP URLs)."""
    cursor = Cursor(RawCommand((text + b"]",)), Bounds(), False)
    try:
        section = _section(cursor, True)
        cursor.end()
    except Wrong:
        return None
    return section if section.partial is None else None


def _part(cursor: Cursor) -> tuple[int, ...]:
    part = tuple(map(int, cursor.match(_PART, "part number").split(b".")))
    if len(part) > _PART_DEPTH or max(part) > UINT32:
        cursor.fail("part number out of range")
    return part


def _section(cursor: Cursor, peek: bool) -> Section:
    part: tuple[int, ...] = ()
    kind = SectionKind.ALL
    numbered = not cursor.at(b"]") and not _at_letter(cursor)
    if numbered:
        part = _part(cursor)
    fields: tuple[bytes, ...] = ()
    if not cursor.at(b"]"):
        if numbered:
            cursor.expect(b".", "part number or end of section")
        kind = _section_text(cursor, numbered)
        if kind in (SectionKind.FIELDS, SectionKind.FIELDS_NOT):
            fields = _fields(cursor)
    cursor.expect(b"]", "end of section")
    return Section(part, kind, fields, peek, _partial(cursor))


def _at_letter(cursor: Cursor) -> bool:
    return any(cursor.at(letter) for letter in (b"H", b"h", b"T", b"t", b"M", b"m"))


def _section_text(cursor: Cursor, numbered: bool) -> SectionKind:
    kind = _SECTION_TEXTS.get(cursor.word("section"))
    # RFC 9051 6.4.5: MIME must be behind a part number.
    if kind is None or (kind is SectionKind.MIME and not numbered):
        cursor.fail("unknown section")
    return kind


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    cursor.space()
    fields = cursor.listed(cursor.astring, "header fields")
    if not fields:
        cursor.fail("expected a header field")
    return tuple(fields)


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.take(b"<"):
        return None
    offset = cursor.number("offset", 0, UINT63)
    cursor.expect(b".", "dot")
    count = cursor.number("count", 1, UINT63)
    cursor.expect(b">", "end of partial")
    return offset, count


def _binary(cursor: Cursor, name: str) -> Binary:
    if name not in ("BINARY", "BINARY.PEEK", "BINARY.SIZE"):
        cursor.fail("unknown FETCH item")
    part = () if cursor.at(b"]") else _part(cursor)
    cursor.expect(b"]", "end of section")
    if name == "BINARY.SIZE":
        return Binary(part, peek=True, size_only=True)
    return Binary(part, name == "BINARY.PEEK", _partial(cursor))


def _preview(cursor: Cursor) -> Preview:
    # RFC 8970 6: any other list behind it is FETCH's own, as in "PREVIEW (CHANGEDSINCE 9)".
    return Preview(lazy=cursor.skip(_LAZY))


_Modifiers = tuple[int | None, bool, tuple[int, int] | None]


def _modifiers(cursor: Cursor) -> _Modifiers:
    cursor.space()
    given: dict[str, int | tuple[int, int]] = {}
    cursor.listed(lambda: _modifier(cursor, given), "FETCH modifiers")
    since, partial = given.get("CHANGEDSINCE"), given.get("PARTIAL")
    return (
        since if isinstance(since, int) else None,
        "VANISHED" in given,
        partial if isinstance(partial, tuple) else None,
    )


def _modifier(cursor: Cursor, given: dict[str, int | tuple[int, int]]) -> None:
    name = cursor.word("FETCH modifier")
    if name == "CHANGEDSINCE":
        cursor.space()
        given[name] = cursor.number("mod-sequence", 0, UINT63)
    elif name == "PARTIAL":
        cursor.space()
        given[name] = parse_partial_range(cursor)
    elif name == "VANISHED":
        given[name] = 1
    else:
        cursor.fail("unknown FETCH modifier")


def parse_partial_range(cursor: Cursor) -> tuple[int, int]:
    """RFC 9394 3.1: ``1:100`` from the first, ``-1:-100`` from the last."""
    low = _signed(cursor)
    cursor.expect(b":", "range")
    high = _signed(cursor)
    if (low < 0) != (high < 0):
        cursor.fail("range counts in two directions")
    return low, high


def _signed(cursor: Cursor) -> int:
    sign = -1 if cursor.take(b"-") else 1
    return sign * cursor.number("number", 1)
