"""What do we still owe? The durable spool, its schedule and its runner.

Promises: ``accept`` returns only once the message and its directory entry are on disk; from
then on the message is owed to each recipient until an outcome is recorded for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mailnode.model.address import Address
from mailnode.model.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Debt:
    """One copy still owed: the recipient as the client named it, and where it goes now.

    ``user``/``maildir``/``quota_bytes`` name a local mailbox (see ``store.AccountRef``).
    ``delay_told``: the sender was told of the delay (RFC 3461 4.1, NOTIFY=DELAY).
    """

    recipient: Address
    user: str
    maildir: str
    quota_bytes: int = 0
    attempts: int = 0
    last_code: str = ""
    last_reason: str = ""
    delay_told: bool = False


@dataclass(frozen=True, slots=True)
class Spooled:
    """A message in the spool: its envelope, what is still owed, and when to try next."""

    envelope: Envelope
    debts: tuple[Debt, ...]
    next_try_at: float


class Spool(Protocol):
    """The durable list of debts. Blocking and thread-safe, like the store.

    Fails: ``StorageFull``, ``StorageGone``.
    Locks: an entry is claimed (flock) from ``load`` until its file is closed; ``record`` and
    ``hold`` are for the one who claimed it.
    """

    def accept(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        debts: Sequence[Debt],
    ) -> None:
        """Make the message and its debts durable under ``envelope.queue_id``."""

    def due(self, now: float) -> Iterable[str]:
        """Queue ids whose time has come, oldest first, held ones left out."""

    def next_due(self) -> float | None:
        """When the next entry is due (seconds since 1970); ``None`` for an empty spool."""

    def load(self, queue_id: str) -> tuple[Spooled, BinaryIO] | None:
        """The entry and its message open for reading; ``None`` when it is gone or claimed by
        another. Closing the file ends the claim."""

    def record(self, queue_id: str, owed: Sequence[Debt], next_try_at: float) -> None:
        """Keep only ``owed``; with none left the entry is removed."""

    def hold(self, queue_id: str, reason: str) -> None:
        """Set the entry aside for a person to look at; never tried again by itself."""

    def watch(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` (from any thread) after each ``accept`` in this process."""

    def sweep(self) -> None:
        """Remove what dead processes, here or on other nodes, left unfinished."""
