"""One client's session: who it is, what it may say now, what its maildrop holds.

Promises: nothing here knows the framework; a session holds no task and no timer of its own.
RFC: 1939 4, 5, 6 (states).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from mailnode.access.admission import Census
from mailnode.access.pop3.maildrop import Maildrop
from mailnode.access.pop3.reply import Refused, Reply, err
from mailnode.directory import Gate, Service
from mailnode.directory.exchange import Visitor, offers
from mailnode.model.tunnel import Tunnel
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.pop3 import Pop3Settings
from mailnode.runtime.tasks import Pool
from mailnode.store import Store
from mailnode.wire.pop3.texts import DEFAULT, translated
from mailnode.wire.pop3.uidl import UidlFormat


class State(Enum):
    """RFC 1939 3."""

    AUTHORIZATION = "authorization"
    TRANSACTION = "transaction"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Means:
    """What all sessions of a worker share; nothing in it belongs to one of them."""

    settings: Pop3Settings
    gate: Gate
    store: Store
    pool: Pool
    clock: Clock
    log: MailLog
    uidl: UidlFormat
    census: Census = field(default_factory=lambda: Census(1 << 30))


class Out(Protocol):
    """The session's way to its client; kept by the connection."""

    secure: bool
    peer: str

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; nothing happens once it is gone."""

    async def drain(self) -> None:
        """Wait while the client is behind. Raises ``Hangup`` once it is gone."""

    async def read_line(self, limit: int) -> bytes | None:
        """The client's next line; ``None`` if longer than ``limit``. Raises ``Hangup``."""

    def tunnel(self) -> Tunnel | None:
        """The TLS connection, once its handshake is done."""

    def start_tls(self) -> None:
        """Throw away unread input and begin the TLS handshake."""

    def cut(self, reason: str) -> None:
        """End the connection at once; the response begun cannot be ended."""


class Session:
    """The state of one connection; used by one coroutine at a time."""

    __slots__ = ("claimed_user", "language", "maildrop", "means", "out", "state", "user", "utf8")

    def __init__(self, means: Means, out: Out) -> None:
        self.means = means
        self.out = out
        self.state = State.AUTHORIZATION
        self.claimed_user = ""  # USER's argument, until PASS
        self.user = ""
        self.utf8 = False  # the client knows UTF-8 headers
        self.language = DEFAULT
        self.maildrop: Maildrop | None = None

    def line(self, reply: Reply) -> bytes:
        """The reply as this client wants to read it."""
        if self.language == DEFAULT:
            return reply.line()
        return replace(reply, text=translated(reply.text, self.language, utf8=self.utf8)).line()

    def drop(self) -> Maildrop:
        """The maildrop; only after login."""
        if self.maildrop is None:
            raise Refused(err("log in first"))
        return self.maildrop

    def password_allowed(self) -> bool:
        """May a client send its password now?"""
        return self.out.secure or self.means.settings.plaintext_login

    def mechanisms(self) -> tuple[str, ...]:
        """What AUTH takes now, the strongest first."""
        if not self.password_allowed():
            return ()
        return offers(self.visitor())

    def visitor(self) -> Visitor:
        """The client as one that wants to log in."""
        out = self.out
        return Visitor(self.means.gate, Service.POP3, out.peer, out.secure, out.tunnel())

    def forget(self) -> None:
        """RFC 2595 4: after STLS, nothing said before counts."""
        self.claimed_user, self.utf8, self.language = "", False, DEFAULT

    async def end(self) -> None:
        """Give back what the session holds. Deletes nothing (RFC 1939 6)."""
        drop, self.maildrop = self.maildrop, None
        if self.user:
            self.means.census.leave(self.user, self.out.peer)
            self.user = ""
        if drop is not None:
            await self.means.pool.run(drop.close)
