"""Trace headers: what we write on top of a message, and what we look for in one.

Promises: whatever the client said (HELO name, addresses) goes into a header only after it was
found harmless there; lines are folded below 998 octets.
RFC: 5321 4.4 (Received, Return-Path), 6.3 (loops), 3848 and 6531 4.3 (protocol names),
6409 8 (what submission may add), 5322 3.6, 8314 4.3 (ciphersuites).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

from mailnode.model.address import Address
from mailnode.model.envelope import Envelope
from mailnode.wire.smtp.path import format_address, format_path

_HOST = re.compile(r"[A-Za-z0-9._-]{1,255}|\[(?:IPv6:)?[0-9A-Fa-f.:]{2,45}\]")
_TLS = re.compile(r"[A-Za-z0-9. _:+-]{1,80}")
_CIPHER_13 = re.compile(r"TLS_[A-Z0-9_]{1,60}")
_CIPHER_12 = re.compile(r"ECDHE-(RSA|ECDSA)-(?:AES(128|256)-GCM-(SHA256|SHA384)|CHACHA20-POLY1305)")
_FIELD = re.compile(rb"(?:\A|\n)([!-9;-~]{1,100})[ \t]*:", re.ASCII)
_DELIVERED_TO = re.compile(rb"(?:\A|\n)Delivered-To[ \t]*:[ \t]*([^\r\n]{1,512})", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"(?:[!-9;-~]+[ \t]*:|\r\n|\Z)")


@dataclass(frozen=True, slots=True)
class HeaderFacts:
    """What the head of a message holds. ``names`` in lower case, with repetitions counted.

    ``well_formed`` is False when the first line is no header field, so that a header put on top
    needs an empty line behind it.
    """

    received: int
    delivered_to: frozenset[str]
    names: frozenset[str]
    message_id: str
    well_formed: bool


def scan_header(head: bytes) -> HeaderFacts:
    """Facts of the header block in ``head``, the first part of a message."""
    end = head.find(b"\r\n\r\n")
    block = head if end < 0 else head[: end + 2]
    if head.startswith(b"\r\n"):
        block = b""
    names = [name.lower() for name in _FIELD.findall(block)]
    delivered = frozenset(
        value.decode("utf-8", "replace").strip().lower() for value in _DELIVERED_TO.findall(block)
    )
    return HeaderFacts(
        received=names.count(b"received"),
        delivered_to=delivered,
        names=frozenset(name.decode("ascii") for name in names),
        message_id=_message_id(block),
        well_formed=_FIRST_LINE.match(head) is not None,
    )


_MESSAGE_ID = re.compile(rb"(?:\A|\n)Message-ID[ \t]*:(?:\r\n)?[ \t]*(<[!-~]{1,250}>)", re.I)


def _message_id(block: bytes) -> str:
    found = _MESSAGE_ID.search(block)
    return found[1].decode("ascii") if found else ""


def format_received(envelope: Envelope, hostname: str) -> bytes:
    """The Received field for a message just taken in (RFC 5321 4.4), with its line ends."""
    client = envelope.client
    helo = client.helo if _HOST.fullmatch(client.helo) else "unknown"
    # RFC 5321 4.4: TCP-info is the address literal seen by us, whatever HELO said.
    source = f"{helo} ({_address_literal(client.host)})"
    with_ = protocol_name(client.protocol, bool(client.tls), bool(client.user), envelope.smtputf8)
    lines = [f"Received: from {source}", f"by {hostname} with {with_} id {envelope.queue_id}"]
    # RFC 5321 7.2: naming one of several recipients would tell the others of a blind copy.
    if len(envelope.recipients) == 1:
        lines.append(f"for {format_path(envelope.recipients[0].address)}")
    lines += _tls_clause(client.tls)
    folded = "\r\n\t".join(lines)
    date = formatdate(envelope.received_at, localtime=False).replace("-0000", "+0000")
    return f"{folded};\r\n\t{date}\r\n".encode()


def _tls_clause(tls: str) -> list[str]:
    """RFC 8314 4.3: the ciphersuite by its registered name, behind all other clauses."""
    if not _TLS.fullmatch(tls):
        return []
    version, _, cipher = tls.partition(" ")
    name = registered_cipher(cipher)
    return [f"tls {name} ({version})" if name else f"({tls})"]


def registered_cipher(name: str) -> str:
    """A ciphersuite that OpenSSL calls ``name`` as IANA's registry has it; empty for one that is
    not offered here."""
    if _CIPHER_13.fullmatch(name):
        return name  # those of TLS 1.3 have no other
    found = _CIPHER_12.fullmatch(name)
    if found is None:
        return ""
    bulk = f"AES_{found[2]}_GCM_{found[3]}" if found[2] else "CHACHA20_POLY1305_SHA256"
    return f"TLS_ECDHE_{found[1]}_WITH_{bulk}"


def protocol_name(base: str, tls: bool, login: bool, utf8: bool) -> str:
    """The name behind "with": SMTP, ESMTPSA, LMTPS, UTF8SMTPSA … (RFC 3848, 6531 4.3)."""
    if base == "SMTP":
        return "SMTP"
    if utf8:
        base = "UTF8" + base.removeprefix("E")
    return base + "S" * tls + "A" * login


def _address_literal(host: str) -> str:
    if not host or not re.fullmatch(r"[0-9A-Fa-f.:]+", host):
        return "[127.0.0.1]"
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


def format_return_path(sender: Address | None) -> bytes:
    """The Return-Path field of final delivery (RFC 5321 4.4), with its line end."""
    return f"Return-Path: {format_path(sender)}\r\n".encode()


def format_delivered_to(recipient: str) -> bytes:
    """The Delivered-To field of one copy, with its line end."""
    return f"Delivered-To: {recipient}\r\n".encode()


def missing_fields(facts: HeaderFacts, sender: Address, message_id: str, now: float) -> bytes:
    """What a submission server adds when the client left it out, with line ends.

    RFC 6409 8: Date and Message-ID; RFC 5322 3.6 demands From, which the sender's address gives.
    """
    added = []
    if "from" not in facts.names:
        added.append(f"From: {format_address(sender)}\r\n")
    if "date" not in facts.names:
        added.append(f"Date: {formatdate(now, localtime=False).replace('-0000', '+0000')}\r\n")
    if "message-id" not in facts.names:
        added.append(f"Message-ID: <{message_id}>\r\n")
    return "".join(added).encode()
