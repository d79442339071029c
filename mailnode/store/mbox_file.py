"""mbox files read one message at a time: postmarks, quoting, and the flags kept in headers.

Promises: memory for one message, however long the file; every byte between two postmarks belongs
to a message. A line ``From …`` is a postmark only after a blank line (or at the start) and with a
time of day in it, so that prose does not cut a message in two. (The standard library's ``mailbox``
cuts at every ``From `` and does not unquote; tests use it as referee.)
Formats: mboxrd and mboxo (``>From ``), mboxcl read like them; https://www.qmail.org/man/man5/mbox.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from email.utils import parsedate_tz
from enum import Enum
from typing import BinaryIO, NamedTuple

from mailnode.model.flags import NO_FLAGS, Flag

# A message beyond this is cut off from the import with an error rather than held in memory.
MAX_MESSAGE_BYTES = 512 * 1024 * 1024
# readline() of a file that has none: a bound on one line.
_MAX_LINE_BYTES = 64 * 1024 * 1024

_POSTMARK = re.compile(rb"From (?:.*\s)?\S+.*\d{1,2}:\d\d")
_QUOTED = {
    "mboxrd": re.compile(rb"^>(>*From )", re.MULTILINE),
    "mboxo": re.compile(rb"^>(From )", re.MULTILINE),
}
_AFTER_ADDRESS = re.compile(
    r"((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s.*)|(\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}\s.*)"
)
# Headers that only mbox readers write, about the message's place in the mbox.
_OURS = re.compile(
    rb"^(Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length):"
    rb"[ \t]*(.*(?:\r?\n[ \t].*)*)\r?\n",
    re.MULTILINE | re.IGNORECASE,
)
_DATE = re.compile(rb"^(?:Date|Delivery-Date):[ \t]*(.*)", re.MULTILINE | re.IGNORECASE)
_LETTERS = {
    b"status": {"R": Flag.SEEN},
    b"x-status": {
        "A": Flag.ANSWERED,
        "F": Flag.FLAGGED,
        "D": Flag.DELETED,
        "T": Flag.DRAFT,
    },
}
_HEADER_END = re.compile(rb"\r?\n\r?\n")


class Quoting(Enum):
    """How the writer told body lines from postmarks."""

    MBOXRD = "mboxrd"
    MBOXO = "mboxo"
    NONE = "none"


class MboxMessage(NamedTuple):
    """One message: its bytes without postmark and mbox headers, what those said, where it ended.

    ``date`` is seconds since 1970, ``None`` where neither postmark nor header tells it.
    """

    raw: bytes
    date: float | None
    flags: Flag
    keywords: tuple[str, ...]
    end: int


def read_mbox(opened: BinaryIO, quoting: Quoting = Quoting.MBOXRD) -> Iterator[MboxMessage]:
    """The messages of an mbox open for reading in binary mode. Raises ``ValueError`` when it does
    not start with a postmark or a message is beyond ``MAX_MESSAGE_BYTES``."""
    postmark = opened.readline(_MAX_LINE_BYTES)
    while postmark in (b"\n", b"\r\n"):
        postmark = opened.readline(_MAX_LINE_BYTES)
    if not postmark:
        return
    if not postmark.startswith(b"From "):
        raise ValueError("no mbox: it does not start with a From line")
    while postmark:
        lines, following = _lines_to_postmark(opened)
        end = opened.tell() - len(following)
        message = _message(postmark, b"".join(lines), quoting, end)
        if not _is_folder_data(message):
            yield message
        postmark = following


def _lines_to_postmark(opened: BinaryIO) -> tuple[list[bytes], bytes]:
    """Lines up to the next postmark (or the end), without the blank line before it."""
    lines: list[bytes] = []
    size, blank = 0, True
    while line := opened.readline(_MAX_LINE_BYTES):
        if blank and line.startswith(b"From ") and _POSTMARK.match(line):
            break
        blank = line in (b"\n", b"\r\n")
        lines.append(line)
        size += len(line)
        if size > MAX_MESSAGE_BYTES:
            raise ValueError(f"message before byte {opened.tell()} is too large")
    if lines and lines[-1] in (b"\n", b"\r\n") and len(lines) > 1:
        lines.pop()
    return lines, line


def _message(postmark: bytes, raw: bytes, quoting: Quoting, end: int) -> MboxMessage:
    if quoting is not Quoting.NONE:
        raw = _QUOTED[quoting.value].sub(rb"\1", raw)
    found = _HEADER_END.search(raw)
    cut = found.end() if found else len(raw)
    head, body = raw[:cut], raw[cut:]
    flags, keywords = _marks(head)
    date = postmark_date(postmark)
    if date is None and (dated := _DATE.search(head)):
        date = _seconds(dated[1].decode("ascii", "replace"))
    return MboxMessage(_OURS.sub(b"", head) + body, date, flags, keywords, end)


def _marks(head: bytes) -> tuple[Flag, tuple[str, ...]]:
    flags, keywords = NO_FLAGS, list[str]()
    for found in _OURS.finditer(head):
        name, value = found[1].lower(), found[2].decode("ascii", "replace")
        for letter, flag in _LETTERS.get(name, {}).items():
            flags |= flag if letter in value else NO_FLAGS
        if name == b"x-keywords":
            keywords += value.split()
    return flags, tuple(dict.fromkeys(keywords))


def _is_folder_data(message: MboxMessage) -> bool:
    """The pseudo-message that some servers keep first, with their own counters."""
    return b"FOLDER INTERNAL DATA" in message.raw[:2000].partition(b"\n\n")[0]


def postmark_date(postmark: bytes) -> float | None:
    """The date of ``From sender Thu Jan  1 00:00:00 1970``; UTC where no zone is told."""
    found = _AFTER_ADDRESS.search(postmark.decode("ascii", "replace"))
    return _seconds(found[0]) if found else None


def _seconds(text: str) -> float | None:
    parsed = parsedate_tz(text.strip()[:200])
    if parsed is None:
        return None
    try:
        return float(calendar.timegm(parsed[:6]) - (parsed[9] or 0))
    except (ValueError, OverflowError):
        return None
