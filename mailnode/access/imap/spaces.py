"""Shared mailboxes as the settings want them, and their owners as the directory knows them."""

from __future__ import annotations

import asyncio
from concurrent.futures import TimeoutError as Late

from mailnode.directory import Directory
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.store import AccountRef
from mailnode.store.shared import Find, Spaces

# A directory that does not answer is waited for once, and then not asked for a while: the pool's
# threads have other work.
WAIT_S, REST_S = 10.0, 10.0


def spaces(settings: ImapSettings) -> Spaces:
    """What these settings say."""
    return Spaces(
        settings.others_prefix,
        settings.public_prefix,
        settings.private_seen,
        settings.share_everywhere,
    )


def owners_in(directory: Directory) -> Find:
    """Asks the directory from the pool's threads; made on the event loop. It raises
    ``DirectoryGone`` also when no answer comes in time."""
    loop = asyncio.get_running_loop()
    rests_until = 0.0

    def find(ref: AccountRef) -> AccountRef | None:
        nonlocal rests_until
        if loop.time() < rests_until:
            raise DirectoryGone
        local, _, domain = ref.user.rpartition("@")
        asked = asyncio.run_coroutine_threadsafe(directory.mailbox(Address(local, domain)), loop)
        try:
            found = asked.result(WAIT_S)
        except Late:
            asked.cancel()
            rests_until = loop.time() + REST_S
            raise DirectoryGone from None
        if found is None or not found.active:
            return None
        return AccountRef(found.user, found.maildir, found.quota_bytes)

    return find
