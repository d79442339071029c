"""The file that says what a spooled message is and what is still owed.

Promises: append-only; each record carries its length and CRC-32, so that a torn tail is seen and
the last whole state holds. Recipients are named by address. Every value is checked on the way in;
a record that cannot be understood makes the entry damaged, never half-read.
Format, version 1: the line ``mailnode-queue 1``, then records: kind (1 byte: ``E`` envelope,
``S`` state), length (4 bytes, big-endian), CRC-32 of kind and payload (4 bytes), payload (JSON).
The first record is ``E``, the second ``S``; each later ``S`` replaces the one before. A later
version may add kinds in lower case, which this one skips.
Fails: ``Damaged``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mailnode.model.address import Address
from mailnode.model.envelope import Client, Envelope, Recipient
from mailnode.queue import Debt

MAGIC = b"mailnode-queue 1\n"
_HEAD = struct.Struct(">cII")
# Far above any entry: 50 000 recipients at 400 bytes.
_PAYLOAD_MAX = 64 * 1024 * 1024


class Damaged(Exception):
    """The entry cannot be understood; the text says why (for the log only)."""


@dataclass(frozen=True, slots=True)
class State:
    """What changes: debts, time of the next attempt, why it is held (empty: it is not)."""

    debts: tuple[Debt, ...]
    next_try_at: float
    held: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A whole entry. ``size`` and ``crc`` belong to the message file; ``good_bytes`` is where the
    last whole record ends."""

    envelope: Envelope
    size: int
    crc: int
    state: State
    good_bytes: int


def format_entry(envelope: Envelope, size: int, crc: int, state: State) -> bytes:
    """The bytes of a new entry file."""
    facts = {"envelope": _envelope_out(envelope), "size": size, "crc": crc}
    return MAGIC + _record(b"E", facts) + format_state(state)


def format_state(state: State) -> bytes:
    """A state record to append."""
    debts = [_debt_out(debt) for debt in state.debts]
    return _record(b"S", {"debts": debts, "next_try_at": state.next_try_at, "held": state.held})


def parse_entry(data: bytes) -> Entry:
    """The entry in ``data``. A torn last record is ignored. Raises ``Damaged``."""
    if not data.startswith(MAGIC):
        raise Damaged("unknown version or no entry at all")
    at, facts, state = len(MAGIC), None, None
    while (found := _read_record(data, at)) is not None:
        kind, payload, at = found
        try:
            if kind == b"E" and facts is None:
                facts = _facts_in(json.loads(payload))
            elif kind == b"S":
                state = _state_in(json.loads(payload))
            elif not kind.islower():
                raise Damaged(f"unknown record {kind!r}")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Damaged(f"record {kind!r}: {error}") from error
    if facts is None or state is None:
        raise Damaged("envelope or state missing")
    return Entry(*facts, state, at)


def _record(kind: bytes, value: object) -> bytes:
    payload = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return _HEAD.pack(kind, len(payload), zlib.crc32(kind + payload)) + payload


def _read_record(data: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    if len(data) - at < _HEAD.size:
        return None
    kind, length, crc = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if length > _PAYLOAD_MAX or len(data) - start < length:
        return None
    payload = data[start : start + length]
    return (kind, payload, start + length) if zlib.crc32(kind + payload) == crc else None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise TypeError("number expected")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError("count expected")
    return value


def _address_out(address: Address | None) -> list[str] | None:
    return None if address is None else [address.local, address.domain]


def _address_in(value: Any) -> Address:
    local, domain = value
    return Address(_text(local), _text(domain))


def _envelope_out(envelope: Envelope) -> dict[str, object]:
    client = envelope.client
    return {
        "queue_id": envelope.queue_id,
        "sender": _address_out(envelope.sender),
        "recipients": [
            [_address_out(one.address), sorted(one.notify), one.orcpt]
            for one in envelope.recipients
        ],
        "client": [
            client.host, client.port, client.helo, client.tls, client.user, client.protocol
        ],
        "received_at": envelope.received_at,
        "smtputf8": envelope.smtputf8,
        "body": envelope.body,
        "ret": envelope.ret,
        "envid": envelope.envid,
        "require_tls": envelope.require_tls,
        "extra": envelope.extra,
    }  # fmt: skip


def _facts_in(value: Any) -> tuple[Envelope, int, int]:
    return _envelope_in(value["envelope"]), _count(value["size"]), _count(value["crc"])


def _envelope_in(value: Any) -> Envelope:
    sender = value["sender"]
    recipients = tuple(
        Recipient(_address_in(address), frozenset(map(_text, notify)), _text(orcpt))
        for address, notify, orcpt in value["recipients"]
    )
    host, port, *rest = value["client"]
    return Envelope(
        queue_id=_text(value["queue_id"]),
        sender=None if sender is None else _address_in(sender),
        recipients=recipients,
        client=Client(_text(host), _count(port), *map(_text, rest)),
        received_at=_number(value["received_at"]),
        smtputf8=bool(value["smtputf8"]),
        body=_text(value["body"]),
        ret=_text(value["ret"]),
        envid=_text(value["envid"]),
        require_tls=bool(value["require_tls"]),
        extra={_text(key): _text(one) for key, one in value["extra"].items()},
    )


def _debt_out(debt: Debt) -> dict[str, object]:
    return {
        "recipient": _address_out(debt.recipient),
        "user": debt.user,
        "maildir": debt.maildir,
        "quota_bytes": debt.quota_bytes,
        "attempts": debt.attempts,
        "last_code": debt.last_code,
        "last_reason": debt.last_reason,
        "delay_told": debt.delay_told,
    }


def _state_in(value: Any) -> State:
    debts = tuple(_debt_in(one) for one in value["debts"])
    return State(debts, _number(value["next_try_at"]), _text(value["held"]))


def _debt_in(value: Any) -> Debt:
    maildir = _text(value["maildir"])
    # The same rule as for the directory's column: a path that stays below the mail root.
    if maildir.startswith("/") or ".." in maildir.split("/") or "\0" in maildir:
        raise ValueError("maildir escapes")
    return Debt(
        recipient=_address_in(value["recipient"]),
        user=_text(value["user"]),
        maildir=maildir,
        quota_bytes=_count(value["quota_bytes"]),
        attempts=_count(value["attempts"]),
        last_code=_text(value["last_code"]),
        last_reason=_text(value["last_reason"]),
        delay_told=bool(value["delay_told"]),
    )


def merge_debts(debts: Sequence[Debt]) -> tuple[Debt, ...]:
    """One debt per recipient and mailbox, the last one said."""
    return tuple({(debt.recipient, debt.user): debt for debt in debts}.values())
