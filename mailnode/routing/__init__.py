"""Whose is it? From a recipient address to mailboxes here, addresses elsewhere, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mailnode.directory import Mailbox
from mailnode.model.address import Address
from mailnode.model.status import Outcome


class RouteKind(Enum):
    """Where a recipient's mail goes."""

    LOCAL = "local"
    REMOTE = "remote"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Route:
    """The answer for one recipient.

    LOCAL: ``mailboxes`` (no duplicates, at least one). REMOTE: ``remote`` holds every address
    outside (and ``mailboxes`` those inside, for an alias that has both). REFUSED: ``refusal``
    says why, with its enhanced code; for a domain that is not ours ``remote`` holds the address,
    for a sender who may relay. ``missing``: alias targets in our domains that do not exist or are
    switched off, for the log.
    """

    kind: RouteKind
    mailboxes: tuple[Mailbox, ...] = ()
    remote: tuple[Address, ...] = ()
    refusal: Outcome | None = None
    missing: tuple[Address, ...] = ()


class Router(Protocol):
    """Seam between intake and the directory."""

    async def route(self, address: Address) -> Route:
        """Route one recipient. Raises ``DirectoryGone``: then the answer is "later"."""
