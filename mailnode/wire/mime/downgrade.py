"""Header fields for clients that know only ASCII.

Promises: ASCII out; fields that are ASCII stay as they are, octet by octet; linear time, and
what costs much per octet only within an ``Allowance``; never raises.
RFC: 6858 2 (what becomes of which field), 2047, 2231 4, 5890 (domains).
"""

from __future__ import annotations

import re
from email.header import Header
from urllib.parse import quote

import idna

from mailnode.wire.mime.address import ImapAddress, parse_addresses
from mailnode.wire.mime.charset import decode_text
from mailnode.wire.mime.header import Field, iterate_fields, unfold
from mailnode.wire.mime.parameters import Parameters, parse_content_type, parse_disposition
from mailnode.wire.mime.words import decode_words

# Of one field so much is kept.
MAX_VALUE = 64 * 1024
# RFC 6858 2.1: stands for an address that the client could do nothing with.
NO_ADDRESS = b"invalid@internationalized-address.invalid"
_ADDRESSES = frozenset(
    (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"disposition-notification-to")
)
_MIME = frozenset((b"content-type", b"content-disposition"))
# RFC 6858 2.4: fields with a grammar of their own, where an encoded word would only be wrong.
_GRAMMATICAL = frozenset(
    (
        *(b"received", b"date", b"message-id", b"in-reply-to", b"references"),
        *(b"mime-version", b"content-transfer-encoding", b"content-id", b"content-location"),
        *(b"dkim-signature", b"authentication-results", b"received-spf"),
    )
)
_MAX_HOST = 1024
# A tenth of a second's work. A header of 64 KiB in a few fields is made whole, and so is a list of
# a thousand addresses.
ALLOWANCE = 256 * 1024
# An encoded word, address or parameter costs about as much as so many octets.
_PIECE_COST = 64
_SEPARATORS = (b",", b";", b"<", b"=?")
_HIGH = bytes(octet if octet < 128 else 63 for octet in range(256))
_SPECIAL = re.compile(rb'(["\\])')
_ATOMS = re.compile(rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


class Allowance:
    """How much more of one message is downgraded with care."""

    def __init__(self, left: int = ALLOWANCE) -> None:
        self._left = left

    def covers(self, value: bytes) -> bool:
        """Whether there is enough left for this value; if so, it is used up."""
        pieces = 1 + sum(map(value.count, _SEPARATORS))
        cost = len(value) + _PIECE_COST * pieces
        if cost > self._left:
            return False
        self._left -= cost
        return True


def downgrade_header(block: bytes, allowance: Allowance | None = None) -> bytes:
    """A header block without the blank line at its end, in ASCII; beyond ``allowance`` (the one of
    its message) fields lose their meaning, not their form."""
    if block.isascii():
        return block
    allowed = allowance or Allowance()
    return b"".join(
        field.raw if field.raw.isascii() else _downgraded(field, allowed)
        for field in iterate_fields(block)
    )


def blot(octets: bytes) -> bytes:
    """The same with a question mark for what is not ASCII."""
    return octets.translate(_HIGH)


def _downgraded(field: Field, allowance: Allowance) -> bytes:
    """The field, or nothing where it would mean nothing any more."""
    if not field.name.isascii() or not field.name:
        return b""
    bare = field.name.removeprefix(b"resent-")
    if bare in _GRAMMATICAL or field.name.startswith((b"arc-", b"list-")):
        return b""
    name = field.raw[: len(field.name)]
    value = unfold(field.value)[:MAX_VALUE]
    if not allowance.covers(value):
        # Blotted, an address would be another one.
        return name + b": " + NO_ADDRESS + b"\r\n" if bare in _ADDRESSES else blot(field.raw)
    if bare == b"return-path":
        made = _path(value)
    elif bare in _ADDRESSES:
        made = _address_list(value)
    elif field.name in _MIME:
        made = _mime(field.name, value)
    else:
        made = _words(decode_words(value), len(name) + 2)
    return name + b": " + made + b"\r\n" if made else b""


def _words(text: str, first_at: int = 0) -> bytes:
    """RFC 2047: as many encoded words as it takes, on lines that are not too long."""
    words = Header(text, "utf-8", maxlinelen=76).encode(linesep="\r\n")
    if first_at + len(words.partition("\r\n")[0]) > 78:
        words = "\r\n " + words
    return words.encode("ascii", "replace")


def _address_list(value: bytes) -> bytes:
    """RFC 6858 2.1."""
    pieces: list[bytes] = []
    for one in parse_addresses(value):
        if one.host is not None:
            pieces.append(_address(one) + b",")
        elif one.mailbox is not None:
            pieces.append(_phrase(one.mailbox) + b":")
        elif pieces:
            pieces[-1] = pieces[-1].rstrip(b",") + b";,"
    return b"\r\n ".join(pieces).rstrip(b",")


def _path(value: bytes) -> bytes:
    """RFC 6858 2.1, of Return-Path, which has no display name."""
    return b"<" + next(map(_spec, parse_addresses(value)), NO_ADDRESS) + b">"


def _address(one: ImapAddress) -> bytes:
    spec, name = _spec(one), one.name
    if spec == NO_ADDRESS:
        shown = (name or b"", b"<" + (one.mailbox or b"") + b"@" + (one.host or b"") + b">")
        name = b" ".join(filter(None, shown))
    return _phrase(name) + b" <" + spec + b">" if name else spec


def _spec(one: ImapAddress) -> bytes:
    """The address in ASCII; the invalid one where that cannot be."""
    local, host = one.mailbox or b"", _host(one.host or b"")
    if not local.isascii() or not host:
        return NO_ADDRESS
    return (local if _ATOMS.fullmatch(local) else _quoted(local)) + b"@" + host


def _host(host: bytes) -> bytes | None:
    """The domain in ASCII, if that can be."""
    if host.isascii():
        return host
    if len(host) > _MAX_HOST:
        return None
    try:
        return idna.encode(host.decode(), uts46=True)
    except (idna.IDNAError, UnicodeError):
        return None


def _phrase(name: bytes) -> bytes:
    if not name.isascii():
        return _words(decode_words(name))
    # An encoded word means nothing within quotes (RFC 2047 5).
    return name if b"=?" in name else _quoted(name)


def _quoted(text: bytes) -> bytes:
    return b'"' + _SPECIAL.sub(rb"\\\1", text) + b'"'


def _mime(name: bytes, value: bytes) -> bytes:
    """RFC 6858 2.2 would leave the parameter out; RFC 2231 lets the file keep its name."""
    if name == b"content-type":
        kind = parse_content_type(value)
        return b"" if kind is None else _with(kind.main + b"/" + kind.sub, kind.parameters)
    disposition = parse_disposition(value)
    return b"" if disposition is None else _with(disposition.kind, disposition.parameters)


def _with(word: bytes, parameters: Parameters) -> bytes:
    pieces = [word]
    for key, value in parameters:
        if not value.isascii():
            # RFC 2231 4
            octets = quote(decode_text(value), safe="").encode()
            pieces.append(key.removesuffix(b"*") + b"*=utf-8''" + octets)
        elif key.endswith(b"*"):
            pieces.append(key + b"=" + value)
        else:
            pieces.append(key + b"=" + _quoted(value))
    return b";\r\n ".join(pieces) if all(piece.isascii() for piece in pieces) else word
