"""The IMAP service of a worker: its sockets, its sessions, its end.

Promises: one coarse timer for all sessions; ``drain`` returns within its time.
"""

from __future__ import annotations

import asyncio
import socket
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from mailnode.access.imap.connection import Connection
from mailnode.access.imap.filling import Filler
from mailnode.access.imap.means import Census, Gate, Means
from mailnode.access.imap.protocol import ImapFactory, listen
from mailnode.cluster import Hints
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import Certificates
from mailnode.store import Store

SWEEP_S = 5.0


class ImapService:
    """Implements ``runtime.service.Service``."""

    def __init__(
        self,
        *,
        settings: ImapSettings,
        gate: Gate,
        store: Store,
        pool: Pool,
        hints: Hints,
        certificates: Certificates,
        clock: Clock,
        log: MailLog,
        proxies: TrustedProxies | None = None,
    ) -> None:
        census = Census(settings.max_sessions_per_user_ip)
        self._means = Means(settings, gate, store, pool, hints, clock, log, census=census)
        self._certificates = certificates
        self._settings = settings
        self._proxies = proxies or TrustedProxies()
        self._links: dict[Connection, str] = {}  # and the local address each came in on
        self._closes: Callable[[str], bool] = lambda local: False
        self._hosts: Counter[str] = Counter()
        self._ports: list[Any] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._filler = Filler(self._means)
        self._filling: asyncio.Task[None] | None = None
        self._empty = asyncio.Event()

    async def serve(self, sock: socket.socket, *, implicit_tls: bool) -> None:
        """Accept on an already bound and listening socket; returns once accepting."""
        sock.setblocking(False)
        factory = ImapFactory(
            self._means,
            self._certificates,
            implicit_tls,
            self._admit,
            self._enlist,
            self._strike_off,
            self._proxies,
        )
        self._ports.append(listen(sock, factory))
        if self._sweeper is None:
            self._sweep()

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let commands end, say BYE, return within the time."""
        for port in self._ports:
            port.stopListening()
        self._ports.clear()
        for link in list(self._links):
            link.stop()
        await self._wait_empty(timeout_s)
        for link in list(self._links):
            link.abort()
        # What was cut off still closes its folders.
        await self._wait_empty(1.0)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._filling is not None:
            await self._filling

    async def fill(self) -> None:
        """Use a quiet moment for the view of a client that idles."""
        try:
            await self._filler.turn([link.session for link in self._links])
        except Exception:  # noqa: BLE001 - the barrier: nobody waits for this, the log has it
            cause = traceback.format_exc()
            self._means.log.event(Event.ERROR, what="imap filling the view", cause=cause)

    def session_count(self) -> int:
        """Open connections now."""
        return len(self._links)

    def sessions_by_address(self) -> Counter[str]:
        """See ``Service``."""
        return Counter(self._links.values())

    def turn_away(self, closes: Callable[[str], bool]) -> None:
        """See ``Service``."""
        self._closes = closes
        for link, local in list(self._links.items()):
            if closes(local):
                link.stop()

    async def _wait_empty(self, timeout_s: float) -> None:
        if not self._links:
            return
        self._empty.clear()
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:
            return

    def _admit(self, host: str, local: str) -> bool:
        return (
            not self._closes(local)
            and len(self._links) < self._settings.max_sessions
            and self._hosts[host] < self._settings.max_sessions_per_ip
        )

    def _enlist(self, link: Connection, local: str) -> None:
        self._links[link] = local
        self._hosts[link.peer] += 1

    def _strike_off(self, link: Connection) -> None:
        self._links.pop(link, None)
        self._hosts[link.peer] -= 1
        if self._hosts[link.peer] <= 0:
            del self._hosts[link.peer]
        if not self._links:
            self._empty.set()

    def _sweep(self) -> None:
        now = self._means.clock.monotonic()
        for link in list(self._links):
            link.sweep(now)
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(self.fill())
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
