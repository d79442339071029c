"""Values of responses as octets: strings, names, flags, sets, dates and the larger lines.

Promises: what is formatted here parses back; no text of ours can break out of its line (CR, LF
and NUL go into literals or are dropped from human text).
RFC: 3501/9051 7 and 9; 4731 (ESEARCH), 5258 (LIST), 5819, 6855 (UTF-8), 7162, 8438.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from math import floor

from mailnode.model.flags import Flag
from mailnode.wire.imap import utf7
from mailnode.wire.imap.sets import runs

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# RFC 9051 2.3.2, in the order that people expect to see them.
FLAG_NAMES: Mapping[Flag, bytes] = {
    Flag.ANSWERED: b"\\Answered",
    Flag.FLAGGED: b"\\Flagged",
    Flag.DELETED: b"\\Deleted",
    Flag.SEEN: b"\\Seen",
    Flag.DRAFT: b"\\Draft",
}
_BITS = tuple((int(flag), name) for flag, name in FLAG_NAMES.items())
_FLAG_TEXT = tuple(
    b" ".join(name for bit, name in _BITS if bits & bit) for bits in range(1 << len(_BITS))
)

# RFC 9051 9 "ASTRING-CHAR" without the ones that some client may trip over.
_ATOM = re.compile(rb"[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~]+\Z")
# RFC 9051 9 "quoted": any TEXT-CHAR; RFC 3501 9 knows 7 bits only.
_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*\Z")
_QUOTABLE_UTF8 = re.compile(rb"[^\x00\r\n]*\Z")
_SPECIAL = re.compile(rb'([\\"])')
_NOT_TEXT = re.compile(rb"[\x00-\x1f\x7f]+")
# Of the years 1 and 9999.
_FIRST_SECOND, _LAST_SECOND = -62135596800.0, 253402300799.0
_DAY_S = 86400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# Longer strings go as literals; some clients' buffers for quoted strings are small.
_QUOTED_LIMIT = 1024


def string(raw: bytes, utf8: bool = False) -> bytes:
    """``raw`` as quoted string where it can be one, else as literal.

    ``utf8``: the client enabled UTF8=ACCEPT or IMAP4rev2, so 8-bit quoted strings are allowed
    where they are valid UTF-8.
    """
    if len(raw) <= _QUOTED_LIMIT and _can_quote(raw, utf8):
        return b'"' + _SPECIAL.sub(rb"\\\1", raw) + b'"'
    return literal(raw)


def _can_quote(raw: bytes, utf8: bool) -> bool:
    if _QUOTABLE.match(raw):
        return True
    return utf8 and bool(_QUOTABLE_UTF8.match(raw)) and _is_utf8(raw)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def literal(raw: bytes) -> bytes:
    """``raw`` as literal; as literal8 if it holds a NUL (RFC 9051 9 "literal8")."""
    return b"%s{%d}\r\n%s" % (b"~" if b"\0" in raw else b"", len(raw), raw)


def nstring(raw: bytes | None, utf8: bool = False) -> bytes:
    """``NIL`` or a string."""
    return b"NIL" if raw is None else string(raw, utf8)


def astring(raw: bytes, utf8: bool = False) -> bytes:
    """An atom where ``raw`` can be one and is not ``NIL``, else a string."""
    if _ATOM.match(raw) and raw.upper() != b"NIL":
        return raw
    return string(raw, utf8)


def mailbox(name: str, utf8: bool = False) -> bytes:
    """A mailbox name: modified UTF-7, or UTF-8 for clients that enabled it; always quoted or
    literal, as most servers send it."""
    # A lone surrogate cannot come from us; replaced rather than lose the whole LIST.
    clean = name.encode("utf-8", "replace").decode()
    return string(clean.encode() if utf8 else utf7.encode(clean), utf8)


def text(human: str) -> bytes:
    """Human-readable text of a response: one line, 7 bits (RFC 3501 9 "text")."""
    return _NOT_TEXT.sub(b" ", human.encode("ascii", "replace")) or b" "


def flags(flag_bits: int, keywords: Iterable[str] = (), recent: bool = False) -> bytes:
    """A parenthesised flag list. ``flag_bits`` may be a ``Flag`` or its plain number."""
    words = [w for w in (_FLAG_TEXT[flag_bits], b"\\Recent" if recent else b"") if w]
    words += [word.encode() for word in sorted(keywords)]
    return b"(" + b" ".join(words) + b")"


def number_set(ascending: Iterable[int]) -> bytes:
    """Ascending numbers as a compact set: ``1:3,5``. Empty for none, which no grammar allows."""
    pairs = runs(ascending)
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in pairs)


def range_set(spans: Iterable[tuple[int, int]]) -> bytes:
    """The same from (first, last) pairs."""
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in spans)


def uid_pairs(pairs: Sequence[tuple[int, int]]) -> tuple[bytes, bytes]:
    """The two sets of COPYUID, in corresponding order (RFC 4315 3)."""
    ordered = sorted(pairs)
    return ordered_set([a for a, _ in ordered]), ordered_set([b for _, b in ordered])


def ordered_set(numbers: Iterable[int]) -> bytes:
    """A set that keeps the order given; only ascending neighbours are joined."""
    return range_set(runs(numbers))


def date_time(seconds: float) -> bytes:
    """INTERNALDATE as quoted date-time in UTC (RFC 9051 9 "date-time")."""
    day, second = divmod(floor(min(max(seconds, _FIRST_SECOND), _LAST_SECOND)), _DAY_S)
    minute, second = divmod(second, 60)
    return b'"%b %02d:%02d:%02d +0000"' % (_date(day), minute // 60, minute % 60, second)


@lru_cache(maxsize=4096)
def _date(day: int) -> bytes:
    """Days since 1970 as ``dd-mmm-yyyy``."""
    at = date.fromordinal(_EPOCH_ORDINAL + day)
    return b"%2d-%b-%04d" % (at.day, MONTHS[at.month - 1].encode(), at.year)


def as_utc(seconds: float) -> datetime:
    """The moment; any number may be a file's mtime, and one out of range is its nearest end."""
    return datetime.fromtimestamp(min(max(seconds, _FIRST_SECOND), _LAST_SECOND), UTC)


