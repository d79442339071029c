"""LocalCourier: batches, headers, room, faults."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from mailnode.delivery.local import LocalCourier
from mailnode.model.errors import StorageFull, StorageGone
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.tasks import Pool
from mailnode.store import AccountRef, Delivery, QuotaUse
from tests.support.smtp_world import DONE, FakeClock, content_of, mailbox
from tests.support.spool_world import MESSAGE, envelope


class StubStore:
    """Takes everything, remembers batches; ``fault`` is raised, ``gate`` awaited."""

    def __init__(self) -> None:
        self.batches: list[list[Delivery]] = []
        self.fault: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.short = False
        self.used = 0
        self.asked = 0

    def accept(self, batch: Sequence[Delivery]) -> list[Outcome]:
        assert self.gate.wait(10)
        self.batches.append(list(batch))
        if self.fault is not None:
            raise self.fault
        return [DONE] * (len(batch) - self.short)

    def account(self, ref: AccountRef) -> StubStore:
        return self

    def quota(self) -> QuotaUse:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return QuotaUse(self.used, 1, 0)


class Bench:
    def __init__(self) -> None:
        self.store, self.log, self.clock = StubStore(), ListLog(), FakeClock()
        self.pool = Pool(8, "bench")
        self.courier = LocalCourier(
            store=self.store,  # type: ignore[arg-type]
            pool=self.pool,
            log=self.log,
            clock=self.clock,
        )

    async def one(self, number: int = 1) -> Outcome:
        box = mailbox("bob@here.test", 1000)
        return (await self.courier.deliver(envelope(number), [MESSAGE], [("Bob@here.test", box)]))[
            0
        ]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.pool.close()


async def test_headers_of_a_copy(bench: Bench) -> None:
    assert (await bench.one()).ok
    delivery = bench.store.batches[0][0]
    assert delivery.account == AccountRef("bob@here.test", "here.test/bob", 1000)
    want = b"Return-Path: <alice@here.test>\r\nDelivered-To: Bob@here.test\r\n" + MESSAGE
    assert content_of(delivery.message.chunks) == want
    assert bench.log.events[0][0] is Event.DELIVERED


async def test_messages_share_a_batch_while_the_store_is_busy(bench: Bench) -> None:
    bench.store.gate.clear()
    tasks = [asyncio.create_task(bench.one(n)) for n in range(40)]
    await asyncio.sleep(0.05)
    bench.store.gate.set()
    assert all(outcome.ok for outcome in await asyncio.gather(*tasks))
    sizes = [len(batch) for batch in bench.store.batches]
    assert sum(sizes) == 40
    assert len(sizes) <= 8


@pytest.mark.parametrize(
    ("fault", "code"),
    [(StorageGone("/secret"), "4.3.0"), (StorageFull("x"), "4.3.1"), (ValueError("x"), "4.3.0")],
)
async def test_faults_are_temporary(bench: Bench, fault: Exception, code: str) -> None:
    bench.store.fault = fault
    outcome = await bench.one()
    assert (outcome.verdict, outcome.code) == (Verdict.LATER, code)
    assert "secret" not in outcome.public
    room = await bench.courier.check_room(mailbox("bob@here.test", 10), 1)
    assert room is not None
    assert room.verdict is Verdict.LATER


@pytest.mark.parametrize(
    "fault",
    [
        ImportError, SyntaxError, MemoryError, StopIteration, asyncio.CancelledError, SystemExit,
        KeyboardInterrupt, GeneratorExit,
    ],
)  # fmt: skip
async def test_everybody_is_answered_whatever_falls_out_of_the_store(
    bench: Bench, fault: type[BaseException]
) -> None:
    """A module that is being written while we run, a thread that ends: clients wait for a reply."""
    bench.store.fault = fault("half-written")
    answers = asyncio.gather(*(bench.one(n) for n in range(12)))
    outcomes = await asyncio.wait_for(answers, 60)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.LATER}
    bench.store.fault = None
    assert (await asyncio.wait_for(bench.one(), 60)).ok


@pytest.mark.parametrize("fault", [NameError, asyncio.CancelledError])
async def test_everybody_is_answered_whatever_falls_out_of_a_batch(
    bench: Bench, fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(flat: list[Delivery]) -> list[Outcome]:
        raise fault("half-written")

    quiet: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: quiet.append(context))
    monkeypatch.setattr(bench.courier, "_accept", accept)
    answers = asyncio.gather(*(bench.one(n) for n in range(12)))
    outcomes = await asyncio.wait_for(answers, 60)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.LATER}
    monkeypatch.undo()
    assert (await asyncio.wait_for(bench.one(), 60)).ok


async def test_a_store_that_miscounts(bench: Bench) -> None:
    bench.store.short = True
    assert (await bench.one()).verdict is Verdict.LATER
    assert bench.log.events[0][0] is Event.ERROR


async def test_a_cancelled_delivery_hurts_no_other(bench: Bench) -> None:
    bench.store.gate.clear()
    tasks = [asyncio.create_task(bench.one(n)) for n in range(10)]
    await asyncio.sleep(0)
    tasks[7].cancel()
    await asyncio.sleep(0)
    bench.store.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(one, Outcome) and one.ok for one in outcomes) == 9


async def test_room(bench: Bench) -> None:
    box = mailbox("bob@here.test", 1_000_000)
    assert await bench.courier.check_room(mailbox("bob@here.test", 0), 10**9) is None
    never = await bench.courier.check_room(box, 1_000_001)
    assert never is not None
    assert (never.verdict, never.code) == (Verdict.NEVER, "5.2.3")
    bench.store.used = 999_999
    assert await bench.courier.check_room(box, 1) is None
    full = await bench.courier.check_room(box, 2)
    assert full is not None
    assert (full.verdict, full.code) == (Verdict.LATER, "4.2.2")
    bench.store.used = 1_000_000
    assert await bench.courier.check_room(box, 0) is not None


async def test_a_roomy_mailbox_is_not_asked_each_time(bench: Bench) -> None:
    box = mailbox("bob@here.test", 10_000_000)
    for _ in range(5):
        assert await bench.courier.check_room(box, 1000) is None
    assert bench.store.asked == 1
    bench.clock.at += 60
    await bench.courier.check_room(box, 1000)
    assert bench.store.asked == 2
    for _ in range(300):
        await bench.courier.check_room(box, 1000)
    assert bench.store.asked > 2
