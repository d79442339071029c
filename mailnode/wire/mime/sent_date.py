"""The time in a Date field, as SORT and THREAD compare it.

Promises: never raises; seconds since 1970 UTC, or ``None`` where no date can be read.
RFC: 5322 3.3, 4.3 (obsolete zones and years); 5256 2.2 (sent date).
"""

from __future__ import annotations

import re
from datetime import date

_EPOCH = date(1970, 1, 1)
MONTHS = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAY = re.compile(rb"(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]*[ \t-]+(\d{2,4})(?!\d)")
_CLOCK = re.compile(
    rb"[ \t]+(\d{1,2})[ \t]*:[ \t]*(\d{2})(?:[ \t]*:[ \t]*(\d{2}))?(?:[ \t]*(?:([+-])(\d{2})(\d{2})"
    rb"|([A-Za-z]{1,5})))?"
)
# RFC 5322 4.3 "obs-zone", in hours; any other name says nothing and reads as UTC.
_ZONES = {b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5, b"MST": -7, b"MDT": -6, b"PST": -8}
_ZONES[b"PDT"] = -7


def sent_day(value: bytes) -> date | None:
    """The day in an unfolded Date field as written there, time and zone aside."""
    found = _DAY.search(value[:1000])
    return _day(found) if found else None


def sent_seconds(value: bytes) -> int | None:
    """The time of an unfolded Date field."""
    found = _DAY.search(value[:1000])
    day = _day(found) if found else None
    if found is None or day is None:
        return None
    clock = _CLOCK.match(value, found.end())
    return (day - _EPOCH).days * 86400 + (_of_day(clock) if clock else 0)


def _day(found: re.Match[bytes]) -> date | None:
    month = found[2].lower()
    if month not in MONTHS:
        return None
    year = int(found[3])
    # RFC 5322 4.3 "obs-year": two digits below 50 are this century, other short years the last.
    if len(found[3]) < 4:
        year += 2000 if len(found[3]) == 2 and year < 50 else 1900
    try:
        return date(year, MONTHS.index(month) + 1, int(found[1]))
    except ValueError:
        return None


def _of_day(clock: re.Match[bytes]) -> int:
    hour, minute, second = (int(clock[n] or 0) for n in (1, 2, 3))
    # RFC 5256 2.2: an invalid time reads as 00:00:00; a leap second is valid.
    if hour > 23 or minute > 59 or second > 60:
        return 0
    seconds = hour * 3600 + minute * 60 + second
    if clock[4]:
        east = int(clock[5]) * 3600 + int(clock[6]) * 60
        return seconds - east if clock[4] == b"+" else seconds + east
    return seconds - _ZONES.get((clock[7] or b"").upper(), 0) * 3600
