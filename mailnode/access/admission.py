"""How many logged-in sessions there are from where."""

from __future__ import annotations

from collections import Counter


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
