"""The runner: attempts, patience, notifications."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailnode.model.address import Address
from mailnode.model.envelope import Envelope
from mailnode.model.errors import StorageGone
from mailnode.queue import admin
from mailnode.queue.runner import Runner
from mailnode.queue.schedule import is_expired, wait_s
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.tasks import Pool
from tests.support.smtp_world import FULL, LATER, FakeClock, FakeCourier
from tests.support.spool_world import MESSAGE, debt, envelope, logged_in, make_spool, queue_id

DAY = 86_400.0
ID = queue_id(1)


class Bench:
    """A runner that is cranked by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.log, self.courier = FakeClock(), ListLog(), FakeCourier()
        self.spool = make_spool(folder, self.clock, self.log)
        self.pool = Pool(2, "bench")
        self.runner = Runner(
            spool=self.spool,
            courier=self.courier,
            pool=self.pool,
            settings=QueueSettings(scan_s=0.05),
            clock=self.clock,
            log=self.log,
            hostname="mx.here.test",
        )

    def put(self, made: Envelope, *users: str) -> None:
        self.spool.accept(made, [MESSAGE], [debt(user) for user in users or ("bob@here.test",)])

    def events(self, kind: Event) -> list[dict[str, object]]:
        return [fields for event, fields in self.log.events if event is kind]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.pool.close()
    made.spool.close()
    assert not made.events(Event.ERROR)


async def test_paid_at_last(bench: Bench) -> None:
    bench.courier.answers["carol@other.test"] = LATER
    bench.put(envelope(1, "bob@here.test", "carol@other.test"), "bob@here.test", "carol@other.test")
    assert await bench.runner.work(ID)
    assert bench.courier.users() == ["bob@here.test"]
    assert bench.courier.content == MESSAGE
    assert bench.events(Event.DEFERRED)[0]["recipient"] == "carol@other.test"
    assert bench.spool.due(bench.clock.now()) == []
    bench.courier.answers.clear()
    assert await bench.runner.work(ID)
    assert bench.courier.users() == ["bob@here.test", "carol@other.test"]
    assert bench.events(Event.REMOVED)
    assert not await bench.runner.work(ID)


async def test_expired_mail_of_a_login_is_bounced(bench: Bench) -> None:
    bench.courier.answers["bob@here.test"] = FULL
    bench.put(envelope(1, "bob@here.test", extra=logged_in()))
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    assert bench.spool.ids("active") == []
    assert bench.courier.users() == ["alice@here.test"]
    assert bench.courier.envelope.sender is None
    report = email.message_from_bytes(bench.courier.content, policy=email.policy.default)
    assert report.get_content_type() == "multipart/report"
    text, status, original = report.iter_parts()
    assert "bob@here.test" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    whole, one = status.get_payload()
    assert whole["Reporting-MTA"] == "dns; mx.here.test"
    assert whole["Original-Envelope-Id"] == "id-1"
    assert one["Final-Recipient"] == "rfc822; bob@here.test"
    assert one["Original-Recipient"] == "rfc822;bob@here.test"
    assert (one["Action"], one["Status"]) == ("failed", "5.2.2")
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: t" in original.get_content()
    assert "body" not in original.get_content()
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["Subject"].isascii()


async def test_the_whole_message_comes_back_with_ret_full(bench: Bench) -> None:
    bench.courier.answers["bob@here.test"] = LATER
    bench.put(envelope(1, "bob@here.test", extra=logged_in(), ret="FULL"))
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    assert MESSAGE in bench.courier.content
    assert b"Status: 4.4.7" in bench.courier.content


@pytest.mark.parametrize("sender", ["x@far.test", None])
async def test_who_cannot_be_told_has_it_held(bench: Bench, sender: str | None) -> None:
    bench.courier.answers["bob@here.test"] = LATER
    bench.put(envelope(1, sender=sender))
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    assert bench.spool.ids("held") == [ID]
    assert not bench.courier.delivered
    assert bench.events(Event.FAILED)[0]["queue_id"] == ID


async def test_notify_never(bench: Bench) -> None:
    bench.courier.answers["bob@here.test"] = LATER
    bench.put(envelope(1, notify=frozenset({"NEVER"}), extra=logged_in()))
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    assert bench.spool.ids("active") == bench.spool.ids("held") == []
    assert not bench.courier.delivered


async def test_delay_and_success_are_told_once_when_asked_for(bench: Bench) -> None:
    bench.courier.answers["bob@here.test"] = LATER
    bench.put(envelope(1, notify=frozenset({"DELAY", "SUCCESS"}), extra=logged_in()))
    bench.clock.at += 3600
    await bench.runner.work(ID)
    assert not bench.courier.delivered
    bench.clock.at += 4 * 3600
    await bench.runner.work(ID)
    assert b"Action: delayed\r\nStatus: 4.3.0" in bench.courier.content
    await bench.runner.work(ID)
    assert len(bench.courier.delivered) == 1
    bench.courier.answers.clear()
    await bench.runner.work(ID)
    assert bench.courier.users() == ["alice@here.test", "bob@here.test", "alice@here.test"]
    assert b"Action: delivered\r\nStatus: 2.0.0" in bench.courier.content


