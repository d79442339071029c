"""What SORT and THREAD want to know of a message's header, as one short line of bytes each.

Promises: ``read_keys(make_keys(block))`` depends on the header block alone; never raises; texts
are in the form in which they are compared, so that sorting parses nothing.
RFC: 5256 2.2, 3; 5957 3 (DISPLAY).
"""

from __future__ import annotations

from typing import NamedTuple

from mailnode.wire.mime.address import ImapAddress, parse_addresses
from mailnode.wire.mime.casemap import casemap
from mailnode.wire.mime.charset import decode_text
from mailnode.wire.mime.header import collect
from mailnode.wire.mime.message_ids import message_ids
from mailnode.wire.mime.sent_date import sent_seconds
from mailnode.wire.mime.subject import base_subject
from mailnode.wire.mime.words import decode_words

MAX_TEXT = 1000
_WANTED = frozenset(
    (b"date", b"from", b"to", b"cc", b"subject", b"message-id", b"references", b"in-reply-to")
)
_NO_ADDRESS = ImapAddress(None, None, None, None)


class SortKeys(NamedTuple):
    """``date``: the sent date, seconds since 1970, empty without one; ``reply``: ``"1"`` where the
    subject is that of a reply or forward; ``references``: separated by blanks, the parent last."""

    date: str
    sender: str
    to: str
    cc: str
    subject: str
    display_from: str
    display_to: str
    reply: str
    message_id: str
    references: str

    def sent(self, otherwise: float) -> int:
        """The sent date. RFC 5256 2.2: INTERNALDATE (``otherwise``) where there is none."""
        return int(self.date) if self.date else int(otherwise)


_EMPTY = SortKeys(*[""] * 10)


def make_keys(headers: bytes) -> bytes:
    """The keys of a raw header block."""
    found = collect(headers, _WANTED)
    sent = sent_seconds(found[b"date"][0]) if b"date" in found else None
    sender, to, cc = (_first_address(found.get(name, [])) for name in (b"from", b"to", b"cc"))
    subject, reply = base_subject(decode_words(found.get(b"subject", [b""])[0][:4000]))
    own = message_ids(found.get(b"message-id", [])[:1])
    # RFC 5256 3 (REFERENCES) 1: In-Reply-To, and of it one, only where References names none.
    references = message_ids(found.get(b"references", []))
    references = references or message_ids(found.get(b"in-reply-to", []))[:1]
    keys = SortKeys(
        date="" if sent is None else str(sent),
        sender=_mailbox(sender),
        to=_mailbox(to),
        cc=_mailbox(cc),
        subject=_folded(subject),
        display_from=_folded(_display(sender)),
        display_to=_folded(_display(to)),
        reply="1" if reply else "",
        message_id=b"".join(own).decode("latin-1"),
        references=b" ".join(references).decode("latin-1"),
    )
    return "\n".join(keys).encode("utf-8", "replace")


def read_keys(raw: bytes) -> SortKeys:
    """Keys as ``make_keys`` wrote them; all empty where the bytes are none."""
    fields = raw.decode("utf-8", "replace").split("\n")
    return SortKeys(*fields) if len(fields) == len(_EMPTY) else _EMPTY


def _first_address(values: list[bytes]) -> ImapAddress:
    for value in values:
        if found := parse_addresses(value[: 16 * 1024]):
            return found[0]
    return _NO_ADDRESS


def _mailbox(address: ImapAddress) -> str:
    return _folded(decode_text(address.mailbox or b""))


def _display(address: ImapAddress) -> str:
    """RFC 5957 3: the display name; without one the group's name, or the address itself."""
    if address.name:
        return decode_words(address.name)
    mailbox = decode_text(address.mailbox or b"")
    return f"{mailbox}@{decode_text(address.host)}" if address.host else mailbox


def _folded(text: str) -> str:
    # A line end can only come out of an encoded word; here it would part two keys.
    return casemap(" ".join(text[:MAX_TEXT].split("\n")))
