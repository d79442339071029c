"""Message identifiers, by which threads hang together.

Promises: never raises; the same identifier, quoted or not, gives the same bytes; at most
``MAX_IDS`` of a field, the last ones.
RFC: 5322 3.6.4, 5256 3 (REFERENCES).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_IDS = 500

_ID = re.compile(rb"<([^<>\x00-\x20]+)>")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"(@.*)')
_PAIR = re.compile(rb"\\(.)")


def message_ids(values: Iterable[bytes]) -> list[bytes]:
    """The identifiers in unfolded field values, in order, without their brackets."""
    found = [_plain(text) for value in values for text in _ID.findall(value)]
    return found[-MAX_IDS:]


def _plain(text: bytes) -> bytes:
    # RFC 5256 3: <"a"@b> and <a@b> are the same.
    quoted = _QUOTED.fullmatch(text)
    return _PAIR.sub(rb"\1", quoted[1]) + quoted[2] if quoted else text
