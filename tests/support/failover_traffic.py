"""Clients at both service addresses of a pair while its addresses move; what must hold then."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from tests.support.failover_clients import Greeter, Reader, Sender, in_network, look
from tests.support.heartbeat_pair import DOMAIN, PASSWORD, SERVICE, SERVICE6, Pair

# Far more than it takes: what is bounded is that it happens at all.
_WITHIN_S = 120.0


class Traffic:
    """Clients at both service addresses, all that is acknowledged kept."""

    def __init__(self, pair: Pair, timeout_s: float = 5.0) -> None:
        self.pair, hub = pair, pair.hub
        self.greeter, self.greeter6 = Greeter(hub, SERVICE["n1"]), Greeter(hub, SERVICE6["n1"], 143)
        self.moving = [Sender(hub, SERVICE["n1"], "user1", f"m{n}") for n in range(2)]
        self.staying = Sender(hub, SERVICE["n2"], "user1", "s")
        self.readers = [Reader(hub, SERVICE[name], "user1") for name in SERVICE]
        for one in self._clients():
            one.timeout_s = timeout_s

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for one in self._clients():
                stack.enter_context(one)
            self.until_more()
            # Only now: clients that are not served end, too.
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _clients(self) -> list[Greeter | Sender | Reader]:
        return [self.greeter, self.greeter6, *self.moving, self.staying, *self.readers]

    def until_more(self, count: int = 10) -> None:
        """Until every sender had more messages acknowledged, every reader saw some, and either
        address that may move has greeted."""
        began, greeters = time.monotonic(), (self.greeter, self.greeter6)
        senders = [*self.moving, self.staying]
        goals = [len(one.acknowledged) + count for one in senders]
        looks = [len(one.latencies) + 3 for one in self.readers]
        self.pair.until(
            lambda: (
                all(len(s.acknowledged) >= g for s, g in zip(senders, goals, strict=True))
                and all(len(r.latencies) >= n for r, n in zip(self.readers, looks, strict=True))
                and all(one.greetings and one.greetings[-1].began > began for one in greeters)
            ),
            "clients are not served",
            _WITHIN_S,
        )

    def nothing_is_broken(self) -> None:
        """Every transaction was answered, refused or politely ended."""
        clients = [*self.moving, self.staying, *self.readers]
        broken = [fault for one in clients for fault in one.broken]
        assert broken == [], broken

    def tell(self, case: str, since: float, record: Callable[[str, object], None]) -> None:
        """Say how long nobody was greeted at the address that moved."""
        gap, gap6 = (one.longest_gap_s(since) for one in (self.greeter, self.greeter6))
        record(case, round(gap, 2))
        print(f"{case}: {gap:.2f} s without a greeting by IPv4, {gap6:.2f} s by IPv6; goal 2.5 s")

    def nothing_is_lost(self) -> None:
        """What was promised is there, under the numbers it was shown under."""
        for one in self._clients():
            assert one.faults == [], one.faults
        validity, stored = in_network(self.pair.hub, lambda: stored_at(SERVICE["n2"]))
        for sender in [*self.moving, self.staying]:
            assert set(sender.acknowledged) <= set(stored.values())
        for reader in self.readers:
            for (known_validity, uid), subject in reader.seen.items():
                assert known_validity == validity
                assert stored[uid] == subject
        findings = self.pair.findings()
        assert findings == [], findings


def stored_at(address: str) -> tuple[int, dict[int, str]]:
    """UIDVALIDITY and subjects by UID, as the address shows them; for a thread inside."""
    client = imaplib.IMAP4(address, 143, timeout=30)
    client.login(f"user1@{DOMAIN}", PASSWORD)
    found = look(client)
    client.logout()
    return found
