"""Whose mailboxes a URL may name: everybody's who has one here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mailnode.directory import Directory
from mailnode.model.address import Address
from mailnode.store import AccountRef

# The account of another user, or ``None`` where there is none. Raises ``DirectoryGone``.
Owners = Callable[[str], Awaitable[AccountRef | None]]


async def nobody_else(user: str) -> AccountRef | None:
    """Only the session's own account is known."""
    return None


def owners_of(directory: Directory) -> Owners:
    """The active mailboxes of the directory."""

    async def find(user: str) -> AccountRef | None:
        local, _, domain = user.rpartition("@")
        found = await directory.mailbox(Address(local, domain))
        if found is None or not found.active:
            return None
        return AccountRef(found.user, found.maildir, found.quota_bytes)

    return find
