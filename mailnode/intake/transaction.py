"""One mail transaction: the judgement of its sender and of each recipient.

Promises: what comes out of ``judge_*`` is a reply; a recipient is taken only for mailboxes that
exist here. Whoever it is that asks, and whatever form the address has, nothing is relayed: only
``Route.kind`` decides, and REMOTE is refused until sending out exists.
RFC: 5321 3.3, 4.5.1 (postmaster), 3.6.1 and 7.7 (relaying), 6409 6.1 (submission rights).
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from mailnode.directory import Mailbox
from mailnode.intake.content import Body
from mailnode.intake.desk import Desk, Role
from mailnode.model.address import Address
from mailnode.model.envelope import Client, Recipient
from mailnode.model.errors import DirectoryGone, TemporaryError
from mailnode.model.status import Outcome, Verdict
from mailnode.policy import Question, Stage
from mailnode.routing import Route, RouteKind
from mailnode.runtime.maillog import Event
from mailnode.wire.smtp.parameters import MailParameters

_NOT_YOURS = Outcome(Verdict.NEVER, "5.7.1", "you may not send as this address")
_REMOTE = Outcome(
    Verdict.NEVER, "5.7.1", "sending to other domains is not available on this server yet"
)
_FORWARDED = Outcome(
    Verdict.NEVER,
    "5.7.1",
    "this address forwards to another domain; sending there is not available on this server yet",
)
_NEEDS_DOMAIN = Outcome(Verdict.NEVER, "5.1.3", "the address needs a domain")
_ROUTED_TWICE = Outcome(Verdict.NEVER, "5.1.3", "an @ inside the local part is not accepted")
_LATER = Outcome(Verdict.LATER, "4.3.0", "temporary failure, try again later")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A recipient taken at RCPT and the mailboxes it stands for."""

    recipient: Recipient
    mailboxes: tuple[Mailbox, ...]


@dataclass(slots=True)
class Transaction:
    """What MAIL began. ``body`` is there while BDAT chunks come in; ``chunk_bytes`` counts them."""

    sender: Address | None
    parameters: MailParameters
    began_at: float
    accepted: list[Accepted] = field(default_factory=list)
    body: Body | None = None

    def close(self) -> None:
        """Forget what was read."""
        if self.body is not None:
            self.body.close()
            self.body = None


async def judge_sender(
    desk: Desk, client: Client, login: Mailbox | None, sender: Address | None, size: int, taken: int
) -> Outcome | None:
    """An objection to MAIL, or ``None``. ``taken`` messages came on this connection before."""
    if sender is not None and not sender.domain:
        return Outcome(Verdict.NEVER, "5.1.7", "the sender address needs a domain")
    if size > desk.settings.max_message_bytes:
        return Outcome(Verdict.NEVER, "5.3.4", "message too large")
    if desk.role is Role.SUBMISSION and sender is not None:
        objection = await _judge_ownership(desk, login, sender)
        if objection is not None:
            return objection
    question = Question(Stage.MAIL, client, sender=sender, size=size, messages=taken)
    return await desk.policy.judge(question)


async def _judge_ownership(desk: Desk, login: Mailbox | None, sender: Address) -> Outcome | None:
    # RFC 6409 6.1: own address, or one whose mail comes to the one who logged in.
    if login is None:
        return _NOT_YOURS
    if sender.folded == login.user:
        return None
    route = await _route(desk, sender)
    if isinstance(route, Outcome):
        return route if route.verdict is Verdict.LATER else _NOT_YOURS
    owned = any(mailbox.user == login.user for mailbox in route.mailboxes)
    return None if owned else _NOT_YOURS


async def judge_recipient(
    desk: Desk, client: Client, transaction: Transaction, recipient: Recipient
) -> Accepted | Outcome:
    """The recipient with its mailboxes, or why not."""
    address = recipient.address
    question = Question(
        Stage.RCPT,
        client,
        sender=transaction.sender,
        recipient=address,
        recipients=len(transaction.accepted),
    )
    objection = await desk.policy.judge(question)
    if objection is not None:
        return objection
    # "a@elsewhere"@here: no one here has such a name, and others have been fooled by it.
    if "@" in address.local:
        return _ROUTED_TWICE
    route = await _find(desk, address)
    if isinstance(route, Outcome):
        return route
    full = await _judge_room(desk, route.mailboxes, transaction.parameters.size)
    return full or Accepted(recipient, route.mailboxes)


async def _find(desk: Desk, address: Address) -> Route | Outcome:
    # RFC 5321 4.5.1: <postmaster> without a domain is always ours; the router knows whose.
    if not address.domain and address.local.lower() != "postmaster":
        return _NEEDS_DOMAIN
    return _local_only(desk.role, address, await _route(desk, address))


async def _route(desk: Desk, address: Address) -> Route | Outcome:
    try:
        return await desk.router.route(address)
    except DirectoryGone as error:
        return Outcome(Verdict.LATER, "4.4.3", error.public, str(error))
    except TemporaryError as error:
        return Outcome(Verdict.LATER, "4.3.0", error.public, str(error))
    except Exception:  # noqa: BLE001 - barrier: an unknown failure is a temporary one
        desk.log.event(Event.ERROR, what="routing", cause=traceback.format_exc())
        return _LATER


def _local_only(role: Role, address: Address, route: Route | Outcome) -> Route | Outcome:
    """The seam for sending out: the one place that says what may be done with a route."""
    if isinstance(route, Outcome):
        return route
    if route.kind is RouteKind.LOCAL and route.mailboxes:
        return route
    # A user of ours is told what is missing; a stranger, that we do not relay (by the router).
    if role is Role.SUBMISSION and route.remote == (address,):
        return _REMOTE
    if route.kind is RouteKind.REMOTE:
        # An alias with targets outside is refused as a whole, also when some targets are here:
        # the sender must not believe that all of them were reached.
        return _REMOTE if route.remote == (address,) else _FORWARDED
    return route.refusal or Outcome(Verdict.NEVER, "5.1.1", "no such recipient here")


async def _judge_room(desk: Desk, mailboxes: Sequence[Mailbox], size: int) -> Outcome | None:
    """Full only where every mailbox is: an alias with room in one is served, the rest is owed."""
    objection: Outcome | None = None
    for mailbox in mailboxes:
        objection = await desk.handover.check_room(mailbox, size)
        if objection is None:
            return None
    return objection
