"""Tells the other nodes how this one is: one worker of each node, every two seconds.

Promises: asks the system each time, writes to shared storage only what changed. A database that
hangs delays nothing else.
Fails: never; storage that fails is the watch's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mailnode.cluster.beat import beats
from mailnode.cluster.lease import Lease
from mailnode.cluster.published import Published, knows, publish
from mailnode.model.errors import MailnodeError
from mailnode.runtime.addresses import local_addresses
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.tasks import Pool

_EVERY_S = 2.0
_ASK_S = 5.0

Directory = Callable[[], Awaitable[Mapping[str, object]]]


class Herald:
    """One per worker; ``facts`` are for the worker's beat. ``speaks``: is it us who tell?"""

    def __init__(
        self,
        *,
        settings: Settings,
        lease: Lease,
        pool: Pool,
        log: MailLog,
        directory: Directory,
        speaks: Callable[[], bool],
    ) -> None:
        self._settings, self._lease, self._pool, self._log = settings, lease, pool, log
        self._directory, self._speaks = directory, speaks
        self._raised: tuple[str, ...] | None = None
        self.directory: Mapping[str, object] = {}

    def start(self) -> list[asyncio.Task[None]]:
        """Begin; cancel the tasks to end."""
        cluster, tasks = self._settings.cluster, [asyncio.create_task(self._ask())]
        if cluster.shared or cluster.service_addresses:  # else there is nobody to be told
            tasks.append(asyncio.create_task(self._tell()))
        return tasks

    async def _ask(self) -> None:
        while True:
            self.directory = await self._directory()
            await asyncio.sleep(_ASK_S)

    async def _tell(self) -> None:
        while True:
            if self._speaks():
                try:
                    await self._pool.run(self._publish)
                except (MailnodeError, OSError):
                    self._raised = None  # told again once the storage is back
            await asyncio.sleep(_EVERY_S)

    def _publish(self) -> None:
        server = self._settings.server
        told: list[dict[str, Any]] = [one.facts for one in beats(server.run_dir)]
        raised = raised_here(self._settings)
        now = Published(
            self._lease.record.token,
            raised,
            knows([facts.get("directory", {}) for facts in told]),
        )
        self._lease.check()
        publish(server.mail_dir, server.node, now)
        if raised != self._raised:
            self._raised = raised
            if self._settings.cluster.service_addresses:
                self._log.event(Event.ADDRESSES, raised=list(raised))


def raised_here(settings: Settings) -> tuple[str, ...]:
    """Which addresses for clients this machine has now."""
    wanted = settings.cluster.service_addresses
    if not wanted:
        return ()
    here = local_addresses()
    return tuple(str(one) for one in wanted if str(one) in here)
