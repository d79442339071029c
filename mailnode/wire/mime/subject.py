"""The base subject of a message: what is left of its Subject without "Re:", "Fwd:" and the like.

Promises: exact to the rules; never raises; at most ``MAX_SUBJECT`` characters are looked at.
RFC: 5256 2.1, 5 ("subject").
"""

from __future__ import annotations

import re

# The rules peel off piece by piece; the bound keeps hostile subjects cheap.
MAX_SUBJECT = 1000

_SPACES = re.compile(r"[ \t\r\n]+")
_BLOB = r"\[[^\[\]]*+\] *+"
_TRAILER = re.compile(r"(?: |\(fwd\))\Z", re.IGNORECASE)
# No possessive groups: Python 3.11.2, Debian 12's own, matches them wrongly.
_LEADER = re.compile(rf"(?:{_BLOB})*(?:re|fwd?) *+(?:{_BLOB})?:| ", re.IGNORECASE)
_LEADING_BLOB = re.compile(_BLOB)


def base_subject(subject: str) -> tuple[str, bool]:
    """The base subject of a decoded Subject, and whether a reply or forward mark was taken off."""
    text = _SPACES.sub(" ", subject[:MAX_SUBJECT])  # RFC 5256 2.1 (1)
    marked = False
    while True:
        text, cut = _cut_trailers(text)
        marked |= cut
        text, cut = _cut_leaders(text)
        marked |= cut
        # RFC 5256 2.1 (6)
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):
            return text, marked
        text, marked = text[5:-1], True


def _cut_trailers(text: str) -> tuple[str, bool]:
    """RFC 5256 2.1 (2)."""
    marked = False
    while found := _TRAILER.search(text, max(len(text) - 5, 0)):
        marked |= found[0] != " "
        text = text[: found.start()]
    return text, marked


def _cut_leaders(text: str) -> tuple[str, bool]:
    """RFC 5256 2.1 (3) to (5)."""
    marked = False
    while True:
        if found := _LEADER.match(text):
            marked |= found[0] != " "
        else:
            found = _LEADING_BLOB.match(text)
            # RFC 5256 2.1 (4): a blob stays where nothing else would be left.
            if not found or found.end() == len(text):
                return text, marked
        text = text[found.end() :]
