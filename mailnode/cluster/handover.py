"""Orders to Heartbeat (haresources), given until they are carried out.

Heartbeat takes an order to move addresses only while no other move is under way, on either node,
and says so in its log alone: an order that comes too early is gone. A move goes on for some seconds
after the address is seen on its new node, until the agent there has ended.
Promises: waits until Heartbeat is at rest, orders, waits until it is at rest again and looks who
holds what; orders anew where nothing came of it; ends within its time, give or take one order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum

# Heartbeat cancels an order that the other node does not answer after 10 s.
_STEP_S = 0.25


class Part(StrEnum):
    """What is handed over: everything, the addresses at home here, or those of the other node."""

    ALL = "all"
    LOCAL = "local"
    FOREIGN = "foreign"


# What `cl_status rscstatus` says of a node at rest, as the parts it holds.
_HELD: dict[str, frozenset[Part]] = {
    "none": frozenset(),
    "local": frozenset({Part.LOCAL}),
    "foreign": frozenset({Part.FOREIGN}),
    "all": frozenset({Part.LOCAL, Part.FOREIGN}),
}


def held_parts(said: str) -> frozenset[Part] | None:
    """What Heartbeat's word for it means; ``None`` while it is not at rest, or says nothing."""
    return _HELD.get(said)


def hand_over(
    part: Part,
    *,
    ask: Callable[[], str],
    order: Callable[[Part], bool],
    within_s: float,
    stop: threading.Event,
) -> bool:
    """Whether this node holds nothing of ``part`` any more. ``ask`` gives Heartbeat's word for
    what is held here (any other word: it is not at rest); ``order`` gives the order."""
    end = time.monotonic() + within_s
    while (held := _at_rest(ask, end, stop)) is not None:
        if not held & _wanted(part):
            return True
        if not order(part):
            return False
        # Until it has heard of the order it seems to be at rest.
        _until(lambda: ask() not in _HELD, min(end, time.monotonic() + 1), stop)
    return False


def _wanted(part: Part) -> frozenset[Part]:
    return _HELD["all"] if part is Part.ALL else frozenset({part})


def _at_rest(ask: Callable[[], str], end: float, stop: threading.Event) -> frozenset[Part] | None:
    """What is held, once that is certain; ``None`` when the time is over."""
    while (said := ask()) not in _HELD:
        if time.monotonic() >= end or stop.wait(_STEP_S):
            return None
    return _HELD[said] if time.monotonic() < end else None


def _until(what: Callable[[], bool], end: float, stop: threading.Event) -> None:
    while not what() and time.monotonic() < end and not stop.wait(_STEP_S / 5):
        continue
