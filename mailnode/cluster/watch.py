"""A worker's eye on its own node: does it still hold its lease, is it to be left alone?

Promises: looks at shared storage only in threads, so that storage that hangs stops no loop; says
every second how this worker is, even then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from mailnode.cluster.beat import Heart
from mailnode.cluster.drain import NOTHING, Drain, read_drain
from mailnode.cluster.lease import Lease
from mailnode.model.errors import LeaseLost, TemporaryError
from mailnode.runtime.clock import Clock
from mailnode.runtime.tasks import Pool

LOOK_S = 0.5
_BEAT_S = 0.5


class NodeWatch:
    """One per worker; ``run`` for as long as it lives."""

    def __init__(
        self,
        *,
        root: Path,
        lease: Lease,
        heart: Heart,
        pool: Pool,
        clock: Clock,
        drained: Callable[[Drain], None],
        facts: Callable[[], Mapping[str, object]],
    ) -> None:
        self._root, self._lease, self._heart = root, lease, heart
        self._pool, self._clock = pool, clock
        self._drained, self._facts = drained, facts
        self._drain = NOTHING
        self._looked_at = clock.monotonic()
        self._storage = ""

    async def run(self) -> None:
        """Watch until cancelled. Raises ``LeaseLost``."""
        beating = asyncio.create_task(self._beat())
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            self._heart.stop()

    async def _look(self) -> None:
        try:
            drain = await self._pool.run(self._read)
        except LeaseLost:
            raise
        except TemporaryError as error:
            # Storage that fails is not a lease that is lost: who comes is told "later".
            self._storage = str(error)
            return
        self._looked_at, self._storage = self._clock.monotonic(), ""
        if drain != self._drain:
            self._drain = drain
            self._drained(drain)

    def _read(self) -> Drain:
        self._lease.check()
        return read_drain(self._root, self._lease.record.node)

    async def _beat(self) -> None:
        due = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            late_s, due = max(0.0, now - due), now + _BEAT_S
            self._heart.beat(
                loop_late_ms=round(late_s * 1000, 1),
                storage_age_s=round(now - self._looked_at, 2),
                storage=self._storage,
                drain=self._drain.everything or sorted(self._drain.addresses),
                **self._facts(),
            )
            await asyncio.sleep(_BEAT_S)
