"""ENVELOPE of a message, ready to send.

Promises: never raises; linear in the header's size; text fields are sent as they stand in the
header (unfolded, encoded words kept), at most ``MAX_TEXT`` bytes of each.
RFC: 3501 7.4.2, 9051 7.5.2 (ENVELOPE).
"""

from __future__ import annotations

from functools import lru_cache

from mailnode.wire.mime.address import MAX_ADDRESSES, ImapAddress, parse_addresses
from mailnode.wire.mime.header import collect
from mailnode.wire.mime.strings import format_nstring

MAX_TEXT = 64 * 1024

_ADDRESS_FIELDS = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))
_WANTED = _ADDRESS_FIELDS | {b"date", b"subject", b"in-reply-to", b"message-id"}
_USUAL_BYTES = 200
_NONE = b"NIL"


def format_envelope(headers: bytes) -> bytes:
    """The parenthesised ENVELOPE of a raw header block."""
    found = collect(headers, _WANTED)
    lists = {name: _list_of(found[name]) for name in _ADDRESS_FIELDS & found.keys()}
    origin = lists.get(b"from", _NONE)
    # RFC 9051 7.5.2: where Sender or Reply-To is absent or empty, the server says From instead.
    sender, reply_to = lists.get(b"sender", _NONE), lists.get(b"reply-to", _NONE)
    parts = (
        _text(found, b"date"),
        _text(found, b"subject"),
        origin,
        origin if sender is _NONE else sender,
        origin if reply_to is _NONE else reply_to,
        lists.get(b"to", _NONE),
        lists.get(b"cc", _NONE),
        lists.get(b"bcc", _NONE),
        _text(found, b"in-reply-to"),
        _text(found, b"message-id"),
    )
    return b"(" + b" ".join(parts) + b")"


def _text(found: dict[bytes, list[bytes]], name: bytes) -> bytes:
    # RFC 9051 7.5.2: an absent field is NIL, an empty one an empty string.
    values = found.get(name)
    return format_nstring(values[0][:MAX_TEXT] if values else None)


def _list_of(values: list[bytes]) -> bytes:
    if len(values) == 1 and len(values[0]) <= _USUAL_BYTES:
        return _usual_list(values[0])
    return _format_list(_addresses(values))


@lru_cache(maxsize=2048)
def _usual_list(value: bytes) -> bytes:
    """Most mail is to the same few, and much of it from them."""
    return _format_list(parse_addresses(value))


def _addresses(values: list[bytes]) -> list[ImapAddress]:
    """RFC 5322 3.6 allows each field once; people repeat them, and all addresses count."""
    addresses: list[ImapAddress] = []
    for value in values:
        if len(addresses) >= MAX_ADDRESSES:
            break
        addresses += parse_addresses(value)
    return addresses


def _format_list(addresses: list[ImapAddress]) -> bytes:
    if not addresses:
        return _NONE
    return b"(" + b"".join(_format_address(address) for address in addresses) + b")"


def _format_address(address: ImapAddress) -> bytes:
    return b"(%b %b %b %b)" % tuple(map(format_nstring, address))
