"""Unique ids of messages, in the formats that servers before us gave.

A format is text with ``%u`` (UID) and ``%v`` (UIDVALIDITY), each with an optional width and ``X``
or ``x`` for hexadecimal: ``%08Xu%08Xv`` is Dovecot's default, ``%v.%u`` Cyrus's, ``UID%u-%v``
Courier's. ``%%`` is a percent sign.

RFC: 1939 7 (UIDL: 1 to 70 octets, 0x21 to 0x7E).
"""

from __future__ import annotations

import re

DEFAULT_FORMAT = "%08Xu%08Xv"
_ITEM = re.compile(r"%(?:%|(0?[0-9]{0,2})([Xx]?)([uv]))")


class UidlFormat:
    """A compiled format. Raises ``ValueError`` for one that could not name every message."""

    def __init__(self, text: str) -> None:
        self._template = self._compiled(text)
        longest = self.format(0xFFFFFFFF, 0xFFFFFFFF)
        if not 1 <= len(longest) <= 70 or not re.fullmatch(r"[\x21-\x7e]+", longest):
            raise ValueError("a UIDL has 1 to 70 printable characters and no space")
        if self.format(1, 1) == self.format(2, 1):
            raise ValueError("the format must contain %u, the message's UID")

    @staticmethod
    def _compiled(text: str) -> str:
        if "%" in _ITEM.sub("", text):
            raise ValueError("only %u, %v (with width and X) and %% are known")
        fixed = text.replace("{", "{{").replace("}", "}}")

        def item(found: re.Match[str]) -> str:
            if not found[3]:
                return "%"
            # A width always fills with zeros: a space is not allowed in a UIDL.
            width = f"0{found[1].lstrip('0')}" if found[1].lstrip("0") else ""
            return f"{{{found[3]}:{width}{found[2] or 'd'}}}"

        return _ITEM.sub(item, fixed)

    def format(self, uid: int, uidvalidity: int) -> str:
        """The message's unique id."""
        return self._template.format(u=uid, v=uidvalidity)