def list_line(
    attributes: Iterable[bytes],
    name: str,
    *,
    command: bytes = b"LIST",
    utf8: bool = False,
    extended: bytes = b"",
    separator: bytes = b"/",
) -> bytes:
    """An untagged LIST or LSUB without CRLF. ``extended``: e.g. ``("CHILDINFO" ("SUBSCRIBED"))``
    with its outer parentheses (RFC 5258 6)."""
    words = b" ".join(attributes)
    tail = b" " + extended if extended else b""
    return b'* %s (%s) "%s" %s%s' % (command, words, separator, mailbox(name, utf8), tail)


def status_line(name: str, items: Iterable[tuple[str, int | bytes]], utf8: bool = False) -> bytes:
    """An untagged STATUS without CRLF; octet values (MAILBOXID's) come ready to send."""
    words = [
        key.encode() + b" " + (b"%d" % value if isinstance(value, int) else value)
        for key, value in items
    ]
    return b"* STATUS " + mailbox(name, utf8) + b" (" + b" ".join(words) + b")"


def correlator(tag: str, where: bytes = b"") -> bytes:
    """Which command an answer belongs to (RFC 4466 2.6.1)."""
    place = b" " + where if where else b""  # RFC 7377 2.1: MAILBOX and UIDVALIDITY
    return b'(TAG "%s"%b)' % (_SPECIAL.sub(rb"\\\1", tag.encode()), place)


def esearch_line(
    tag: str, uid: bool, results: Iterable[tuple[str, bytes]], where: bytes = b""
) -> bytes:
    """An untagged ESEARCH without CRLF (RFC 4731 3); results that are empty are left out by the
    caller (MIN, MAX and ALL have no form for "none")."""
    words = [b"* ESEARCH " + correlator(tag, where)]
    if uid:
        words.append(b"UID")
    words += [key.encode() + b" " + value for key, value in results]
    return b" ".join(words)


def search_line(
    numbers: Iterable[int], modseq: int | None = None, *, name: bytes = b"SEARCH"
) -> bytes:
    """An untagged SEARCH (or SORT) without CRLF; ``modseq`` as RFC 7162 3.1.5."""
    numbers = tuple(numbers)  # perhaps very many: in one go
    told = b"" if modseq is None else b" (MODSEQ %d)" % modseq
    return b"* " + name + b" %d" * len(numbers) % numbers + told
