"""What every listening service of a worker looks like to ``main``."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from typing import Protocol


class Service(Protocol):
    """A protocol server inside one worker; ``main`` builds it, feeds it sockets and drains it."""

    async def serve(self, sock: socket.socket, *, implicit_tls: bool) -> None:
        """Accept on an already bound and listening socket; returns once accepting."""

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let transactions end, say goodbye to the rest, return within the time."""

    def session_count(self) -> int:
        """Open connections now."""

    def sessions_by_address(self) -> Counter[str]:
        """Open connections by the local address they came in on (empty: a unix socket)."""

    def turn_away(self, closes: Callable[[str], bool]) -> None:
        """From now on, sessions on local addresses for which ``closes`` is true end between
        transactions, and new ones are told to come later. Replaces what was said before."""
