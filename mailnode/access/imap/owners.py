"""Users of the directory by name, as owners of mailboxes: in URLs, and of what they share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from mailnode.directory import Directory
from mailnode.model.address import Address
from mailnode.runtime.eager import in_task
from mailnode.store import AccountRef

# The account of another user, or ``None`` where there is none. Raises ``DirectoryGone``.
Owners = Callable[[str], Coroutine[None, None, AccountRef | None]]


async def nobody_else(user: str) -> AccountRef | None:
    """Only the session's own account is known."""
    return None


def owners_of(directory: Directory) -> Owners:
    """The active mailboxes of the directory."""

    async def find(user: str) -> AccountRef | None:
        await in_task()
        local, _, domain = user.rpartition("@")
        found = await directory.mailbox(Address(local, domain))
        if found is None or not found.active:
            return None
        return AccountRef(found.user, found.maildir, found.quota_bytes)

    return find
