"""The queue in a person's hands: look, try now, hold, release, remove.

Plain blocking functions over a ``DiskSpool``; the command line shows what they return. Every
change claims its entry first, so that none meets a delivery in progress.
Fails: ``StorageFull``, ``StorageGone``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailnode.queue import Debt
from mailnode.queue.claim import Claim
from mailnode.queue.entry import Damaged, Entry, State
from mailnode.queue.spool import PLACES, DiskSpool

_Edit = Callable[[State], State]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list. ``place`` is active, held or corrupt; sizes in bytes, times in seconds
    since 1970. A damaged entry has its id, its place and the reason, and zeros."""

    queue_id: str
    place: str
    sender: str = ""
    size: int = 0
    received_at: float = 0.0
    next_try_at: float = 0.0
    reason: str = ""
    debts: tuple[Debt, ...] = ()


def list_queue(spool: DiskSpool) -> list[Listed]:
    """Everything in the spool, by place, oldest first."""
    found = []
    for place in PLACES:
        for queue_id in spool.ids(place):
            one = show(spool, queue_id)
            if one is not None:
                found.append(one)
    return found


def show(spool: DiskSpool, queue_id: str) -> Listed | None:
    """One entry, or ``None`` when there is none of this id."""
    try:
        peeked = spool.peek(queue_id)
    except Damaged as error:
        return Listed(queue_id, _where(spool, queue_id), reason=str(error))
    if peeked is None:
        place = _where(spool, queue_id)
        return Listed(queue_id, place, reason="entry file missing") if place else None
    return _listed(queue_id, *peeked)


def retry_now(spool: DiskSpool, queue_id: str, now: float) -> bool:
    """Make an active entry due; False when it is not there or in work right now."""
    return _change(spool, queue_id, "active", lambda state: State(state.debts, now, ""), "active")


def hold(spool: DiskSpool, queue_id: str, reason: str) -> bool:
    """Set an active entry aside; False when it is not there or in work right now."""
    why = reason or "held by hand"
    return _change(
        spool, queue_id, "active", lambda state: State(state.debts, state.next_try_at, why), "held"
    )


def release(spool: DiskSpool, queue_id: str, now: float) -> bool:
    """Let a held entry be tried again, at once; False when it is not held."""
    return _change(spool, queue_id, "held", lambda state: State(state.debts, now, ""), "active")


def remove(spool: DiskSpool, queue_id: str) -> bool:
    """Throw an entry away, wherever it is, without telling anyone; False when it is not there or
    in work right now."""
    for place in PLACES:
        claim = spool.claim(place, queue_id)
        if claim is not None:
            try:
                spool.remove(queue_id, claim)
            finally:
                claim.release()
            return True
    return False


def _change(spool: DiskSpool, queue_id: str, place: str, edit: _Edit, target: str) -> bool:
    claim = spool.claim(place, queue_id)
    if claim is None:
        return False
    try:
        return _edit_claimed(spool, queue_id, claim, edit, target)
    finally:
        claim.release()


def _edit_claimed(spool: DiskSpool, queue_id: str, claim: Claim, edit: _Edit, target: str) -> bool:
    try:
        claim.append(edit(claim.entry().state))
    except Damaged:
        return False
    if not claim.path.endswith(f"/{target}/{queue_id}"):
        spool.move(queue_id, claim, target)
    return True


def _where(spool: DiskSpool, queue_id: str) -> str:
    return next((place for place in PLACES if queue_id in spool.ids(place)), "")


def _listed(queue_id: str, place: str, entry: Entry) -> Listed:
    envelope, state = entry.envelope, entry.state
    return Listed(
        queue_id,
        place,
        str(envelope.sender or ""),
        entry.size,
        envelope.received_at,
        state.next_try_at,
        state.held,
        state.debts,
    )
