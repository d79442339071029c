"""What IMAP's and POP3's services have in common: their sockets, their sessions, their end.

Promises: one coarse timer for all sessions; ``drain`` returns within its time.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mailnode.access.arrival import local_host
from mailnode.access.link import Link
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.tally import Tally, alone
from mailnode.runtime.tls import Certificates

if TYPE_CHECKING:
    from mailnode.access.door import DoorProtocol

SWEEP_S = 5.0
LinkT = TypeVar("LinkT", bound=Link[Any])


class Bounds(Protocol):
    """How many connections there may be."""

    @property
    def max_sessions(self) -> int:
        """In one worker."""

    @property
    def max_sessions_per_ip(self) -> int:
        """From one IP address, on this node."""


class AccessService(ABC, Generic[LinkT]):
    """Implements ``runtime.service.Service``."""

    def __init__(
        self,
        *,
        bounds: Bounds,
        certificates: Certificates,
        clock: Clock,
        log: MailLog,
        proxies: TrustedProxies | None,
        name: str,
        tally: Tally | None,
    ) -> None:
        self._name, self._tally = name, tally or alone()
        self._bounds = bounds
        self._certificates = certificates
        self._clock = clock
        self._log = log
        self._proxies = proxies or TrustedProxies()
        self._links: dict[LinkT, str] = {}  # and the local address each came in on
        self._closes: Callable[[str], bool] = lambda local: False
        self._ports: list[Any] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    @abstractmethod
    def _protocol(self) -> type[DoorProtocol]:
        """What speaks on our sockets."""

    @abstractmethod
    def _connect(self, wire: DoorProtocol, host: str, implicit_tls: bool) -> LinkT:
        """The link of a new client."""

    async def serve(self, sock: socket.socket, *, implicit_tls: bool) -> None:
        """Accept on an already bound and listening socket; returns once accepting."""
        # Imported only here: Twisted's POP3 takes the process's reactor when it is imported, so
        # the reactor must have been chosen before.
        from mailnode.access.door import Doorway, listen

        sock.setblocking(False)
        door = Doorway(self._welcome, self._certificates, implicit_tls, self._proxies, self._log)
        self._ports.append(listen(sock, self._protocol(), door))
        if self._sweeper is None:
            self._sweep()

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let commands end, say goodbye, return within the time."""
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

    def _welcome(self, wire: DoorProtocol, host: str, implicit_tls: bool) -> LinkT | None:
        local = local_host(wire.transport)
        if self._closes(local) or len(self._links) >= self._bounds.max_sessions:
            return None
        if self._tally.enter(self._key(host)) > self._bounds.max_sessions_per_ip:
            self._tally.leave(self._key(host))
            return None
        link = self._connect(wire, host, implicit_tls)
        self._links[link] = local
        return link

    def _key(self, host: str) -> str:
        return f"{self._name} {host}"

    def _strike_off(self, link: LinkT) -> None:
        self._links.pop(link, None)
        self._tally.leave(self._key(link.peer))
        if not self._links:
            self._empty.set()

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for link in list(self._links):
            link.sweep(now)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
