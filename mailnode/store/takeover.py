"""What Dovecot and Courier left beside a folder's mail: UIDs, keywords, subscriptions.

Promises: no two names get one UID, and ``uidnext`` lies above every UID the old server ever
gave out, torn and damaged lines included. A list that cannot be understood yields none of its
UIDs rather than wrong ones; files are read only.
Fails: ``BadForeignState`` for a list beyond ``MAX_LIST_BYTES``; ``StorageGone``.
Formats: ``dovecot-uidlist`` version 3 and 1, ``dovecot-keywords``, ``subscriptions`` version 1 and
2; Courier's ``courierimapuiddb``, ``courierimapkeywords/``, ``courierimapsubscribed``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mailnode.model.errors import BadFolderName, TemporaryError
from mailnode.runtime import files
from mailnode.store.names import canonical, decode_utf7, folder_to_disk, split_name

# About 1.5 million messages; beyond it something else than a mail folder made the file.
MAX_LIST_BYTES = 128 * 1024 * 1024
# Keyword lists and subscriptions stay below a few KiB; one file per changed message in Courier's.
MAX_SMALL_BYTES = 4 * 1024 * 1024
MAX_KEYWORDS = 4096
MAX_UID = 0xFFFFFFFF

_LINE_V3 = re.compile(rb"(\d{1,10})((?: [^: ][^ ]*)*) :(.*)", re.DOTALL)
_LINE_V1 = re.compile(rb"(\d{1,10}) (.*)", re.DOTALL)
_HEADER_V1 = re.compile(rb"1 (\d{1,10}) (\d{1,10})\s*")
_HEADER_FIELD = re.compile(rb"([A-Z])(\S*)")
_UID_AT_START = re.compile(rb"(\d{1,10}) ")
_KEYWORD_LINE = re.compile(rb"(\d{1,4}) (\S+)")
_SUBSCRIPTIONS_V2 = b"V\t2\n\n"
_ESCAPED = re.compile(rb"\x01(.)", re.DOTALL)
_ESCAPES = {b"0": b"\0", b"1": b"\x01", b"t": b"\t", b"r": b"\r", b"n": b"\n"}
_COURIER_MARKS = re.compile(rb"(.+):([\d ]*)", re.DOTALL)
_COURIER_UPDATE = re.compile(rb"\.(\d{1,12})\.(.+)", re.DOTALL)


class BadForeignState(TemporaryError):
    """The old server's list is too large to be one; a person has to look at it."""

    public = "mailbox cannot be opened now, try again later"


@dataclass(frozen=True, slots=True)
class ForeignState:
    """What an earlier server knew of one folder.

    ``uidvalidity`` 0 and empty ``uids`` mean that no list could be used. ``uids`` maps base names
    (without ``:2,…``) to UIDs. ``keywords[i]`` belongs to the file name letter ``a`` + i; unused
    letters are ``""``. ``marks`` holds Courier's keywords by base name.
    """

    uidvalidity: int = 0
    uidnext: int = 1
    uids: dict[bytes, int] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    mailbox_guid: bytes | None = None
    marks: dict[bytes, tuple[str, ...]] = field(default_factory=dict)


class _UidList(NamedTuple):
    uidvalidity: int
    uidnext: int
    uids: dict[bytes, int]
    guid: bytes | None


def read_foreign(folder_path: bytes) -> ForeignState | None:
    """What another server left in a Maildir folder; ``None`` where it left nothing."""
    listed = _newest_uid_list(folder_path)
    keywords = read_keyword_letters(folder_path)
    marks = _read_courier_keywords(os.path.join(folder_path, b"courierimapkeywords"))
    if listed is None:
        return ForeignState(keywords=keywords, marks=marks) if keywords or marks else None
    return ForeignState(
        listed.uidvalidity, listed.uidnext, listed.uids, keywords, listed.guid, marks
    )


