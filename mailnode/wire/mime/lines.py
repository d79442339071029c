"""What a header field says, as a line of bytes for each message, so that many are searched at once.

A line has each value of the field behind a mark, decoded and in the form in which it is compared;
it is empty where the field is absent. Lines of many messages are joined by line ends.
Promises: ``lines_with`` names the messages of which one value contains the needle, no other; those
in doubt (odd characters, very long values) are told apart. Never raises.
RFC: 3501 6.4.4, 9051 6.4.4 (field names of SEARCH), 5051.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.sortkeys import MAX_TEXT, SortKeys
from mailnode.wire.mime.words import decode_words

# Fields that lines are made of: what mail programs let people search, and threads are built from.
FIELDS = (
    *("subject", "from", "to", "cc", "bcc", "sender", "reply-to"),
    *("message-id", "in-reply-to", "references", "list-id"),
)
MAX_LINE = 1000  # octets; hardly a field has more, save References of long threads
_VALUE = "\0"  # before each value
_DOUBT = b"\1"  # stands for a line that has to be looked for in the message's header
_MARKS = re.compile("[\0\1\n]")


def field_line(values: Sequence[bytes]) -> bytes:
    """The line of a field's unfolded values."""
    texts = [casemap(decode_words(value)) for value in values]
    line = "".join(_VALUE + text for text in texts).encode("utf-8", "surrogatepass")
    # Marks can only come out of an encoded word.
    return _DOUBT if len(line) > MAX_LINE or any(map(_MARKS.search, texts)) else line


def key_line(keys: bytes, place: int) -> bytes:
    """The line of one of the keys that ``sortkeys.make_keys`` made, by its place."""
    fields = keys.split(b"\n")
    line = fields[place] if len(fields) == len(SortKeys._fields) else b""
    # A character may have become eighteen by being case-mapped.
    return line if len(line) <= MAX_TEXT else line.decode("utf-8", "replace")[:MAX_TEXT].encode()


def needle_for(text: str) -> bytes | None:
    """What ``lines_with`` finds ``text`` (case-mapped) by; ``None`` where lines do not tell."""
    # RFC 9051 6.4.4: an empty string asks for the field's presence.
    if not text:
        return _VALUE.encode()
    return None if _MARKS.search(text) else text.encode("utf-8", "surrogatepass")


def lines_with(lines: bytes, needle: bytes) -> list[int]:
    """The places, ascending, of the lines with a needle of ``needle_for``."""
    found: list[int] = []
    place = before = 0
    at = lines.find(needle)
    while at >= 0:
        place += lines.count(b"\n", before, at)
        found.append(place)
        before = lines.find(b"\n", at)
        at = lines.find(needle, before) if before >= 0 else -1
    return found


def lines_in_doubt(lines: bytes) -> list[int]:
    """The places of the lines that do not tell."""
    return lines_with(lines, _DOUBT)
