"""What a worker does as part of its node, and for the other nodes.

Promises: a node that lost its lease ends without one more write; a dead node's mail is worked off.
Fails: never; faults are logged and the work goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mailnode.cluster.adopt import Adopter, Runner
from mailnode.cluster.beat import Heart
from mailnode.cluster.beyond import Beyond
from mailnode.cluster.drain import Drain
from mailnode.cluster.herald import Directory, Herald
from mailnode.cluster.lease import Lease
from mailnode.cluster.watch import NodeWatch
from mailnode.model.errors import LeaseLost
from mailnode.queue.spool import DiskSpool
from mailnode.runtime.clock import Clock
from mailnode.runtime.log import LineLog
from mailnode.runtime.maillog import Event
from mailnode.runtime.seat import LOST
from mailnode.runtime.service import Service
from mailnode.runtime.settings.load import Settings
from mailnode.runtime.tasks import Pool

_REST_S = 5.0


@dataclass(frozen=True, slots=True)
class Membership:
    """One worker's. ``make`` builds spool and runner for another node's spool folder."""

    settings: Settings
    lease: Lease
    services: Sequence[Service]
    make: Callable[[Path], tuple[DiskSpool, Runner]]
    pool: Pool
    clock: Clock
    log: LineLog
    directory: Directory
    beyond: Beyond | None = None
    adopted: dict[str, int] = field(default_factory=dict)

    def start(self) -> list[asyncio.Task[None]]:
        """Begin; cancel the tasks to end."""
        herald = Herald(
            settings=self.settings,
            lease=self.lease,
            pool=Pool(1, "herald"),
            log=self.log,
            directory=self.directory,
            speaks=self._speaks,
        )
        tasks = [asyncio.create_task(self._watch(herald)), *herald.start()]
        if self.settings.cluster.shared:
            tasks.append(asyncio.create_task(self._adopt()))
        return tasks

    def _speaks(self) -> bool:
        return self.beyond is None or self.beyond.speaks

    async def _watch(self, herald: Herald) -> None:
        server = self.settings.server
        watch = NodeWatch(
            root=server.mail_dir,
            lease=self.lease,
            heart=Heart(server.run_dir, "worker"),
            pool=Pool(1, "watch"),
            clock=self.clock,
            drained=self._drained,
            facts=lambda: self._facts() | {"directory": herald.directory},
        )
        try:
            await watch.run()
        except LeaseLost as error:
            self.log.event(Event.LEASE, of=server.node, holding="lost", reason=str(error))
            self.log.flush()
            # Not one more write: no drain, no goodbye. The supervisor ends the other workers.
            os._exit(LOST)

    def _drained(self, drain: Drain) -> None:
        addresses = sorted(drain.addresses)
        self.log.event(Event.DRAIN, everything=drain.everything, addresses=addresses)
        for service in self.services:
            service.turn_away(drain.closes)

    def _facts(self) -> dict[str, object]:
        sessions = sum((service.sessions_by_address() for service in self.services), Counter[str]())
        far = self.beyond.facts() if self.beyond else {}
        return {"sessions": dict(sessions), "adopted": self.adopted, **far}

    async def _adopt(self) -> None:
        adopter = Adopter(
            root=self.settings.server.mail_dir,
            node=self.settings.server.node,
            every_s=self.settings.cluster.takeover_s,
            make=self.make,
            pool=self.pool,
            clock=self.clock,
            log=self.log,
            may_look=self._speaks,
            is_heard=lambda node: self.beyond is not None and self.beyond.is_heard(node),
            adopted=self.adopted,
        )
        while True:
            try:
                await adopter.run()
            except Exception as error:  # noqa: BLE001  barrier: a dead node's mail must not wait
                self.log.event(Event.ERROR, what="adopting", cause=error)
                await asyncio.sleep(_REST_S)
