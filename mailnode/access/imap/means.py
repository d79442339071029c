"""What all sessions of a worker share, and the count of who is logged in from where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from mailnode.access.imap.message_file import MessageCache
from mailnode.cluster import Hints
from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.model.scram import ScramKeys
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import Pool
from mailnode.store import Store


class Hangup(Exception):
    """The client is gone; whatever waits for it ends."""


class Gate(Protocol):
    """Checks passwords, throttles and logs (``directory.gate.LoginGate``)."""

    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The mailbox, or why not. Raises ``DirectoryGone``."""

    @property
    def scram(self) -> bool:
        """Are the mechanisms of the SCRAM family offered?"""

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """The user's keys, or some that no password fits. Raises ``DirectoryGone``."""

    async def proved(
        self, user: str, right: bool, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The mailbox of who has proved to know the password, or why not."""


class Census:
    """How many logged-in sessions each pair of user and IP address has."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._counts: Counter[tuple[str, str]] = Counter()

    def enter(self, user: str, ip: str) -> bool:
        """Count one more, unless the limit is reached."""
        if self._counts[user, ip] >= self._limit:
            return False
        self._counts[user, ip] += 1
        return True

    def leave(self, user: str, ip: str) -> None:
        """Count one less; who is not there any more takes no memory."""
        self._counts[user, ip] -= 1
        if self._counts[user, ip] <= 0:
            del self._counts[user, ip]


@dataclass(frozen=True, slots=True)
class Means:
    """Passed to every session; nothing in it belongs to one of them."""

    settings: ImapSettings
    gate: Gate
    store: Store
    pool: Pool
    hints: Hints
    clock: Clock
    log: MailLog
    can_start_tls: bool = True
    census: Census = field(default_factory=lambda: Census(1 << 30))
    cache: MessageCache = field(default_factory=MessageCache)


class Out(Protocol):
    """The session's way to its client; kept by the connection."""

    secure: bool
    compressed: bool
    peer: str

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; nothing happens once it is gone."""

    async def drain(self) -> None:
        """Wait while the client is behind. Raises ``Hangup`` once it is gone."""

    async def read_line(self, limit: int) -> bytes | None:
        """The client's next line without CRLF; ``None`` if longer than ``limit`` bytes.
        Raises ``Hangup``."""

    def cut(self, reason: str) -> None:
        """End the connection at once; the protocol cannot be kept up."""

    def start_tls(self) -> None:
        """Throw away unread input and begin the TLS handshake."""

    def start_deflate(self) -> None:
        """Compress from here on, both ways."""

    def start_over(self) -> None:
        """The client is a stranger again; octets are plain from here on, both ways."""

    def wake(self) -> None:
        """A hint came while the client idles: run ``commands.idle.push`` soon."""


class Wire(Protocol):
    """What the framework's door does for us."""

    def write(self, data: bytes) -> None:
        """Queue for sending."""

    def start_tls(self) -> None:
        """Begin the handshake."""

    def pause(self) -> None:
        """Stop reading from the socket."""

    def resume(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Send what is queued, then close."""

    def abort(self) -> None:
        """Close at once."""
