"""LIST patterns against folder names.

Promises: exact, and in time proportional to pattern times name, whatever the pattern is.
RFC: 3501 6.3.8 (``*`` and ``%``), 5.1 (INBOX in any case).
"""

from __future__ import annotations

SEPARATOR = "/"


class Pattern:
    """One pattern, reference already put before it."""

    __slots__ = ("_all_stars", "_level_stars", "_text")

    def __init__(self, text: str) -> None:
        # Where bit n of a state is set, the pattern up to character n has matched.
        self._text = text
        self._all_stars = sum(1 << at for at, char in enumerate(text) if char == "*")
        self._level_stars = sum(1 << at for at, char in enumerate(text) if char == "%")

    def matches(self, name: str) -> bool:
        """Does the whole name match?"""
        if self._walk(name):
            return True
        # RFC 3501 5.1: the first level INBOX is matched in any case.
        head, slash, rest = name.partition(SEPARATOR)
        if head != "INBOX":
            return False
        shown = self._text.partition(SEPARATOR)[0]
        return shown.upper() == "INBOX" and self._walk(shown + slash + rest)

    def _walk(self, name: str) -> bool:
        state = self._skip_stars(1)
        for char in name:
            # A wildcard stays where it is; "%" does not do so for the separator.
            step = state & self._all_stars
            if char != SEPARATOR:
                step |= state & self._level_stars
            step |= self._literal(state, char) << 1
            state = self._skip_stars(step)
            if not state:
                return False
        return bool(state >> len(self._text) & 1)

    def _literal(self, state: int, char: str) -> int:
        """Of the states, those whose next pattern character is ``char`` itself."""
        if char in "*%":
            return 0
        found, at = 0, self._text.find(char)
        while at >= 0:
            found |= state & 1 << at
            at = self._text.find(char, at + 1)
        return found

    def _skip_stars(self, state: int) -> int:
        """Wildcards match nothing, too: go on behind each."""
        stars = self._all_stars | self._level_stars
        while more := (state & stars) << 1 & ~state:
            state |= more
        return state


def combined(reference: str, pattern: str) -> str:
    """RFC 3501 6.3.8: an absolute pattern stands alone, another is put behind the reference."""
    return pattern if pattern.startswith(SEPARATOR) else reference + pattern
