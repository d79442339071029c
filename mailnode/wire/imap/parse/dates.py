"""Dates of SEARCH and APPEND.

RFC: 3501/9051 9 "date", "date-time".
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from mailnode.wire.imap.format import MONTHS
from mailnode.wire.imap.lexer import Cursor

_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})\Z")
# RFC 9051 9 "date-day-fixed" is two digits or space and digit; a lone digit is taken as well.
_DATE_TIME = re.compile(
    rb" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) "
    rb"([+-])([0-9]{2})([0-9]{2})\Z"
)
_BARE_DATE = re.compile(rb"[0-9]{1,2}-[A-Za-z]{3}-[0-9]{4}")
_MONTH_NUMBERS = {name.upper(): number for number, name in enumerate(MONTHS, 1)}


def parse_date(cursor: Cursor) -> date:
    """``1-Feb-1994``, quoted or not."""
    raw = cursor.quoted() if cursor.at(b'"') else cursor.match(_BARE_DATE, "date")
    found = _DATE.match(raw)
    if not found:
        cursor.fail("invalid date")
    try:
        return date(int(found[3]), _month(found[2]), int(found[1]))
    except ValueError:
        cursor.fail("no such date")


def parse_date_time(cursor: Cursor) -> float:
    """``"17-Jul-1996 02:44:25 -0700"`` as seconds since 1970, UTC."""
    found = _DATE_TIME.match(cursor.quoted())
    if not found:
        cursor.fail("invalid date-time")
    try:
        return _seconds(found)
    except (ValueError, OverflowError):
        cursor.fail("no such date-time")


def _seconds(found: re.Match[bytes]) -> float:
    zone = timedelta(hours=int(found[8]), minutes=int(found[9]))
    # A leap second reads as the second before it.
    second = min(int(found[6]), 59)
    if int(found[6]) > 60 or int(found[9]) > 59:
        raise ValueError("second or zone")
    at = datetime(
        int(found[3]),
        _month(found[2]),
        int(found[1]),
        int(found[4]),
        int(found[5]),
        second,
        tzinfo=timezone(-zone if found[7] == b"-" else zone),
    )
    return at.astimezone(UTC).timestamp()


def _month(raw: bytes) -> int:
    # 0 is no month: ``date`` refuses it.
    return _MONTH_NUMBERS.get(raw.decode().upper(), 0)