def _newest_uid_list(folder_path: bytes) -> _UidList | None:
    """The list of the server that was last at work, if two were."""
    found: list[tuple[float, _UidList]] = []
    for name in (b"courierimapuiddb", b"dovecot-uidlist"):
        path = os.path.join(folder_path, name)
        read = _read_bounded(path, MAX_LIST_BYTES)
        if read is not None and (listed := parse_uid_list(read[1])) is not None:
            found.append((read[0], listed))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _read_bounded(path: bytes, limit: int) -> tuple[float, bytes] | None:
    """mtime and content of a regular file; ``None`` where there is none."""
    with files.storage_errors(path):
        try:
            # Non-blocking: a FIFO of this name must not hold a worker.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                return None
            if facts.st_size > limit:
                raise BadForeignState(f"{os.fsdecode(path)}: larger than {limit} bytes")
            with open(fd, "rb", closefd=False) as opened:
                return facts.st_mtime, opened.read(limit)
        finally:
            os.close(fd)


def parse_uid_list(raw: bytes) -> _UidList | None:
    """A UID list of either version; ``None`` if its header cannot be trusted."""
    header, newline, rest = raw.partition(b"\n")
    if not newline:
        return None
    if header.startswith(b"3 "):
        parsed, pattern = _header_v3(header), _LINE_V3
    else:
        parsed, pattern = _header_v1(header), _LINE_V1
    if parsed is None:
        return None
    uidvalidity, uidnext, guid = parsed
    uids, highest = _parse_lines(rest, pattern)
    # Dovecot appends lines without touching the header: its N may lag behind them.
    uidnext = max(uidnext, highest + 1)
    if not 0 < uidvalidity <= MAX_UID or not 0 < uidnext <= MAX_UID:
        return None
    return _UidList(uidvalidity, uidnext, uids, guid)


def _header_v1(header: bytes) -> tuple[int, int, None] | None:
    match = _HEADER_V1.fullmatch(header)
    return (int(match[1]), int(match[2]), None) if match else None


def _header_v3(header: bytes) -> tuple[int, int, bytes | None] | None:
    fields = {m[1]: m[2] for m in map(_HEADER_FIELD.fullmatch, header[2:].split()) if m}
    validity, uidnext = fields.get(b"V", b""), fields.get(b"N", b"")
    if not (validity.isdigit() and uidnext.isdigit() and len(validity) + len(uidnext) <= 20):
        return None
    return int(validity), int(uidnext), _guid(fields.get(b"G", b""))


def _guid(text: bytes) -> bytes | None:
    try:
        guid = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None
    return guid if len(guid) == 16 else None


def _parse_lines(rest: bytes, pattern: re.Pattern[bytes]) -> tuple[dict[bytes, int], int]:
    """Names with their UIDs, last line first in right, and the highest UID seen at all."""
    names: dict[int, bytes] = {}
    highest = 0
    for line, whole in _lines(rest):
        if start := _UID_AT_START.match(line):
            highest = max(highest, min(int(start[1]), MAX_UID))
        match = pattern.fullmatch(line) if whole else None
        if match is None:
            continue
        uid, name = int(match[1]), split_name(match[match.lastindex or 0])[0]
        if 0 < uid <= MAX_UID and _possible(name):
            names.pop(uid, None)  # so that the order of the dict is the order of the lines
            names[uid] = name
    return {name: uid for uid, name in names.items()}, highest


def _lines(raw: bytes) -> Iterator[tuple[bytes, bool]]:
    """Each line, and whether it ended with a newline: a torn one may have lost half its name."""
    start = 0
    while (end := raw.find(b"\n", start)) >= 0:
        yield raw[start:end], True
        start = end + 1
    if start < len(raw):
        yield raw[start:], False


def _possible(name: bytes) -> bool:
    return bool(name) and len(name) <= 255 and not name.startswith(b".") and b"/" not in name


def read_keyword_letters(folder_path: bytes) -> tuple[str, ...]:
    """``dovecot-keywords``: a number and a keyword a line; letters stop at ``z``."""
    read = _read_bounded(os.path.join(folder_path, b"dovecot-keywords"), MAX_SMALL_BYTES)
    letters = [""] * 26
    for line, _ in _lines(read[1] if read else b""):
        match = _KEYWORD_LINE.fullmatch(line.rstrip(b"\r"))
        if match and int(match[1]) < 26:
            letters[int(match[1])] = _keyword(match[2])
    while letters and not letters[-1]:
        letters.pop()
    return tuple(letters)


