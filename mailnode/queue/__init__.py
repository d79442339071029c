"""What do we still owe? The durable spool, its schedule and its runner.

Promises: ``accept`` returns only once the message and its directory entry are on disk; from
then on the message is owed to each recipient until an outcome is recorded for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mailnode.model.address import Address
from mailnode.model.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Debt:
    """One copy still owed: the recipient as the client named it, and where it goes now.

    ``user``/``maildir``/``quota_bytes`` name a local mailbox (see ``store.AccountRef``).
    """

    recipient: Address
    user: str
    maildir: str
    quota_bytes: int = 0
    attempts: int = 0
    last_code: str = ""
    last_reason: str = ""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A message in the spool: its envelope, what is still owed, and when to try next."""

    envelope: Envelope
    debts: tuple[Debt, ...]
    next_try_at: float


class Spool(Protocol):
    """The durable list of debts. Blocking and thread-safe, like the store.

    Fails: ``StorageFull``, ``StorageGone``.
    """

    def accept(
        self, envelope: Envelope, chunks: Sequence[bytes | memoryview | BinaryIO],
        debts: Sequence[Debt],
    ) -> None:
        """Make the message and its debts durable under ``envelope.queue_id``."""

    def due(self, now: float) -> Iterable[str]:
        """Queue ids whose time has come, oldest first, held ones left out."""

    def load(self, queue_id: str) -> tuple[Spooled, BinaryIO] | None:
        """The entry and its message open for reading; ``None`` when it is gone."""

    def record(self, queue_id: str, owed: Sequence[Debt], next_try_at: float) -> None:
        """Keep only ``owed``; with none left the entry is removed."""

    def hold(self, queue_id: str, reason: str) -> None:
        """Set the entry aside for a person to look at; never tried again by itself."""
