"""Header fields of a raw header block.

Promises: bytes in, bytes out; joining every ``raw`` gives the block back; linear time; never
raises.
RFC: 5322 2.2, 2.2.3 (folding), 4.5 (white space before the colon).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

# Fields looked at to understand a message. Real mail stays below a few hundred; the bound keeps
# a header of ten million one-byte lines cheap.
MAX_FIELDS = 100_000

# A blank line is one by itself, whatever follows it.
_FIELD = re.compile(rb"\r?\n|[^\n]*+\n?(?:[ \t][^\n]*+\n?)*")
_NAME = re.compile(rb"[!-9;-~]+")


class Field(NamedTuple):
    """One field: ``name`` in lower case (empty for a line that is no field), ``value`` still
    folded, ``raw`` with its line ends."""

    name: bytes
    value: bytes
    raw: bytes


def iterate_fields(block: bytes) -> Iterator[Field]:
    """The fields of a header block up to its blank line, lines that are none included."""
    for match in _FIELD.finditer(block):
        raw = match[0]
        if raw in (b"", b"\r\n", b"\n"):
            return
        name, colon, value = raw.partition(b":")
        # RFC 5322 4.5: obsolete fields may have white space before the colon.
        name = name.rstrip(b" \t").lower()
        if not colon or not name or name[0] in b" \t" or b"\n" in name:
            yield Field(b"", b"", raw)
        else:
            yield Field(name, value, raw)


def unfold(value: bytes) -> bytes:
    """A field's value in one line, without white space around it. NULs and stray CRs, which no
    IMAP string may hold, are taken out (RFC 5322 2.2.3)."""
    return value.translate(None, b"\r\n\0").strip(b" \t")


def collect(block: bytes, names: Collection[bytes]) -> dict[bytes, list[bytes]]:
    """The unfolded values of the fields in ``names`` (lower case), in the block's order."""
    found: dict[bytes, list[bytes]] = {}
    field = _pattern(frozenset(names)) if block.count(b"\n") < MAX_FIELDS else None
    if field is not None:
        for match in field.finditer(b"\n" + block, 0, _end(block) + 1):
            found.setdefault(match[1].lower(), []).append(unfold(match[2]))
        return found
    for name, value, _ in islice(iterate_fields(block), MAX_FIELDS):
        if name in names:
            found.setdefault(name, []).append(unfold(value))
    return found


def field_finder(name: bytes) -> Callable[[bytes], list[bytes]]:
    """``collect`` of one field (``name`` in lower case), to be used on many header blocks: one
    search instead of a look at each field."""
    field = _pattern(frozenset((name,)))
    if field is None:
        return lambda block: collect(block, (name,)).get(name, [])
    return lambda block: [
        unfold(match[2]) for match in field.finditer(b"\n" + block, 0, _end(block) + 1)
    ]


def _end(block: bytes) -> int:
    """Where the fields end: at the first blank line, or with the block."""
    if block.startswith((b"\n", b"\r\n")):
        return 0
    end = block.find(b"\n\r\n") + 1 or len(block)
    return block.find(b"\n\n", 0, end) + 1 or end


@lru_cache(maxsize=256)
def _pattern(names: frozenset[bytes]) -> re.Pattern[bytes] | None:
    """Finds the fields of these names in a block behind a line end: the names are group 1, the
    values, without the line end behind them, group 2. None where one is no name."""
    if not names or not all(_NAME.fullmatch(name) for name in names):
        return None
    initials = re.escape(b"".join({name[:1] for name in names}))
    choice = b"|".join(map(re.escape, sorted(names)))
    # A line end and an initial are quickly looked for; where they are not, nothing else is tried.
    start = rb"\n(?=[" + initials + rb"])(" + choice + rb")[ \t]*:"
    return re.compile(start + rb"([^\n]*(?:\n[ \t][^\n]*)*)", re.I)


def select_fields(block: bytes, names: Collection[bytes], *, exclude: bool = False) -> bytes:
    """``HEADER.FIELDS`` (or ``.NOT``): the raw fields named (lower case), then a blank line."""
    pattern = None if exclude else _pattern(frozenset(names))
    if pattern is not None:
        found = pattern.finditer(b"\n" + block, 0, _end(block) + 1)
        chosen = [block[match.start() : match.end()] for match in found]
    else:
        chosen = [
            field.raw
            for field in iterate_fields(block)
            if (field.name in names) is not exclude and (field.name or exclude)
        ]
    if chosen and not chosen[-1].endswith(b"\n"):
        chosen[-1] += b"\r\n"
    # RFC 9051 6.4.5: the blank line is part of every header fetched.
    chosen.append(b"\r\n")
    return b"".join(chosen)
