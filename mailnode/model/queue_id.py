"""Queue ids: the name a message goes by from its arrival to its end.

Promises: sorts by time of arrival; two ids of the same microsecond differ in 40 random bits,
wherever they were made.
"""

from __future__ import annotations

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_ID = re.compile(r"[0-9A-V]{19}")


def format_queue_id(now: float, randomness: int) -> str:
    """An id for ``now`` (seconds since 1970) and 40 random bits."""
    number = (int(now * 1_000_000) << 40) | (randomness & 0xFF_FFFF_FFFF)
    digits = []
    for _ in range(19):
        digits.append(_DIGITS[number & 31])
        number >>= 5
    return "".join(reversed(digits))


def is_queue_id(text: str) -> bool:
    """True for a well-formed id; guards every use of one as a file name."""
    return _ID.fullmatch(text) is not None
