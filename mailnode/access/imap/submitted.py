"""What users let be submitted: the octets behind the URLs of SMTP's BURL.

Promises: a URL is read only for the user who has logged in to submission, and only if it was
authorized for that; nothing becomes seen.
Fails: ``DirectoryGone``, ``StorageGone``.
RFC: 4468 3, 4467 3 (submit+).
"""

from __future__ import annotations

from mailnode.access.imap.authorized import Granted, completed, usable
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.owners import Owners
from mailnode.runtime.clock import Clock
from mailnode.runtime.tasks import Pool
from mailnode.store import Store


class SubmittedUrls:
    """Implements ``intake.desk.Urls``, beside the mail store instead of by way of IMAP."""

    def __init__(self, store: Store, owners: Owners, pool: Pool, clock: Clock) -> None:
        self._store = store
        self._owners = owners
        self._pool = pool
        self._clock = clock
        self._cache = MessageCache()

    async def read(self, user: str, text: str) -> bytes | None:
        """See ``Urls``."""
        user = user.lower()
        url = usable(text, user, lambda name: name == user, self._clock.now())
        ref = await self._owners(completed(url.owner, user)) if url is not None else None
        if url is None or ref is None:
            return None
        account = await self._pool.run(self._store.account, ref)
        return await self._pool.run(Granted(account, url, self._cache).read)
