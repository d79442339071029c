"""End of data: the message gets its queue id and trace header, and is handed over.

Promises: a positive reply is given only for what ``Handover`` said is durable; each recipient of
LMTP gets its own (RFC 2033 4.2). A recipient whose copy loops does not hurt the others.
RFC: 5321 4.4 (trace), 6.3 (loops); 6409 8 (submission may complete the header).
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailnode.delivery.handover import Chunks, Copy
from mailnode.directory import Mailbox
from mailnode.intake.content import Body
from mailnode.intake.desk import Desk, Role
from mailnode.intake.transaction import Accepted, Transaction
from mailnode.model.envelope import Client, Envelope
from mailnode.model.queue_id import format_queue_id
from mailnode.model.status import Outcome, Verdict
from mailnode.policy import Question, Stage
from mailnode.queue.notice import note_sender
from mailnode.runtime.maillog import Event
from mailnode.wire.smtp.path import parse_address
from mailnode.wire.smtp.reply import Reply, outcome_reply
from mailnode.wire.smtp.trace import HeaderFacts, format_received, missing_fields, scan_header

_LOOP = Outcome(Verdict.NEVER, "5.4.6", "the message is going in circles")
_LATER = Outcome(Verdict.LATER, "4.3.0", "temporary failure, try again later")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A complete message and all that is known about how it came."""

    client: Client
    login: Mailbox | None
    transaction: Transaction
    body: Body

    @property
    def accepted(self) -> Sequence[Accepted]:
        """The recipients taken at RCPT."""
        return self.transaction.accepted


async def take(desk: Desk, arrival: Arrival, fault: Outcome | None) -> list[Reply]:
    """The replies to end-of-data: one for SMTP, one per recipient for LMTP."""
    envelope = make_envelope(desk, arrival)
    try:
        outcomes = await _judge_and_hand_over(desk, arrival, envelope, fault)
    except Exception:  # noqa: BLE001 - barrier: the client keeps its message
        desk.log.event(
            Event.ERROR,
            what="acceptance",
            queue_id=envelope.queue_id,
            cause=traceback.format_exc(),
        )
        outcomes = [_LATER]
    replies = [_reply(outcome, envelope.queue_id) for outcome in outcomes]
    if desk.role is Role.LMTP and len(replies) == 1:
        replies *= len(arrival.accepted)
    return replies


async def _judge_and_hand_over(
    desk: Desk, arrival: Arrival, envelope: Envelope, fault: Outcome | None
) -> list[Outcome]:
    facts = scan_header(arrival.body.head)
    refusal = fault or await _judge(desk, arrival, envelope, facts)
    if refusal is not None:
        _log_refused(desk, envelope, refusal)
        return [refusal]
    trace, facts = _trace(desk, envelope, facts)
    chunks: Chunks = [trace, *arrival.body.chunks()]
    looping = [one for one in arrival.accepted if _loops(desk, one, facts)]
    outcomes = await _hand_over(desk, arrival, envelope, chunks, looping)
    if any(outcome.ok for outcome in outcomes):
        _log_accepted(desk, arrival, envelope, facts)
    for outcome in outcomes:
        if not outcome.ok:
            _log_refused(desk, envelope, outcome)
    return outcomes


async def _judge(
    desk: Desk, arrival: Arrival, envelope: Envelope, facts: HeaderFacts
) -> Outcome | None:
    # RFC 5321 6.3: many Received headers mean a loop.
    if facts.received >= desk.settings.max_received:
        return _LOOP
    question = Question(
        Stage.DATA,
        arrival.client,
        sender=envelope.sender,
        recipients=len(envelope.recipients),
        size=arrival.body.check.size,
        head=arrival.body.head,
    )
    return await desk.policy.judge(question)


