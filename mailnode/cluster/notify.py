"""Word of changes between the sessions and workers of a node, and on to other nodes.

Promises: as ``cluster.Hints``: only a hint, so it may be lost, never wait. The first hint after a
quiet moment is told at once, those within ``REST_S`` after it together. Many hints for one key
become one; what waits to be told is bounded, beyond that everybody is told to look.
Locks: one around the waiting hints, held for a dictionary access.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from mailnode.cluster.beyond import Beyond, Heard
from mailnode.cluster.hint import decode, encode
from mailnode.cluster.peers import Carrier, UnixPeers
from mailnode.cluster.subscriptions import Subscriptions
from mailnode.runtime.clock import Clock

_WAITING_MAX_KEYS = 4096
# A datagram wakes every worker of the node. A busy one sends fifty a second, not one a delivery;
# nobody sees mail later than he could notice.
REST_S = 0.02
# The key that no folder has: look at every folder.
_EVERYTHING = ""


class LocalHints:
    """``Hints`` within one node. Make and close it on the event loop."""

    def __init__(self, *, folder: Path, clock: Clock, poll_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._subscriptions = Subscriptions(poll_s)
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._lost = False
        self._resting = False
        self._closed = False
        self._far: Beyond | None = None
        # Last: what others send while it greets them is received already.
        self._near: Carrier = UnixPeers(folder, clock=clock, received=self._received)

    def reach(self, make: Callable[[Heard], Beyond]) -> Beyond:
        """Go beyond this node: ``make`` builds the carrier, given whom it is to tell."""
        self._far = make(self._heard_from_afar)
        return self._far

    def publish(self, key: str, modseq: int) -> None:
        """Tell this process and the others; thread-safe, never raises, never blocks."""
        with self._lock:
            first = not self._waiting and not self._lost and not self._resting
            if key in self._waiting or len(self._waiting) < _WAITING_MAX_KEYS:
                self._waiting[key] = max(modseq, self._waiting.get(key, 0))
            else:
                self._lost = True
        if first and not self._closed:
            try:
                self._loop.call_soon_threadsafe(self._spread)
            except RuntimeError:
                # The loop has ended under a thread that was still writing: nobody is to be told.
                return

    def subscribe(self, key: str, heard: Callable[[int], None]) -> Callable[[], None]:
        """Call ``heard`` at each hint, and with 0 once in each poll period."""
        return self._subscriptions.add(key, heard)

    def close(self) -> None:
        """Stop; later publishing is ignored."""
        self._closed = True
        self._subscriptions.close()
        self._near.close()

    def _spread(self) -> None:
        with self._lock:
            hints, self._waiting = self._waiting, {}
            lost, self._lost = self._lost, False
            self._resting = bool(hints) or lost
        if self._closed or not self._resting:
            return
        # Whatever comes meanwhile waits in the dictionary, and wakes no loop.
        self._loop.call_later(REST_S, self._spread)
        self._tell(hints, lost)
        self._near.send(encode({_EVERYTHING: 0} if lost else hints))
        if self._far:
            self._far.offer(hints, lost)

    def _received(self, datagram: bytes) -> None:
        """From another worker of this node: it is for the other nodes too, if we speak to them."""
        hints = dict(decode(datagram) or ())
        lost = hints.pop(_EVERYTHING, None) is not None
        self._tell(hints, lost)
        if self._far and (hints or lost):
            self._far.offer(hints, lost)

    def _heard_from_afar(self, hints: Mapping[str, int], everything: bool) -> None:
        """From another node: for all workers here, and never sent on to other nodes."""
        if not self._closed:
            self._tell(hints, everything)
            self._near.send(encode({_EVERYTHING: 0} if everything else hints))

    def _tell(self, hints: Mapping[str, int], everything: bool) -> None:
        for key, modseq in hints.items():
            self._subscriptions.tell(key, modseq)
        if everything:
            self._subscriptions.tell_all()
