"""Sizes as people write and read them: ``500M``, ``1.5 GiB``. Units are powers of 1024."""

from __future__ import annotations

import re
from decimal import Decimal

import typer

_UNITS = "KMGT"
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:([KMGT])i?)?B?", re.IGNORECASE)
# What the database's column holds.
_LARGEST = 2**63 - 1


def parse_size(text: str) -> int:
    """Bytes. Raises ``typer.BadParameter``, which tells how to write it."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no size; write 500M, 1.5G or bytes (0: no limit)")
    number, unit = Decimal(found[1]), (found[2] or "").upper()
    size = int(number * 1024 ** (_UNITS.index(unit) + 1 if unit else 0))
    if size > _LARGEST:
        raise typer.BadParameter(f"{text!r} is too much")
    return size


def show_size(size: int | None) -> str:
    """Bytes for people; None: no limit."""
    if size is None:
        return "no limit"
    number, unit = float(size), "B"
    for larger in _UNITS:
        if number < 1024:
            break
        number, unit = number / 1024, f"{larger}iB"
    return f"{number:.1f} {unit}" if unit != "B" else f"{size} B"
