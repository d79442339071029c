"""What all sessions of a worker share, and their way to the client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mailnode.access.admission import Census
from mailnode.access.imap.list_cache import ListCache
from mailnode.access.imap.message_file import MessageCache
from mailnode.access.imap.orders import Orders
from mailnode.access.imap.owners import Owners, nobody_else
from mailnode.cluster import Hints
from mailnode.directory import Gate
from mailnode.model.tunnel import Tunnel
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import MailLog
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.tasks import Pool
from mailnode.store import Store


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
    owners: Owners = nobody_else
    lists: ListCache = field(default_factory=ListCache)
    orders: Orders = field(default_factory=Orders)


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

    def tunnel(self) -> Tunnel | None:
        """The TLS connection, once its handshake is done."""

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