async def _hand_over(
    desk: Desk,
    arrival: Arrival,
    envelope: Envelope,
    chunks: Chunks,
    looping: Sequence[Accepted],
) -> list[Outcome]:
    if desk.role is Role.LMTP:
        groups = [[] if one in looping else _copies([one]) for one in arrival.accepted]
        outcomes = await desk.handover.hand_over(envelope, chunks, groups)
        return [
            outcome if group else _LOOP for outcome, group in zip(outcomes, groups, strict=True)
        ]
    fine = _copies([one for one in arrival.accepted if one not in looping])
    if not fine:
        return [_LOOP]
    outcome = (await desk.handover.hand_over(envelope, chunks, [fine]))[0]
    if outcome.ok and looping and not await _set_aside(desk, envelope, chunks, looping):
        return [_LATER]
    return [outcome]


async def _set_aside(
    desk: Desk, envelope: Envelope, chunks: Chunks, looping: Sequence[Accepted]
) -> bool:
    aside = replace(envelope, queue_id=_new_id(desk))
    return await desk.handover.set_aside(aside, chunks, _copies(looping), _LOOP)


def _copies(accepted: Sequence[Accepted]) -> list[Copy]:
    """One copy per mailbox, however many recipients lead to it; the first one names it."""
    copies: dict[str, Copy] = {}
    for one in accepted:
        for mailbox in one.mailboxes:
            copies.setdefault(mailbox.user, Copy(one.recipient.address, mailbox))
    return list(copies.values())


def _loops(desk: Desk, one: Accepted, facts: HeaderFacts) -> bool:
    # Our own Delivered-To for the same recipient: this copy has been here before. Users may send
    # on to themselves what they have, so submission is not asked.
    if desk.role is Role.SUBMISSION or not facts.delivered_to:
        return False
    return one.recipient.address.folded in facts.delivered_to


def make_envelope(desk: Desk, arrival: Arrival) -> Envelope:
    """The envelope under a new queue id."""
    transaction, parameters = arrival.transaction, arrival.transaction.parameters
    return Envelope(
        queue_id=_new_id(desk),
        sender=transaction.sender,
        recipients=tuple(one.recipient for one in arrival.accepted),
        client=arrival.client,
        received_at=desk.clock.now(),
        smtputf8=parameters.smtputf8,
        body=parameters.body,
        ret=parameters.ret,
        envid=parameters.envid,
        require_tls=parameters.require_tls,
        extra=note_sender(arrival.login) if arrival.login is not None else {},
    )


def _new_id(desk: Desk) -> str:
    return format_queue_id(desk.clock.now(), secrets.randbits(40))


def _trace(desk: Desk, envelope: Envelope, facts: HeaderFacts) -> tuple[bytes, HeaderFacts]:
    """What goes on top of the message, and the facts of its header with that."""
    trace = format_received(envelope, desk.hostname)
    if desk.role is Role.SUBMISSION:
        user = parse_address(envelope.client.user)
        author = envelope.sender or user
        if author is not None:
            message_id = f"{envelope.queue_id}@{desk.hostname}"
            trace += missing_fields(facts, author, message_id, envelope.received_at)
            if "message-id" not in facts.names:
                facts = replace(facts, message_id=f"<{message_id}>")
    # A message without any header must not become one with a broken header.
    return trace if facts.well_formed else trace + b"\r\n", facts


def _reply(outcome: Outcome, queue_id: str) -> Reply:
    if outcome.ok:
        return Reply(250, "2.0.0", f"accepted as {queue_id}")
    return outcome_reply(outcome)


def _log_accepted(desk: Desk, arrival: Arrival, envelope: Envelope, facts: HeaderFacts) -> None:
    desk.log.event(
        Event.ACCEPTED,
        queue_id=envelope.queue_id,
        service=desk.role.value,
        peer=arrival.client.host,
        sender=str(envelope.sender or ""),
        recipients=len(envelope.recipients),
        size=arrival.body.check.size,
        message_id=facts.message_id,
    )


def _log_refused(desk: Desk, envelope: Envelope, outcome: Outcome) -> None:
    desk.log.event(
        Event.REFUSED,
        queue_id=envelope.queue_id,
        service=desk.role.value,
        peer=envelope.client.host,
        sender=str(envelope.sender or ""),
        recipient="",
        code=outcome.code,
        reason=outcome.cause or outcome.public,
    )
