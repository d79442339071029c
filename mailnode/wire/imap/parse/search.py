"""SEARCH and UID SEARCH.

Promises: nesting and number of keys are bounded.
RFC: 3501/9051 6.4.4; 4731 (RETURN), 5032 (OLDER, YOUNGER), 5182 (SAVE), 7162 3.1.5 (MODSEQ),
8474 (ids), 8514 (SAVEDATE), 9394 (PARTIAL).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mailnode.model.flags import Flag
from mailnode.wire.imap.ast import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateOp,
    Fault,
    FetchItem,
    FlagKey,
    HeaderKey,
    KeywordKey,
    ModSeqKey,
    NotKey,
    ObjectIdKey,
    OrKey,
    Recency,
    RecentKey,
    SaveDateKey,
    Search,
    SearchKey,
    SearchReturn,
    SeqKey,
    SizeKey,
    TextKey,
    UidKey,
)
from mailnode.wire.imap.lexer import UINT32, UINT63, Cursor
from mailnode.wire.imap.parse.dates import parse_date
from mailnode.wire.imap.parse.fetch import parse_items, parse_partial_range

RETURNS = frozenset(("MIN", "MAX", "ALL", "COUNT", "SAVE", "CONTEXT", "UPDATE", "RELEVANCY"))
_HINTS = frozenset(("CONTEXT", "UPDATE"))  # RFC 5267 4: these ask for no result
# Charsets that SEARCH takes, each with its codec; the first two are those RFC 9051 asks for.
CHARSETS: dict[str, str] = {
    "UTF-8": "utf-8",
    "US-ASCII": "utf-8",  # leniency: clients that forget CHARSET send UTF-8
    **{f"ISO-8859-{n}": f"iso8859-{n}" for n in (*range(1, 12), 13, 14, 15, 16)},
    **{f"WINDOWS-{n}": f"cp{n}" for n in range(1250, 1259)},
    "KOI8-R": "koi8-r",
    "KOI8-U": "koi8-u",
    "ISO-2022-JP": "iso2022_jp",
    "SHIFT_JIS": "shift_jis",
    "EUC-JP": "euc_jp",
    "EUC-KR": "euc_kr",
    "GB2312": "gb2312",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "BIG5": "big5",
}

_FIXED: dict[str, SearchKey] = {
    "ALL": AllKey(),
    "NEW": RecentKey(Recency.NEW),
    "OLD": RecentKey(Recency.OLD),
    "RECENT": RecentKey(Recency.RECENT),
    "SAVEDATESUPPORTED": SaveDateKey(),
    **{flag.name or "": FlagKey(flag, True) for flag in Flag},
    **{f"UN{flag.name}": FlagKey(flag, False) for flag in Flag},
}
_DATES: dict[str, tuple[DateField, DateOp]] = {
    prefix + op.name: (field, op)
    for prefix, field in (
        ("", DateField.INTERNAL),
        ("SENT", DateField.SENT),
        ("SAVED", DateField.SAVED),
    )
    for op in DateOp
}
_ADDRESSED = frozenset(("BCC", "CC", "FROM", "SUBJECT", "TO"))


def parse_search(cursor: Cursor, uid: bool) -> Search:
    """``SEARCH [RETURN (options)] [CHARSET name] key …``."""
    cursor.space()
    reader = _Reader(cursor)
    word = cursor.word("search key") if reader.at_word() else ""
    returns: SearchReturn | None = None
    if word == "RETURN":
        returns = read_returns(cursor)
        cursor.space()
        word = cursor.word("search key") if reader.at_word() else ""
    charset_given = word == "CHARSET"
    if charset_given:
        reader.charset = read_charset(cursor, returns)
        cursor.space()
        word = ""
    return Search(reader.keys(word, 0), reader.charset, returns, charset_given)


def read_keys(cursor: Cursor, charset: str) -> SearchKey:
    """Keys up to the end of the command, for the commands that search among other things."""
    reader = _Reader(cursor)
    reader.charset = charset
    return reader.keys("", 0)


def read_charset(cursor: Cursor, returns: SearchReturn | None = None) -> str:
    """A blank and a charset that SEARCH takes."""
    cursor.space()
    name = cursor.astring().decode("ascii", "replace").upper()
    if name not in CHARSETS:
        # RFC 9051 6.4.4: a tagged NO with BADCHARSET, not BAD.
        saves = returns is not None and "SAVE" in returns.options
        fault = Fault.BAD_CHARSET_SAVING if saves else Fault.BAD_CHARSET
        cursor.fail("charset not supported", fault)
    return name


def read_returns(cursor: Cursor) -> SearchReturn:
    """A blank and the list behind RETURN."""
    cursor.space()
    partial: list[tuple[int, int]] = []
    items: list[FetchItem] = []
    options = cursor.listed(lambda: _return_option(cursor, partial, items), "return options")
    given = frozenset(options) - {"PARTIAL"}
    if not partial and not given - _HINTS:
        given |= {"ALL"}  # RFC 4731 3.1: no option at all means ALL
    if len(partial) > 1 or (partial and "ALL" in given):
        # RFC 9394 3.1: one PARTIAL, and no ALL with it.
        cursor.fail("PARTIAL excludes ALL and another PARTIAL")
    return SearchReturn(given, partial[0] if partial else None, tuple(dict.fromkeys(items)))


def _return_option(cursor: Cursor, partial: list[tuple[int, int]], items: list[FetchItem]) -> str:
    name = cursor.word("return option")
    if name == "PARTIAL":
        cursor.space()
        partial.append(parse_partial_range(cursor))
    elif name == "UPDATE" and (cursor.at(b" (") or cursor.at(b"(")):
        cursor.take(b" ")  # RFC 5465 8 has no space here, the example of 7 has one
        items += parse_items(cursor)
    elif name not in RETURNS:
        cursor.fail("unknown return option")
    return name


class _Reader:
    """Reads keys off a cursor; counts them and their depth."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._count = 0
        self.charset = "UTF-8" if cursor.utf8 else "US-ASCII"

    def at_word(self) -> bool:
        """True when a key's name comes next, not a set, ``$`` or list."""
        cursor = self._cursor
        return not any(cursor.at(octet) for octet in _NO_WORD)

    def keys(self, first: str, depth: int) -> SearchKey:
        """Keys up to the end of the command or list, all of which must hold. ``first``: the name
        of the first key, if that was read already."""
        found = [self._named(first, depth) if first else self.key(depth)]
        while not (self._cursor.at(b")") or self._cursor.at_end()):
            self._cursor.space()
            found.append(self.key(depth))
        return found[0] if len(found) == 1 else AndKey(tuple(found))

    def key(self, depth: int) -> SearchKey:
        """One key."""
        cursor = self._cursor
        if depth > cursor.bounds.depth:
            cursor.fail("search keys nested too deep", Fault.TOO_LONG)
        if cursor.take(b"("):
            inner = self.keys("", depth + 1)
            cursor.expect(b")", "end of list")
            return inner
        if self.at_word():
            return self._named(cursor.word("search key"), depth)
        self._tally()
        return SeqKey(cursor.sequence_set())

    def _tally(self) -> None:
        self._count += 1
        if self._count > self._cursor.bounds.keys:
            self._cursor.fail("too many search keys", Fault.TOO_LONG)

    def _named(self, name: str, depth: int) -> SearchKey:
        self._tally()
        if name in _FIXED:
            return _FIXED[name]
        if name == "NOT":
            return NotKey(self._next(depth))
        if name == "FUZZY":
            return _fuzzy(self._next(depth))
        if name == "OR":
            return OrKey(self._next(depth), self._next(depth))
        if name not in _WITH_ARGUMENT:
            self._cursor.fail("unknown search key")
        self._cursor.space()
        if name in _DATES:
            return DateKey(*_DATES[name], parse_date(self._cursor))
        if name in _ADDRESSED:
            return HeaderKey(name.lower(), self._text())
        return _ARGUMENTS[name](self)

    def _next(self, depth: int) -> SearchKey:
        self._cursor.space()
        return self.key(depth + 1)

    def _text(self) -> str:
        raw = self._cursor.astring()
        try:
            return raw.decode(CHARSETS[self.charset])
        except UnicodeDecodeError:
            self._cursor.fail("string is not in the charset")

    def header(self) -> SearchKey:
        """HEADER's name and value."""
        name = self._cursor.astring().decode("ascii", "replace").lower()
        self._cursor.space()
        return HeaderKey(name, self._text())

    def body(self) -> SearchKey:
        """BODY's string."""
        return TextKey(self._text(), body_only=True)

    def text(self) -> SearchKey:
        """TEXT's string."""
        return TextKey(self._text())

    def uid(self) -> SearchKey:
        """UID's set."""
        return UidKey(self._cursor.sequence_set())

    def keyword(self, present: bool) -> SearchKey:
        """KEYWORD's flag."""
        return KeywordKey(self._cursor.atom("keyword"), present)

    def size(self, larger: bool) -> SearchKey:
        """LARGER's number."""
        return SizeKey(larger, self._cursor.number("size", 0, UINT63))

    def age(self, older: bool) -> SearchKey:
        """OLDER's interval. RFC 5032 3: a number above 0."""
        return AgeKey(older, self._cursor.number("interval", 1, UINT32))

    def modseq(self) -> SearchKey:
        """MODSEQ's optional entry name and type, and value."""
        entry = ""
        if self._cursor.at(b'"'):
            entry = self._cursor.quoted().decode("utf-8", "replace")
            self._cursor.space()
            if self._cursor.word("entry type") not in ("PRIV", "SHARED", "ALL"):
                self._cursor.fail("unknown entry type")
            self._cursor.space()
        return ModSeqKey(self._cursor.number("mod-sequence", 0, UINT63), entry)

    def object_id(self, thread: bool) -> SearchKey:
        """EMAILID's id."""
        return ObjectIdKey(self._cursor.atom("object id"), thread)


