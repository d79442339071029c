"""The moment of acceptance: every copy in a mailbox, or owed by the spool, or refused.

Promises: a group of copies (one SMTP message; one LMTP recipient) is answered ``DONE`` only once
each of its copies is durable in a mailbox or in the spool. If none of a group is, the whole group
is refused and nothing is kept: its client still has it. Where some are, the rest is owed, also
when a copy failed for good: the client can no longer take back a part.
Duplicates beat losses: if the spool fails too, the group is refused although some copies arrived.
Fails: never raises.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from mailnode.delivery import Courier
from mailnode.directory import Mailbox
from mailnode.model.address import Address
from mailnode.model.envelope import Envelope
from mailnode.model.errors import MailnodeError
from mailnode.model.status import Outcome, Verdict
from mailnode.queue import Debt, Spool
from mailnode.queue.bounce import Action, Report, wants
from mailnode.queue.notice import Notices
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.tasks import Pool

_DONE = Outcome(Verdict.DONE, "2.0.0", "ok")
_REMEDY = "see that the queue's storage is mounted, writable and not full"
Chunks = Sequence[bytes | memoryview | BinaryIO]


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy to make: for this recipient (as the client named it), into this mailbox."""

    recipient: Address
    mailbox: Mailbox


class Handover:
    """Tries all copies at once and sees to what is left."""

    def __init__(
        self,
        *,
        courier: Courier,
        spool: Spool,
        pool: Pool,
        clock: Clock,
        log: MailLog,
        hostname: str,
    ) -> None:
        self._courier = courier
        self._spool = spool
        self._pool = pool
        self._log = log
        self._notices = Notices(
            spool=spool, courier=courier, pool=pool, clock=clock, log=log, hostname=hostname
        )

    async def check_room(self, mailbox: Mailbox, size_bytes: int) -> Outcome | None:
        """See ``Courier.check_room``."""
        return await self._courier.check_room(mailbox, size_bytes)

    async def hand_over(
        self, envelope: Envelope, chunks: Chunks, groups: Sequence[Sequence[Copy]]
    ) -> list[Outcome]:
        """One outcome per group, ``LATER`` for every refusal that waiting may cure."""
        copies = list(dict.fromkeys(copy for group in groups for copy in group))
        made = await self._courier.deliver(
            envelope, chunks, [(str(copy.recipient), copy.mailbox) for copy in copies]
        )
        outcomes = dict(zip(copies, made, strict=True))
        owed = [copy for group in groups for copy in _owed(group, outcomes)]
        kept = not owed or await self._owe(envelope, chunks, owed, outcomes)
        answers = [_answer(group, outcomes, kept) for group in groups]
        if any(one.notify for one in envelope.recipients):
            await self._tell_success(envelope, chunks, outcomes)
        return answers

    async def set_aside(
        self, envelope: Envelope, chunks: Chunks, copies: Sequence[Copy], refusal: Outcome
    ) -> bool:
        """Keep copies that must not be delivered under a queue id of their own, held for a person
        to look at; False when that failed."""
        if not await self._owe(envelope, chunks, copies, dict.fromkeys(copies, refusal)):
            return False
        try:
            await self._pool.run(self._hold, envelope.queue_id, refusal.public)
        except MailnodeError as error:
            self._log.event(Event.STORAGE, path="queue", reason=str(error), remedy=_REMEDY)
            return False
        return True

    def _hold(self, queue_id: str, reason: str) -> None:
        loaded = self._spool.load(queue_id)
        if loaded is not None:
            with loaded[1]:
                self._spool.hold(queue_id, reason)

    async def _owe(
        self,
        envelope: Envelope,
        chunks: Chunks,
        owed: Sequence[Copy],
        outcomes: dict[Copy, Outcome],
    ) -> bool:
        debts = [_debt(copy, outcomes[copy]) for copy in owed]
        try:
            await self._pool.run(self._spool.accept, envelope, chunks, debts)
        except MailnodeError as error:
            self._log.event(Event.STORAGE, path="queue", reason=str(error), remedy=_REMEDY)
            return False
        except Exception:  # noqa: BLE001 - barrier: what is not surely kept is refused
            self._log.event(
                Event.ERROR,
                what="spool",
                queue_id=envelope.queue_id,
                cause=traceback.format_exc(),
            )
            return False
        self._log.event(Event.QUEUED, queue_id=envelope.queue_id, recipients=len(debts))
        return True

    async def _tell_success(
        self, envelope: Envelope, chunks: Chunks, outcomes: dict[Copy, Outcome]
    ) -> None:
        """RFC 3461 6.2: a recipient all of whose copies arrived is reported, if asked for."""
        failed = {copy.recipient for copy, outcome in outcomes.items() if not outcome.ok}
        arrived = {copy.recipient for copy in outcomes} - failed
        reports = [
            Report(one, "2.0.0", "")
            for one in envelope.recipients
            if one.address in arrived and wants(one, Action.DELIVERED)
        ]
        try:
            await self._notices.send(envelope, chunks, Action.DELIVERED, reports)
        except MailnodeError as error:
            # The mail itself is safe; a lost receipt must not refuse it.
            self._log.event(
                Event.ERROR, what="notification", queue_id=envelope.queue_id, cause=str(error)
            )


def _owed(group: Sequence[Copy], outcomes: dict[Copy, Outcome]) -> list[Copy]:
    failed = [copy for copy in group if not outcomes[copy].ok]
    return failed if len(failed) < len(group) else []


def _answer(group: Sequence[Copy], outcomes: dict[Copy, Outcome], kept: bool) -> Outcome:
    failed = [outcomes[copy] for copy in group if not outcomes[copy].ok]
    if not failed or (kept and len(failed) < len(group)):
        return _DONE
    return _refusal(failed)


def _refusal(failed: Sequence[Outcome]) -> Outcome:
    """One answer for a group that failed: always "later", since it might work next time."""
    first = next((one for one in failed if one.verdict is Verdict.LATER), failed[0])
    if first.verdict is Verdict.LATER:
        return first
    return replace(first, verdict=Verdict.LATER, code=f"4{first.code[1:]}")


def _debt(copy: Copy, outcome: Outcome) -> Debt:
    mailbox = copy.mailbox
    return Debt(
        copy.recipient,
        mailbox.user,
        mailbox.maildir,
        mailbox.quota_bytes,
        attempts=1,
        last_code=outcome.code,
        last_reason=outcome.public,
    )
