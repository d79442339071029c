"""What a login may ask of the TLS connection that its client came through.

RFC: 5056 (channel bindings), 5929, 9266; 4422 A (EXTERNAL).
"""

from __future__ import annotations

from typing import Protocol


class Tunnel(Protocol):
    """One TLS connection; ask only once its handshake is done."""

    def bindings(self) -> tuple[str, ...]:
        """Names of the channel bindings that both ends can know here, the best first."""

    def binding(self, name: str) -> bytes | None:
        """The channel binding's data; ``None`` for one that is not among ``bindings``."""

    def client_names(self) -> tuple[str, ...]:
        """Addresses, in lower case, that the client's certificate is for; none unless it was
        shown and verified."""