def _fuzzy(key: SearchKey) -> SearchKey:
    """RFC 6203 3: a key and all below it; what compares no text stays as it is."""
    if isinstance(key, HeaderKey | TextKey):
        return replace(key, fuzzy=True)
    if isinstance(key, AndKey):
        return AndKey(tuple(map(_fuzzy, key.keys)))
    if isinstance(key, OrKey):
        return OrKey(_fuzzy(key.left), _fuzzy(key.right))
    return NotKey(_fuzzy(key.key)) if isinstance(key, NotKey) else key


_NO_WORD = (*(b"%d" % n for n in range(10)), b"*", b"$", b"(")
_ARGUMENTS: dict[str, Callable[[_Reader], SearchKey]] = {
    "HEADER": _Reader.header,
    "BODY": _Reader.body,
    "TEXT": _Reader.text,
    "UID": _Reader.uid,
    "KEYWORD": lambda reader: reader.keyword(True),
    "UNKEYWORD": lambda reader: reader.keyword(False),
    "LARGER": lambda reader: reader.size(True),
    "SMALLER": lambda reader: reader.size(False),
    "OLDER": lambda reader: reader.age(True),
    "YOUNGER": lambda reader: reader.age(False),
    "MODSEQ": _Reader.modseq,
    "EMAILID": lambda reader: reader.object_id(False),
    "THREADID": lambda reader: reader.object_id(True),
}
_WITH_ARGUMENT = frozenset(_ARGUMENTS) | frozenset(_DATES) | _ADDRESSED
