"""Pays the debts in the spool: wakes, claims, delivers, records.

Promises: what an attempt achieved is recorded before the claim ends; whatever goes wrong with one
entry, the others go on; storage or directory away means later. Several runners (workers, nodes)
may work on one spool: claims keep them apart.
A permanent failure of one copy is treated as a temporary one until the message expires: the mail
was accepted, so it is given every chance. Then its sender is told, or, where there is no one here
to tell, the entry is held for a person.
Fails: never out of ``run``; faults are logged.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

from mailnode.delivery import Courier
from mailnode.directory import Mailbox
from mailnode.model.envelope import Envelope, Recipient
from mailnode.model.errors import TemporaryError
from mailnode.model.status import Outcome
from mailnode.queue import Debt, Spool, Spooled
from mailnode.queue.bounce import Action, Report, wants
from mailnode.queue.notice import Notices
from mailnode.queue.schedule import is_expired, wait_s
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.tasks import Pool

# An entry that is due but claimed by another runner must not keep us spinning.
_SHORTEST_WAIT_S = 1.0
# Half-made entries of dead processes owe nothing and only take space.
_SWEEP_S = 3600.0


class Runner:
    """One per worker; ``run`` until ``stop``."""

    def __init__(
        self,
        *,
        spool: Spool,
        courier: Courier,
        pool: Pool,
        settings: QueueSettings,
        clock: Clock,
        log: MailLog,
        hostname: str = "localhost",
    ) -> None:
        self._spool = spool
        self._courier = courier
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._log = log
        self._notices = Notices(
            spool=spool, courier=courier, pool=pool, clock=clock, log=log, hostname=hostname
        )
        self._swept_at = float("-inf")
        self._watched: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()

    async def run(self) -> None:
        """Work until ``stop``."""
        self._watch(asyncio.get_running_loop())
        self._ended.clear()
        try:
            while not self._stopping:
                await self._round()
                await self._rest()
        finally:
            self._ended.set()

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        def heard() -> None:
            if not self._stopping:
                loop.call_soon_threadsafe(self._wake.set)

        if self._watched is not loop:
            self._watched = loop
            self._spool.watch(heard)

    async def stop(self) -> None:
        """Start nothing more, and return once what was begun is recorded."""
        self._stopping = True
        self._wake.set()
        await self._ended.wait()

    def wake(self) -> None:
        """Look at the spool now. Loop thread only."""
        self._wake.set()

    async def _rest(self) -> None:
        next_due = self._spool.next_due()
        wait = self._settings.scan_s
        if next_due is not None:
            wait = min(wait, max(next_due - self._clock.now(), _SHORTEST_WAIT_S))
        try:
            await asyncio.wait_for(self._wake.wait(), wait)
        except TimeoutError:
            pass  # time to look anyway
        self._wake.clear()

    async def _round(self) -> None:
        """Work on everything that is due now, a bounded number at once."""
        try:
            if self._clock.monotonic() - self._swept_at > _SWEEP_S:
                await self._pool.run(self._spool.sweep)
                self._swept_at = self._clock.monotonic()
            due = list(await self._pool.run(self._spool.due, self._clock.now()))
        except TemporaryError as error:
            self._log_storage(error)
            return
        except Exception:  # noqa: BLE001 - barrier: the runner must not die
            self._log.event(Event.ERROR, what="queue scan", cause=traceback.format_exc())
            return
        waiting = iter(due)
        workers = min(self._settings.concurrency, len(due))
        await asyncio.gather(*(self._worker(waiting) for _ in range(workers)))

    async def _worker(self, waiting: Iterator[str]) -> None:
        for queue_id in waiting:  # one iterator, shared by all workers
            if self._stopping:
                return
            await self.work(queue_id)

    async def work(self, queue_id: str) -> bool:
        """One attempt at one entry; False when it was gone or claimed by another."""
        try:
            loaded = await self._pool.run(self._spool.load, queue_id)
            if loaded is None:
                return False
            spooled, message = loaded
            try:
                await self._attempt(spooled, message)
            finally:
                message.close()
        except TemporaryError as error:
            self._log_storage(error)
        except Exception:  # noqa: BLE001 - barrier: the entry stays, to be tried again
            self._log.event(
                Event.ERROR, what="queue", queue_id=queue_id, cause=traceback.format_exc()
            )
        return True

    async def _attempt(self, spooled: Spooled, message: BinaryIO) -> None:
        envelope, debts = spooled.envelope, spooled.debts
        copies = [(str(debt.recipient), _mailbox(debt)) for debt in debts]
        outcomes = await self._courier.deliver(envelope, [message], copies)
        owed = _still_owed(debts, outcomes)
        now = self._clock.now()
        if owed and is_expired(envelope.received_at, now, self._settings):
            await self._give_up(envelope, message, owed)
            return
        if owed:
            owed = await self._tell_delay(envelope, message, owed, now)
        await self._record(envelope, owed, now)
        paid = [debt for debt, done in zip(debts, outcomes, strict=True) if done.ok]
        await self._tell(envelope, message, Action.DELIVERED, paid)

    async def _record(self, envelope: Envelope, owed: Sequence[Debt], now: float) -> None:
        next_try = now
        if owed:
            next_try += wait_s(max(debt.attempts for debt in owed), self._settings)
        await self._pool.run(self._spool.record, envelope.queue_id, owed, next_try)
        for debt in owed:
            self._log.event(
                Event.DEFERRED,
                queue_id=envelope.queue_id,
                recipient=str(debt.recipient),
                code=debt.last_code,
                reason=debt.last_reason,
                next_try=next_try,
            )
        if not owed:
            self._log.event(Event.REMOVED, queue_id=envelope.queue_id)

    async def _give_up(self, envelope: Envelope, message: BinaryIO, owed: Sequence[Debt]) -> None:
        """The message has expired: tell the sender, or hold it."""
        for debt in owed:
            self._log.event(
                Event.FAILED,
                queue_id=envelope.queue_id,
                recipient=str(debt.recipient),
                code=debt.last_code,
                reason=debt.last_reason,
            )
        # RFC 3461 4.1: NOTIFY=NEVER - the sender does not want to know; nothing to keep it for.
        worth = [debt for debt in owed if wants(_recipient(envelope, debt), Action.FAILED)]
        told = await self._tell(envelope, message, Action.FAILED, worth)
        if told or not worth:
            await self._record(envelope, (), self._clock.now())
            return
        await self._pool.run(self._spool.record, envelope.queue_id, worth, self._clock.now())
        reason = "expired; its sender cannot be told from here yet"
        await self._pool.run(self._spool.hold, envelope.queue_id, reason)

    async def _tell_delay(
        self, envelope: Envelope, message: BinaryIO, owed: Sequence[Debt], now: float
    ) -> Sequence[Debt]:
        if now - envelope.received_at < self._settings.delay_notice_s:
            return owed
        fresh = [debt for debt in owed if not debt.delay_told]
        await self._tell(envelope, message, Action.DELAYED, fresh)
        return [replace(debt, delay_told=True) for debt in owed]

    async def _tell(
        self, envelope: Envelope, message: BinaryIO, action: Action, debts: Sequence[Debt]
    ) -> bool:
        reports = {}
        for debt in debts:
            recipient = _recipient(envelope, debt)
            if wants(recipient, action):
                reports[recipient.address] = _report(recipient, debt, action)
        return await self._notices.send(envelope, [message], action, list(reports.values()))

    def _log_storage(self, error: TemporaryError) -> None:
        remedy = "see that the storage is mounted, writable and not full; nothing is lost"
        self._log.event(Event.STORAGE, path="queue", reason=str(error), remedy=remedy)


def _report(recipient: Recipient, debt: Debt, action: Action) -> Report:
    if action is Action.DELIVERED:
        return Report(recipient, "2.0.0", "")
    # RFC 3464 2.3.4: the status agrees with the action; a failure that began as a temporary one
    # ends as "delivery time expired".
    code = debt.last_code or "4.0.0"
    if action is Action.FAILED and not code.startswith("5."):
        code = "4.4.7"
    elif action is Action.DELAYED:
        code = f"4{code[1:]}"
    return Report(recipient, code, debt.last_reason)


def _recipient(envelope: Envelope, debt: Debt) -> Recipient:
    found = (one for one in envelope.recipients if one.address == debt.recipient)
    return next(found, Recipient(debt.recipient))


def _mailbox(debt: Debt) -> Mailbox:
    domain = debt.user.rpartition("@")[2]
    return Mailbox(debt.user, debt.maildir, debt.quota_bytes, domain)


def _still_owed(debts: Sequence[Debt], outcomes: Sequence[Outcome]) -> Sequence[Debt]:
    return [
        replace(
            debt,
            attempts=debt.attempts + 1,
            last_code=outcome.code,
            last_reason=outcome.public,
        )
        for debt, outcome in zip(debts, outcomes, strict=True)
        if not outcome.ok
    ]
