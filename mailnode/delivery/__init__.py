"""Hand it over: to local mailboxes now, to other hosts in a later release."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from mailnode.directory import Mailbox
from mailnode.model.envelope import Envelope
from mailnode.model.status import Outcome


class Courier(Protocol):
    """Brings one message to several mailboxes."""

    async def deliver(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        copies: Sequence[tuple[str, Mailbox]],
    ) -> list[Outcome]:
        """One outcome per copy (recipient address as given, mailbox), in order.

        ``DONE`` only once the copy is durable; anything unknown is ``LATER``. Never raises.
        """

    async def check_room(self, mailbox: Mailbox, size_bytes: int) -> Outcome | None:
        """Why a message of this size (0: not known) does not fit into the mailbox now, or
        ``None``. A guess for RCPT; ``deliver`` has the last word. Never raises."""
