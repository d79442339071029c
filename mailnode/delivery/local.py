"""Delivery into the mailboxes of this server.

Promises: a copy is ``DONE`` only once ``Store.accept`` said that it is durable. Copies of messages
that come in while the store is busy go to it together, so that they share its waits for the disk.
Nothing is held back to gather more.
Fails: never raises; an unknown fault is logged and means ``LATER``.
RFC: 5321 4.4 (Return-Path on final delivery). A Return-Path already in the message stays below
ours: what was signed is not changed, and readers take the first.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import BinaryIO, TypeVar

from mailnode.delivery.posting import detail_of, folder_for
from mailnode.directory import Mailbox
from mailnode.model.envelope import Envelope
from mailnode.model.errors import MailnodeError, StorageFull, StorageGone
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.tasks import Pool
from mailnode.store import AccountRef, Delivery, NewMessage, QuotaUse, Store
from mailnode.wire.smtp.trace import format_delivered_to, format_return_path

# Batches under way at once, and copies in one: a batch's copies wait for each other.
_BATCHES = 4
_BATCH_COPIES = 64
# A mailbox far from its limit is not asked again for a while at RCPT.
_ROOM_FRESH_S = 30.0
_ROOM_KNOWN = 4096

_FULL = Outcome(Verdict.LATER, "4.2.2", "mailbox is full")
_NEVER_FITS = Outcome(Verdict.NEVER, "5.2.3", "message is larger than the mailbox may become")
_UNKNOWN = Outcome(Verdict.LATER, "4.3.0", "temporary failure, try again later")

T = TypeVar("T")
# Copies of one message and where their outcomes are awaited.
_Asked = tuple[list[Delivery], asyncio.Future[list[Outcome]]]


class LocalCourier:
    """Courier over a ``Store``."""

    def __init__(
        self, delimiters: str = "", *, store: Store, pool: Pool, log: MailLog, clock: Clock
    ) -> None:
        """``delimiters``: what may part a user's name from that of a folder in an address."""
        self._store = store
        self._pool = pool
        self._log = log
        self._clock = clock
        self._delimiters = delimiters
        self._waiting: list[_Asked] = []
        self._running: set[asyncio.Task[None]] = set()
        self._roomy: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def deliver(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        copies: Sequence[tuple[str, Mailbox]],
    ) -> list[Outcome]:
        """See ``Courier``."""
        if not copies:
            return []
        details = [detail_of(one, mailbox.user, self._delimiters) for one, mailbox in copies]
        batch = _deliveries(envelope, chunks, copies)
        if any(details):
            placed = await self._asked(partial(self._into_folders, batch, details))
            if isinstance(placed, Outcome):
                return [placed] * len(copies)
            batch = placed
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, answer))
        self._start()
        outcomes = await answer
        for (recipient, mailbox), outcome in zip(copies, outcomes, strict=True):
            if outcome.ok:
                self._log.event(
                    Event.DELIVERED,
                    queue_id=envelope.queue_id,
                    recipient=recipient,
                    mailbox=mailbox.user,
                )
        return outcomes

    def _into_folders(self, batch: list[Delivery], details: list[str]) -> list[Delivery]:
        return [
            replace(one, folder=folder_for(self._store.account(one.account), detail))
            if detail
            else one
            for one, detail in zip(batch, details, strict=True)
        ]

    async def _asked(self, ask: Callable[[], T]) -> T | Outcome:
        """What the store says, beside the loop; or why that is not known."""
        try:
            return await self._pool.run(ask)
        except MailnodeError as error:
            return self._storage_outcome(error)
        except Exception:  # noqa: BLE001 - barrier: an unknown failure is a temporary one
            self._log.event(Event.ERROR, what="delivery", cause=traceback.format_exc())
            return _UNKNOWN

    def _start(self) -> None:
        while self._waiting and len(self._running) < _BATCHES:
            taken: list[_Asked] = []
            size = 0
            while self._waiting and (not taken or size + len(self._waiting[0][0]) <= _BATCH_COPIES):
                taken.append(self._waiting.pop(0))
                size += len(taken[-1][0])
            task = asyncio.get_running_loop().create_task(self._run(taken))
            self._running.add(task)
            task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _run(self, taken: Sequence[_Asked]) -> None:
        try:
            flat = [delivery for batch, _ in taken for delivery in batch]
            outcomes = iter(await self._accept(flat))
            for batch, answer in taken:
                part = list(islice(outcomes, len(batch)))
                if not answer.done():
                    answer.set_result(part)
        finally:
            # Whatever ended this: who waits for an answer has a client that waits as well.
            for batch, answer in taken:
                if not answer.done():
                    answer.set_result([_UNKNOWN] * len(batch))

    async def _accept(self, flat: list[Delivery]) -> list[Outcome]:
        outcomes = await self._asked(partial(self._store.accept, flat))
        if isinstance(outcomes, Outcome):
            return [outcomes] * len(flat)
        if len(outcomes) == len(flat):
            return outcomes
        cause = f"{len(outcomes)} outcomes for {len(flat)} copies"
        self._log.event(Event.ERROR, what="delivery", cause=cause)
        return [_UNKNOWN] * len(flat)

    def _storage_outcome(self, error: MailnodeError) -> Outcome:
        if isinstance(error, StorageFull | StorageGone):
            self._log.event(Event.STORAGE, path="", reason=str(error), remedy=error.remedy)
        code = "4.3.1" if isinstance(error, StorageFull) else "4.3.0"
        return Outcome(Verdict.LATER, code, error.public, str(error))

    async def check_room(self, mailbox: Mailbox, size_bytes: int) -> Outcome | None:
        """See ``Courier``."""
        limit = mailbox.quota_bytes
        if limit <= 0:
            return None
        if size_bytes > limit:
            return _NEVER_FITS
        if self._has_plenty(mailbox.user, size_bytes):
            return None
        use = await self._asked(partial(self._quota, mailbox))
        if isinstance(use, Outcome):
            return use
        # What fits exactly fits; a mailbox at its limit takes nothing of unknown size.
        if use.used_bytes + max(size_bytes, 1) > limit:
            return _FULL
        self._remember(mailbox.user, limit - use.used_bytes)
        return None

    def _quota(self, mailbox: Mailbox) -> QuotaUse:
        return self._store.account(_ref(mailbox)).quota()

    def _has_plenty(self, user: str, size_bytes: int) -> bool:
        known = self._roomy.get(user)
        if known is None or known[0] < self._clock.monotonic():
            return False
        # The guess is spent as mail is offered, so that a burst asks the store in time.
        left = known[1] - max(size_bytes, 65_536)
        self._roomy[user] = (known[0], left)
        return left > 0

    def _remember(self, user: str, room_bytes: int) -> None:
        self._roomy.pop(user, None)
        self._roomy[user] = (self._clock.monotonic() + _ROOM_FRESH_S, room_bytes)
        if len(self._roomy) > _ROOM_KNOWN:
            self._roomy.popitem(last=False)


def _ref(mailbox: Mailbox) -> AccountRef:
    return AccountRef(mailbox.user, mailbox.maildir, mailbox.quota_bytes)


def _deliveries(
    envelope: Envelope,
    chunks: Sequence[bytes | memoryview | BinaryIO],
    copies: Sequence[tuple[str, Mailbox]],
) -> list[Delivery]:
    # RFC 5321 4.4: Return-Path is written once, here, where the mail leaves SMTP.
    return_path = format_return_path(envelope.sender)
    return [
        Delivery(
            _ref(mailbox),
            NewMessage(
                (return_path + format_delivered_to(recipient), *chunks), envelope.received_at
            ),
        )
        for recipient, mailbox in copies
    ]
