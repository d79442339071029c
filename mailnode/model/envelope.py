"""The envelope: who sends what to whom, apart from the message itself.

RFC: 5321 2.3.1, 3461 (DSN parameters), 8689 (REQUIRETLS).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailnode.model.address import Address


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT as the client gave it, with its DSN wishes (RFC 3461 4.1, 4.2)."""

    address: Address
    notify: frozenset[str] = frozenset()
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """The other end of a connection, as far as we know it."""

    host: str
    port: int
    helo: str = ""
    tls: str = ""
    user: str = ""
    protocol: str = "SMTP"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A complete envelope; ``sender`` is ``None`` for the null reverse-path ``<>``."""

    queue_id: str
    sender: Address | None
    recipients: tuple[Recipient, ...]
    client: Client
    received_at: float
    smtputf8: bool = False
    body: str = "7BIT"
    ret: str = ""
    envid: str = ""
    require_tls: bool = False
    extra: dict[str, str] = field(default_factory=dict)
