"""Adoption: each entry once, whoever looks; nothing of the living is touched."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailnode.cluster import adopt
from mailnode.cluster.adopt import Adopter
from mailnode.cluster.layout import spool_of
from mailnode.cluster.lease import Lease, is_locked, take_lease
from mailnode.cluster.record import Holding, read_record
from mailnode.model.status import Outcome, Verdict
from mailnode.queue.runner import Runner
from mailnode.queue.spool import DiskSpool
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.tasks import Pool
from tests.support.spool_world import MESSAGE, debt, envelope


class Courier:
    """Counts what it is given."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.outcome = Outcome(Verdict.DONE, "2.0.0", "ok")
        self.wait = asyncio.Event()
        self.wait.set()

    async def deliver(self, envelope: Any, chunks: Any, copies: Any) -> list[Any]:
        await self.wait.wait()
        self.delivered.append(envelope.queue_id)
        return [self.outcome] * len(copies)

    async def check_room(self, mailbox: Any, size_bytes: int) -> None:
        return None


class Shore:
    """A mail root, a dead node n1 that owes something, and adopters on other nodes."""

    def __init__(self, root: Path) -> None:
        self.root, self.log, self.courier = root, ListLog(), Courier()
        self.pool = Pool(4, "disk")
        self.clock = SystemClock()
        self.heard: set[str] = set()

    def spool(self, folder: Path) -> DiskSpool:
        return DiskSpool(
            folder=folder, settings=QueueSettings(scan_s=0.05), clock=self.clock, log=self.log
        )

    def lease(self, node: str = "n1", wait_s: float = 0) -> Lease:
        spool = spool_of(self.root, node)
        return take_lease(
            self.root, node, spool=spool, hint_version=2, clock=self.clock, wait_s=wait_s
        )

    def owe(self, count: int, node: str = "n1") -> None:
        spool = self.spool(spool_of(self.root, node))
        for number in range(1, count + 1):
            fresh = replace(envelope(number), received_at=self.clock.now())
            spool.accept(fresh, [MESSAGE], [debt(attempts=0)])
        spool.close()

    def adopter(self, node: str = "n2") -> Adopter:
        def make(folder: Path) -> tuple[DiskSpool, Runner]:
            spool = self.spool(folder)
            runner = Runner(
                spool=spool,
                courier=self.courier,
                pool=self.pool,
                settings=QueueSettings(scan_s=0.05),
                clock=self.clock,
                log=self.log,
            )
            return spool, runner

        return Adopter(
            root=self.root,
            node=node,
            every_s=0.02,
            make=make,
            pool=self.pool,
            clock=self.clock,
            log=self.log,
            is_heard=lambda name: name in self.heard,
        )

    def said(self, event: Event) -> list[dict[str, object]]:
        return [fields for what, fields in self.log.events if what is event]


@pytest.fixture
async def shore(tmp_path: Path) -> AsyncIterator[Shore]:
    one = Shore(tmp_path)
    yield one
    one.pool.close()


def die(lease: Lease) -> None:
    """Without a word: the lock goes, the record stays."""
    os.close(lease._fd)


async def test_dead_nodes_entries_are_delivered_once_by_two_who_look_at_once(shore: Shore) -> None:
    die(shore.lease())
    shore.owe(30)
    both = [shore.adopter("n2"), shore.adopter("n3")]
    for _ in range(5):
        await asyncio.gather(*(one.look() for one in both))
    assert len(shore.courier.delivered) == 30
    assert len(set(shore.courier.delivered)) == 30
    assert sum(one.adopted.get("n1", 0) for one in both) == 30
    record = read_record(shore.root, "n1")
    assert record is not None
    assert record.holding is Holding.ADOPTED
    assert not is_locked(shore.root, "n1")


async def test_living_nodes_spool_is_left_alone(shore: Shore) -> None:
    lease = shore.lease()
    shore.owe(2)
    await shore.adopter().look()
    assert shore.courier.delivered == []
    lease.check()
    lease.release(0.0)
    # Stopped in order, it owes all the same.
    await shore.adopter().look()
    assert len(shore.courier.delivered) == 2


async def test_own_spool_and_empty_ones_are_not_asked_for(shore: Shore) -> None:
    die(shore.lease("n2"))
    shore.owe(1, "n2")
    shore.lease("n1").release(0.0)
    await shore.adopter("n2").look()
    assert shore.courier.delivered == []
    record = read_record(shore.root, "n2")
    assert record is not None
    assert record.holding is Holding.HELD


async def test_what_cannot_be_delivered_yet_stays_owed(shore: Shore) -> None:
    die(shore.lease())
    shore.owe(1)
    shore.courier.outcome = Outcome(Verdict.LATER, "4.3.0", "not now")
    adopter = shore.adopter()
    await adopter.look()
    await adopter.look()
    assert len(shore.courier.delivered) == 1  # its next try is a minute away
    assert len(list((spool_of(shore.root, "n1") / "active").iterdir())) == 1
    assert adopter.adopted == {}


async def test_node_that_comes_back_has_its_lock_within_the_bound(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopt, "HOLD_S", 0.3)
    die(shore.lease())
    shore.owe(2)
    shore.courier.wait.clear()
    looking = asyncio.create_task(shore.adopter().look())
    while not is_locked(shore.root, "n1"):
        await asyncio.sleep(0.01)
    asyncio.get_running_loop().call_later(0.6, shore.courier.wait.set)
    lease = await shore.pool.run(shore.lease, "n1", 10.0)
    lease.check()
    await looking
    lease.check()
    lease.release(0.0)
    await shore.adopter().look()
    assert sorted(set(shore.courier.delivered)) == sorted(shore.courier.delivered)
    assert len(shore.courier.delivered) == 2


async def test_node_that_is_heard_is_not_adopted_and_after_a_while_that_is_told(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    die(shore.lease())
    shore.owe(1)
    shore.heard.add("n1")
    adopter = shore.adopter()
    await adopter.look()
    assert shore.courier.delivered == []
    assert shore.said(Event.STORAGE) == []
    monkeypatch.setattr(adopt, "_STRANGE_S", -1.0)
    await adopter.look()
    await adopter.look()
    (told,) = shore.said(Event.STORAGE)
    assert "n1 lives" in str(told["reason"])
    shore.heard.clear()
    await adopter.look()
    assert len(shore.courier.delivered) == 1


async def test_storage_that_is_away_means_later(shore: Shore, tmp_path: Path) -> None:
    die(shore.lease())
    shore.owe(1)
    folder = spool_of(shore.root, "n1") / "active"
    moved = tmp_path / "away"
    folder.rename(moved)
    folder.touch()
    adopter = shore.adopter()
    await adopter.look()
    folder.unlink()
    moved.rename(folder)
    await adopter.look()
    assert len(shore.courier.delivered) == 1
