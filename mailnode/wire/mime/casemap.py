"""Text in the form in which SEARCH and SORT compare it: ``i;unicode-casemap``.

Promises: two texts are equal under the collation when their forms are; the order of the forms is
that of the collation; a text contains another when its form contains the other's.
RFC: 5051, 5255 4 (I18NLEVEL=1).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache


def casemap(text: str) -> str:
    """Simple titlecase of every character, then compatibility decomposition (RFC 5051 2)."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join(map(_titled, text)))


@lru_cache(maxsize=4096)
def _titled(char: str) -> str:
    # RFC 5051 2.1: the simple mapping; what Python makes of several characters is none.
    titled = char.title()
    return titled if len(titled) == 1 else char
