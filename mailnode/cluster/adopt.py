"""Working off what dead nodes still owe.

Promises: every ``takeover_s`` the spools of other nodes are looked at; where the node's lease can
be had, its entries are delivered and its unfinished files removed. Doing it twice, or in two
places, does no harm: entries are claimed one by one. A node that comes back has its lock within
``HOLD_S``; what is in work then is still claimed and ends where it began.
Fails: never; storage that is away means later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mailnode.cluster.layout import known_nodes, spool_of
from mailnode.cluster.lease import Adoption, adopt_lease
from mailnode.cluster.record import Holding, Record, read_record
from mailnode.model.errors import MailnodeError
from mailnode.queue.spool import DiskSpool
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.tasks import Pool

HOLD_S = 5.0
_STEP_S = 0.1
# So long a node whose lock can be had may still be heard: its last words were on their way.
_STRANGE_S = 10.0


class Runner(Protocol):
    """See ``queue.runner.Runner``."""

    async def run(self) -> None:
        """Work until ``stop``."""

    async def stop(self) -> None:
        """Return once what was begun is recorded."""


class Adopter:
    """One per worker. ``make`` builds spool and runner for a folder; ``may_look`` is false while
    another worker of this node does it; ``is_heard`` tells whether a node spoke just now."""

    def __init__(
        self,
        *,
        root: Path,
        node: str,
        every_s: float,
        make: Callable[[Path], tuple[DiskSpool, Runner]],
        pool: Pool,
        clock: Clock,
        log: MailLog,
        may_look: Callable[[], bool] = lambda: True,
        is_heard: Callable[[str], bool] = lambda node: False,
        adopted: dict[str, int] | None = None,
    ) -> None:
        self._root, self._node, self._every_s = root, node, every_s
        self._make, self._pool, self._clock, self._log = make, pool, clock, log
        self._may_look, self._is_heard = may_look, is_heard
        self._strange: dict[str, float] = {}
        self.adopted = {} if adopted is None else adopted

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            if self._may_look():
                await self.look()

    async def look(self) -> None:
        """One look at every other node."""
        try:
            for node in await self._pool.run(self._candidates):
                await self._try(node)
        except MailnodeError as error:
            self._log.event(Event.STORAGE, path=str(self._root), reason=str(error), what="adopting")

    def _candidates(self) -> list[str]:
        return [node for node in known_nodes(self._root) if self._is_worth(node)]

    def _is_worth(self, node: str) -> bool:
        """Whether there may be something to do that is worth asking for the lock."""
        if node == self._node:
            return False
        record = read_record(self._root, node) or Record(node)
        return record.holding is Holding.HELD or _has_work(spool_of(self._root, node))

    async def _try(self, node: str) -> None:
        adoption = await self._pool.run(self._adopt, node)
        if adoption is None:
            return
        try:
            if _has_work(adoption.spool):
                await self._work(adoption)
        finally:
            adoption.close()

    def _adopt(self, node: str) -> Adoption | None:
        adoption = adopt_lease(
            self._root, node, by=self._node, now=self._clock.now(), unless=self._is_strange
        )
        if adoption and adoption.was_held:
            self._log.event(Event.LEASE, of=node, holding=Holding.ADOPTED, by=self._node)
        return adoption

    def _is_strange(self, node: str) -> bool:
        """A node that speaks while its lock is free: dead since a moment, or the storage's locks
        do not keep nodes apart. Either way it is not adopted now."""
        if not self._is_heard(node):
            self._strange.pop(node, None)
            return False
        now = self._clock.monotonic()
        if now - self._strange.setdefault(node, now) > _STRANGE_S:
            self._strange[node] = float("inf")  # said once
            self._log.event(
                Event.STORAGE,
                path=str(self._root),
                reason=f"node {node} lives, yet its lock can be had here",
                remedy="this file system's locks do not keep nodes apart: stop all nodes but one; "
                "see mailnode doctor --storage",
            )
        return True

    async def _work(self, adoption: Adoption) -> None:
        spool, runner = self._make(adoption.spool)
        before = await self._pool.run(_entries, adoption.spool)
        running = asyncio.create_task(runner.run())
        try:
            until = self._clock.monotonic() + HOLD_S
            while self._clock.monotonic() < until:
                await asyncio.sleep(_STEP_S)
                if not await self._pool.run(_is_due, spool, self._clock.now()):
                    break
        finally:
            await runner.stop()
            await running
            await self._pool.run(spool.close)
        done = before - await self._pool.run(_entries, adoption.spool)
        if done > 0:
            self.adopted[adoption.node] = self.adopted.get(adoption.node, 0) + done
            self._log.event(Event.ADOPTED, of=adoption.node, entries=done)


def _is_due(spool: DiskSpool, now: float) -> bool:
    return bool(spool.due(now))


def _entries(folder: Path) -> int:
    try:
        return len(os.listdir(folder / "active"))
    except OSError:
        return 0


def _has_work(folder: Path) -> bool:
    """Whether entries wait there, or unfinished ones lie about."""
    for part in ("active", "incoming"):
        try:
            with os.scandir(folder / part) as entries:
                if any(True for _ in entries):
                    return True
        except OSError:
            continue
    return False
