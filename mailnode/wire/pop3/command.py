"""A command line as a value.

RFC: 1939 3, 5, 6; 2449 4; 6856 2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(rb"([A-Za-z0-9]{1,16})(?: (.*))?\Z", re.S)
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")


@dataclass(frozen=True, slots=True)
class Command:
    """``name`` in upper case; ``rest`` is all that follows the first space, ``None`` without one.

    The rest may be a password and stays out of ``repr``.
    """

    name: str
    rest: str | None = None

    def __repr__(self) -> str:
        return f"Command({self.name!r})"

    def words(self) -> list[str]:
        """The arguments. Leniency: spaces at the end do not count (old clients leave some)."""
        return self.rest.split() if self.rest else []


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no command; ``text`` may be shown to the client."""

    text: str


def parse_command(line: bytes) -> Command | Malformed:
    """One command line without CRLF. UTF-8 is allowed everywhere (RFC 6856 2.2: user names)."""
    found = _LINE.match(line)
    if not found:
        return Malformed("no command")
    name = found[1].decode().upper()
    if found[2] is None:
        return Command(name)
    if _CONTROL.search(found[2]):
        return Malformed("control character in command")
    try:
        return Command(name, found[2].decode())
    except UnicodeDecodeError:
        return Malformed("command is not UTF-8")


def parse_number(word: str) -> int | None:
    """A message number or line count, else ``None``."""
    return int(word) if _NUMBER.match(word) else None
