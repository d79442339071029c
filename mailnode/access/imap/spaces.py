"""Shared mailboxes as the settings want them, and their owners as the directory knows them."""

from __future__ import annotations

import asyncio
from concurrent.futures import TimeoutError as Late

from mailnode.access.imap.owners import owners_of
from mailnode.directory import Directory
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import may_wait
from mailnode.store import AccountRef
from mailnode.store.shared import Spaces

# A directory that does not answer is waited for once, and then not asked for a while: the pool's
# threads have other work.
WAIT_S, REST_S = 3.0, 30.0
REMEMBERED = 10_000


def spaces(settings: ImapSettings) -> Spaces:
    """What these settings say."""
    return Spaces(
        settings.others_prefix,
        settings.public_prefix,
        settings.private_seen,
        settings.share_everywhere,
    )


class SharingOwners:
    """Asks the directory from the pool's threads; made on the event loop.

    Promises: while no database answers, what was known last goes on being true.
    Fails: ``DirectoryGone`` where nothing was known.
    """

    def __init__(self, directory: Directory) -> None:
        self._look_up, self._loop = owners_of(directory), asyncio.get_running_loop()
        self._rests_until = 0.0
        self._known: dict[str, AccountRef] = {}

    def find(self, ref: AccountRef) -> AccountRef | None:
        """The owner's account with its limit of now; ``None`` for one who is gone or not active."""
        may_wait()  # the event loop would wait for what it must do itself
        try:
            found = self._ask(ref)
        except DirectoryGone:
            if ref.user in self._known:
                return self._known[ref.user]
            raise
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        if found is None:
            self._known.pop(ref.user, None)
        else:
            self._known[ref.user] = found
        return found

    def _ask(self, ref: AccountRef) -> AccountRef | None:
        if self._loop.time() < self._rests_until:
            raise DirectoryGone
        asked = asyncio.run_coroutine_threadsafe(self._look_up(ref.user), self._loop)
        try:
            return asked.result(WAIT_S)
        except (Late, DirectoryGone):
            asked.cancel()
            self._rests_until = self._loop.time() + REST_S
            raise DirectoryGone from None
