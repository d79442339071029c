"""IMAP URLs that name a message or a part of one.

Promises: never raises; what is no such URL is ``None``; linear time.
RFC: 5092 (IMAP URL), 4469 3 (relative ones in CATENATE), 5550 3.5 (PARTIAL).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote_to_bytes

_URL = re.compile(
    r"(?:imap://(?P<server>[^/]*))?"
    r"(?:/?(?P<mailbox>[^;?]*?)(?:;UIDVALIDITY=(?P<validity>[1-9]\d{0,9}))?/?)"
    r";UID=(?P<uid>[1-9]\d{0,9})"
    r"(?:/?;SECTION=(?P<section>[^;/?]+))?"
    r"(?:/?;PARTIAL=(?P<offset>\d{1,19})(?:\.(?P<count>[1-9]\d{0,18}))?)?"
    r"(?P<rest>(?:;EXPIRE=|;URLAUTH=).*)?\Z",
    re.IGNORECASE | re.ASCII,
)
_ESCAPE = re.compile("[^!-Z^-~]")  # RFC 4469 5 "url-resp-text": nothing that could end a code
URL_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class MessageUrl:
    """``mailbox`` is empty where the URL leaves it to the selected one; ``server`` is ``None`` in
    a relative URL, else ``[user[;AUTH=..]@]host[:port]`` as written; ``section`` as FETCH has it
    between the brackets; ``partial`` is (offset, count or ``None`` for all that follows);
    ``rest`` is what begins at ``;EXPIRE=`` or ``;URLAUTH=``."""

    server: str | None
    mailbox: str
    uidvalidity: int | None
    uid: int
    section: bytes = b""
    partial: tuple[int, int | None] | None = None
    rest: str = ""

    def within(self, mailbox: str) -> MessageUrl:
        """The same with its mailbox filled in (RFC 4469 3: the selected one is the base)."""
        return replace(self, mailbox=mailbox)


def parse_url(text: str) -> MessageUrl | None:
    """The message that a URL names."""
    found = _URL.match(text) if len(text) <= URL_LIMIT else None
    if found is None:
        return None
    mailbox = _decoded(found["mailbox"])
    if mailbox is None:
        return None
    count = int(found["count"]) if found["count"] else None
    return MessageUrl(
        found["server"],
        "INBOX" if mailbox.upper() == "INBOX" else mailbox,
        int(found["validity"]) if found["validity"] else None,
        int(found["uid"]),
        unquote_to_bytes(found["section"] or ""),
        (int(found["offset"]), count) if found["offset"] else None,
        found["rest"] or "",
    )


def _decoded(text: str) -> str | None:
    # RFC 5092 8: UTF-8 behind the percent signs, whatever the mailbox is called on the wire.
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return None


def shown_url(text: str) -> str:
    """A client's URL so that a response code may hold it."""
    return _ESCAPE.sub(lambda found: quote(found[0], safe=""), text[:URL_LIMIT])
