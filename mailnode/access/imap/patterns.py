"""LIST patterns against folder names.

Promises: exact, and in time proportional to the length of a name times that of all patterns
together, of which some thousand characters cost as much as one.
RFC: 3501 6.3.8 (``*`` and ``%``), 5.1 (INBOX in any case).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SEPARATOR = "/"
# No name is so long; what asks for more letters matches nothing.
MAX_LETTERS = 4096
_WILD = re.compile(r"[*%]{2,}")


class Patterns:
    """Some patterns, each with its reference already put before it; ``size``: how long they are
    together."""

    __slots__ = ("_all_stars", "_ends", "_every", "_letters", "_level_stars", "_starts", "size")

    def __init__(self, texts: Iterable[str]) -> None:
        # One after the other in one long text. Where bit n of a state is set, the pattern that
        # character n belongs to has matched up to there.
        self._all_stars = self._level_stars = self._starts = self._ends = self.size = 0
        self._letters: dict[str, int] = {}
        self._every = False
        for text in dict.fromkeys(map(_plain, texts)):
            self._add(text)

    def _add(self, text: str) -> None:
        self._every |= text == "*"
        if len(text) - text.count("*") - text.count("%") > MAX_LETTERS:
            return
        self._starts |= 1 << self.size
        places: dict[str, int] = {}
        for at, char in enumerate(text):
            places[char] = places.get(char, 0) | 1 << at
        for char, found in places.items():
            placed = found << self.size
            if char == "*":
                self._all_stars |= placed
            elif char == "%":
                self._level_stars |= placed
            else:
                self._letters[char] = self._letters.get(char, 0) | placed
        self.size += len(text) + 1
        self._ends |= 1 << self.size - 1

    def matches(self, name: str) -> bool:
        """Does the whole name match any of them?"""
        if self._every:
            return True
        stars = self._all_stars | self._level_stars
        state = self._starts
        # A wildcard matches nothing, too: go on behind it. No two stand together.
        state |= (state & stars) << 1
        for char in name:
            # It stays where it is; "%" does not do so for the separator.
            stay = self._all_stars if char == SEPARATOR else stars
            step = state & stay | (state & self._letters.get(char, 0)) << 1
            state = step | (step & stars) << 1
            if not state:
                return False
        return bool(state & self._ends)


def _plain(text: str) -> str:
    """The same with one wildcard where several stand, and INBOX spelt as such (RFC 3501 5.1: the
    first level is matched in any case)."""
    text = _WILD.sub(lambda found: "*" if "*" in found[0] else "%", text)
    head, slash, rest = text.partition(SEPARATOR)
    return f"INBOX{slash}{rest}" if head.upper() == "INBOX" else text


def combined(reference: str, pattern: str) -> str:
    """RFC 3501 6.3.8: an absolute pattern stands alone, another is put behind the reference."""
    return pattern if pattern.startswith(SEPARATOR) else reference + pattern