def _keyword(raw: bytes) -> str:
    """A keyword as text, ``""`` where it is no IMAP atom and thus could never be shown."""
    text = raw.decode("utf-8", "replace")
    # RFC 9051 9: flag-keyword is an atom; 8-bit text and specials cannot be sent as one.
    ok = text.isascii() and text.isprintable() and not set(text) & set(' (){%*"\\]')
    return text if ok and len(text) <= 255 else ""


def _read_courier_keywords(folder: bytes) -> dict[bytes, tuple[str, ...]]:
    """``:list`` with its later updates, one small file per changed message, applied."""
    listed = _read_bounded(os.path.join(folder, b":list"), MAX_SMALL_BYTES)
    marks = parse_courier_list(listed[1]) if listed else {}
    for base, name in _courier_updates(folder).items():
        read = _read_bounded(os.path.join(folder, name), MAX_SMALL_BYTES)
        if read is not None:
            marks[base] = _distinct(line for line, _ in _lines(read[1]))
    return {base: words for base, words in marks.items() if words}


def parse_courier_list(raw: bytes) -> dict[bytes, tuple[str, ...]]:
    """Keywords by line, a blank line, then ``name:index index`` for each message that has any."""
    head, _, rest = raw.partition(b"\n\n")
    words = head.split(b"\n")[:MAX_KEYWORDS]
    marks: dict[bytes, tuple[str, ...]] = {}
    for line, whole in _lines(rest):
        match = _COURIER_MARKS.fullmatch(line) if whole else None
        if match and _possible(match[1]):
            numbers = (int(n) for n in match[2].split() if len(n) < 6)
            marks[match[1]] = _distinct(words[n] for n in numbers if n < len(words))
    return marks


def _distinct(raw_words: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(_keyword, raw_words))))


def _courier_updates(folder: bytes) -> dict[bytes, bytes]:
    """The file that counts for each message: plain name before ``.N.name``, high N before low."""
    chosen: dict[bytes, tuple[float, bytes]] = {}
    with files.storage_errors(folder):
        try:
            names = os.listdir(folder)
        except (FileNotFoundError, NotADirectoryError):
            return {}
    for name in names:
        match = _COURIER_UPDATE.fullmatch(name)
        base, rank = (match[2], float(match[1])) if match else (name, float("inf"))
        if name != b":list" and _possible(base) and rank >= chosen.get(base, (-1.0, b""))[0]:
            chosen[base] = (rank, name)
    return {base: name for base, (_, name) in chosen.items()}


def read_foreign_subscriptions(account_path: bytes) -> list[str] | None:
    """Subscribed folder names (levels parted by ``/``) of Dovecot, else of Courier, else ``None``.

    Names that could not be a folder here are left out; there is no order to keep.
    """
    for name, parse in (
        (b"subscriptions", parse_dovecot_subscriptions),
        (b"courierimapsubscribed", parse_courier_subscriptions),
    ):
        read = _read_bounded(os.path.join(account_path, name), MAX_SMALL_BYTES)
        if read is not None:
            return parse(read[1])
    return None


def parse_dovecot_subscriptions(raw: bytes) -> list[str]:
    """Version 2 (levels parted by tabs) or 1 (by dots); names in modified UTF-7."""
    if raw.startswith(_SUBSCRIPTIONS_V2):
        lines = raw[len(_SUBSCRIPTIONS_V2) :].split(b"\n")
        names = [[_unescape(level) for level in line.split(b"\t")] for line in lines if line]
    else:
        names = [line.split(b".") for line in raw.split(b"\n") if line]
    return _folder_names(names)


def parse_courier_subscriptions(raw: bytes) -> list[str]:
    """One ``INBOX.Sent.2024`` a line."""
    names = [line.rstrip(b"\r").split(b".") for line in raw.split(b"\n") if line]
    return _folder_names(
        levels[1:] if len(levels) > 1 and levels[0].upper() == b"INBOX" else levels
        for levels in names
    )


def _unescape(level: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), level)


def _folder_names(names: Iterable[list[bytes]]) -> list[str]:
    found: dict[str, None] = {}
    for levels in names:
        texts = [decode_utf7(level.decode("ascii", "replace")) for level in levels]
        if any("/" in text for text in texts):
            continue
        name = canonical("/".join(texts))
        try:
            folder_to_disk(name)
        except BadFolderName:
            continue
        found[name] = None
    return list(found)
