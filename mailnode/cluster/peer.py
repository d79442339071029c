"""What the process that speaks for this node knows of one other node."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from statistics import median

from mailnode.cluster.sealed import UNKNOWN_BOOT, Hello, Sealed, Window
from mailnode.runtime.settings.cluster import Peer

# A node that was not heard for so long is silent; HELLO comes every second.
HEARD_WITHIN_S = 2.5
_BOOTS = 16
# Round trips that are kept: those of the last minute.
_TRIPS = 60


@dataclass(slots=True)
class PeerState:
    """Times are the machine's monotonic seconds. ``boot`` is that of the peer's present process,
    learned from a HELLO that was meant for ours."""

    peer: Peer
    address: tuple[int, tuple[str, int]] | None = None  # family and socket address
    boot: bytes = UNKNOWN_BOOT
    version: int = 1
    heard_at: float = float("-inf")
    replied_at: float = float("-inf")
    was_heard: bool = False
    trips_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_TRIPS))
    hello_us: int = 0
    hello_at: float = 0.0
    sent: int = 0
    received: int = 0
    lost: int = 0
    windows: OrderedDict[bytes, Window] = field(default_factory=OrderedDict)

    def take(self, found: Sealed) -> bool:
        """Whether this counter of this boot was never seen before; counts what is missing."""
        window = self.windows.setdefault(found.boot, Window())
        before = window.highest
        if not window.take(found.counter):
            return False
        self.received += 1
        if before:
            # What comes late after all is taken off again.
            self.lost += found.counter - before - 1 if found.counter > before else -1
        return True

    @property
    def is_crowded(self) -> bool:
        """More boots than are worth remembering: ours should change, which voids all before."""
        return len(self.windows) > _BOOTS

    def learn(self, found: Sealed, hello: Hello, newest: int, now: float) -> bool:
        """Take in a HELLO meant for us; whether the peer's process is a new one to us."""
        fresh = found.boot != self.boot
        self.boot, self.version = found.boot, max(1, min(hello.newest, newest))
        self.heard_at = self.hello_at = now
        self.hello_us = hello.sent_us
        if hello.echo_us:
            self.trips_ms.append(max(0.0, now * 1e6 - hello.echo_us - hello.held_us) / 1000)
        return fresh

    def is_heard(self, now: float) -> bool:
        """Whether the node spoke just now."""
        return now - self.heard_at < HEARD_WITHIN_S

    def facts(self, now: float) -> dict[str, object]:
        """For the status command."""
        known, trips = self.heard_at > float("-inf"), self.trips_ms
        # Half of a round trip, both event loops included: what a hint takes to be acted upon.
        # The clocks of two machines differ, so one way alone cannot be measured.
        return {
            "node": self.peer.name,
            "address": str(self.peer.endpoint),
            "heard": self.is_heard(now),
            "heard_s": round(now - self.heard_at, 2) if known else None,
            "version": self.version if known else None,
            "lag_ms": round(median(trips) / 2, 2) if trips else None,
            "lag_max_ms": round(max(trips) / 2, 2) if trips else None,
            "sent": self.sent,
            "received": self.received,
            "lost": self.lost,
        }
