"""What a dialog needs of its connection. ``session`` is the real one.

Fails: every awaited verb raises ``Gone`` once the client is gone, timed out or was sent away.
"""

from __future__ import annotations

from typing import Protocol

from mailnode.model.tunnel import Tunnel
from mailnode.wire.smtp.reply import Reply


class Gone(Exception):
    """The connection ended; nobody is left to answer."""


class Wire(Protocol):
    """A line- and chunk-wise connection. Replies are gathered and leave before each wait."""

    host: str
    port: int
    tls: str  # "TLSv1.3 TLS_AES_…" once encrypted
    heard: bool  # something came in, whether read or not

    def send(self, reply: Reply) -> None:
        """Queue a reply."""

    async def read_line(self, limit: int) -> bytes | None:
        """The next line with its line end; ``None`` for a longer one (which is skipped)."""

    async def read(self) -> bytes:
        """Whatever came in next, at least one byte."""

    def unread(self, data: bytes) -> None:
        """Put back what belongs to the next reader."""

    def allow(self, silence_s: float, ceiling_s: float | None = None) -> None:
        """How long the client may be silent from now on, and (if given) take in all."""

    def tunnel(self) -> Tunnel | None:
        """The TLS connection, once there is one."""

    async def start_tls(self) -> None:
        """Say so, drop all that came in before the handshake, and shake hands."""