async def test_a_bounce_that_cannot_be_delivered_is_owed(bench: Bench) -> None:
    bench.courier.answers.update({"bob@here.test": LATER, "alice@here.test": LATER})
    bench.put(envelope(1, extra=logged_in()))
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    ((bounce),) = bench.spool.ids("active")
    assert bounce != ID
    bench.clock.at += 5 * DAY
    await bench.runner.work(bounce)
    # Never a bounce of a bounce: NOTIFY=NEVER ends it.
    assert bench.spool.ids("active") == bench.spool.ids("held") == []


async def test_non_ascii_recipients(bench: Bench) -> None:
    bench.courier.answers["bob@here.test"] = LATER
    made = envelope(1, extra=logged_in())
    who = Address("jörg", "here.test")
    recipient = replace(made.recipients[0], address=who, orcpt="")
    made = replace(made, recipients=(recipient,), smtputf8=True)
    bench.spool.accept(made, [MESSAGE], [replace(debt(), recipient=who)])
    bench.clock.at += 5 * DAY
    await bench.runner.work(ID)
    assert "Final-Recipient: utf-8; jörg@here.test".encode() in bench.courier.content
    assert b"message/global-delivery-status" in bench.courier.content


async def test_run_wakes_stops_and_survives_lost_storage(bench: Bench) -> None:
    real, failures = bench.spool.due, 2

    def due(now: float) -> list[str]:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StorageGone("unmounted")
        return real(now)

    bench.spool.due = due  # type: ignore[method-assign]
    task = asyncio.create_task(bench.runner.run())
    bench.clock.at += 1
    bench.put(envelope(1))
    bench.clock.at += 1000
    async with asyncio.timeout(10):
        while not bench.events(Event.REMOVED):
            bench.runner.wake()
            await asyncio.sleep(0.01)
    await bench.runner.stop()
    await task
    assert bench.courier.users() == ["bob@here.test"]
    assert len(bench.events(Event.STORAGE)) == 2


async def test_two_runners_share_one_spool(tmp_path: Path) -> None:
    first, second = Bench(tmp_path), Bench(tmp_path)
    for number in range(1, 31):
        first.put(envelope(number))
    due = first.spool.due(1e12)
    await asyncio.gather(*(one.runner.work(i) for i in due for one in (first, second)))
    delivered = first.courier.delivered + second.courier.delivered
    assert sorted(made.queue_id for made, *_ in delivered) == sorted(due)
    for one in (first, second):
        one.pool.close()
        one.spool.close()


async def test_admin(bench: Bench) -> None:
    spool, now = bench.spool, bench.clock.now()
    bench.put(envelope(1))
    bench.put(envelope(2))
    assert [one.queue_id for one in admin.list_queue(spool)] == [queue_id(1), queue_id(2)]
    assert spool.due(now) == []
    assert admin.retry_now(spool, ID, now)
    assert spool.due(now) == [ID]
    assert admin.hold(spool, ID, "")
    shown = admin.show(spool, ID)
    assert shown is not None
    assert (shown.place, shown.reason, shown.sender) == ("held", "held by hand", "alice@here.test")
    assert not admin.retry_now(spool, ID, now)
    assert admin.release(spool, ID, now)
    assert spool.due(now) == [ID]
    loaded = spool.load(ID)
    assert loaded is not None
    assert not admin.remove(spool, ID)  # in work
    loaded[1].close()
    assert admin.remove(spool, ID)
    assert admin.show(spool, ID) is None
    assert not admin.remove(spool, ID)


async def test_admin_shows_damage(bench: Bench, tmp_path: Path) -> None:
    bench.put(envelope(1))
    (tmp_path / "queue" / "active" / ID / "entry").write_bytes(b"?")
    shown = admin.show(bench.spool, ID)
    assert shown is not None
    assert (shown.place, shown.reason) == ("active", "unknown version or no entry at all")
    assert not admin.hold(bench.spool, ID, "x")


def test_schedule() -> None:
    settings = QueueSettings(first_retry_s=60, max_retry_s=3600)
    for attempts, middle in ((1, 60), (2, 120), (5, 960), (50, 3600)):
        waits = [wait_s(attempts, settings) for _ in range(50)]
        assert middle * 0.8 <= min(waits) < max(waits) <= middle * 1.2
    assert not is_expired(1000.0, 0.0, settings)
    assert is_expired(0.0, settings.expire_s, settings)
