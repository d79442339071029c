"""Who may come in: the gate that checks logins, and the count of who is there from where."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.model.scram import ScramKeys


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
