"""The SMTP service of a worker: sockets in, sessions counted, drained at the end.

Promises: a certificate that was reloaded serves the next connection; ``drain`` lets transactions
end, says 421 to the rest, and returns within its time.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable

from mailnode.delivery import Courier
from mailnode.delivery.handover import Handover
from mailnode.directory import Gate
from mailnode.intake.desk import Desk, Role, Urls
from mailnode.intake.session import SmtpSession
from mailnode.policy import Chain
from mailnode.policy.limits import CountLimits
from mailnode.queue import Spool
from mailnode.routing import Router
from mailnode.runtime.acceptor import Acceptor
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.proxies import TrustedProxies
from mailnode.runtime.settings.smtp import SmtpSettings
from mailnode.runtime.tally import Tally, alone
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import Certificates

__all__ = ["Role", "SmtpService"]


class SmtpService:
    """MX, submission or LMTP, as ``role`` says."""

    def __init__(
        self,
        *,
        role: Role,
        hostname: str,
        settings: SmtpSettings,
        router: Router,
        gate: Gate,
        courier: Courier,
        spool: Spool,
        pool: Pool,
        certificates: Certificates,
        clock: Clock,
        log: MailLog,
        policy: Chain | None = None,
        proxies: TrustedProxies | None = None,
        tally: Tally | None = None,
        urls: Urls | None = None,
    ) -> None:
        self.proxies = proxies or TrustedProxies()
        handover = Handover(
            courier=courier, spool=spool, pool=pool, clock=clock, log=log, hostname=hostname
        )
        self._desk = Desk(
            role=role,
            hostname=hostname,
            settings=settings,
            router=router,
            gate=gate,
            handover=handover,
            pool=pool,
            certificates=certificates,
            clock=clock,
            log=log,
            policy=policy or Chain((CountLimits(settings),)),
            urls=urls if role is Role.SUBMISSION else None,
        )
        self._servers: list[Acceptor] = []
        self._sessions: set[SmtpSession] = set()
        self._tally = tally or alone()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closes: Callable[[str], bool] = lambda local: False

    async def serve(self, sock: socket.socket, *, implicit_tls: bool) -> None:
        """Accept on a bound and listening socket; returns once accepting."""
        loop = asyncio.get_running_loop()

        def session() -> SmtpSession:
            return SmtpSession(self._desk, self, loop, implicit_tls=implicit_tls)

        self._servers.append(Acceptor(sock, session))

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let transactions end, say goodbye to the rest, within the time."""
        for server in self._servers:
            server.close()
        for session in tuple(self._sessions):
            session.drain()
        if await self._emptied(timeout_s * 0.9):
            return
        for session in tuple(self._sessions):
            session.abort()
        await self._emptied(timeout_s * 0.1)

    async def _emptied(self, timeout_s: float) -> bool:
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def session_count(self) -> int:
        """Open connections now."""
        return len(self._sessions)

    def sessions_by_address(self) -> Counter[str]:
        """See ``Service``."""
        return Counter(session.local for session in self._sessions)

    def turn_away(self, closes: Callable[[str], bool]) -> None:
        """See ``Service``."""
        self._closes = closes
        for session in tuple(self._sessions):
            if closes(session.local):
                session.drain()

    def closes(self, local: str) -> bool:
        """See ``session.Register``."""
        return self._closes(local)

    def enter(self, session: SmtpSession) -> tuple[int, int]:
        """A session begins; with it, how many this worker has, and the node from its peer."""
        self._sessions.add(session)
        self._empty.clear()
        peer = peer_key(session.host)
        return len(self._sessions), self._tally.enter(self._key(peer)) if peer else 1

    def leave(self, session: SmtpSession) -> None:
        """It ended."""
        self._sessions.discard(session)
        peer = peer_key(session.host)
        if peer:
            self._tally.leave(self._key(peer))
        if not self._sessions:
            self._empty.set()

    def _key(self, peer: str) -> str:
        return f"{self._desk.role.value} {peer}"


def peer_key(host: str) -> str:
    """What is counted as one peer: an IPv4 address, an IPv6 /64; empty for this machine."""
    if not host or host == "::1" or host.startswith("127."):
        return ""
    if ":" not in host:
        return host
    packed = socket.inet_pton(socket.AF_INET6, host)
    return packed[:8].hex()
