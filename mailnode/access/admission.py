"""How many logged-in sessions there are from where."""

from __future__ import annotations

from mailnode.runtime.tally import Tally, alone


class Census:
    """How many logged-in sessions of ``service`` each pair of user and IP address has on this
    node."""

    def __init__(self, limit: int, service: str = "", tally: Tally | None = None) -> None:
        self._limit, self._service, self._tally = limit, service, tally or alone()

    def __len__(self) -> int:
        """How many pairs are counted here."""
        return len(self._tally)

    def enter(self, user: str, ip: str) -> bool:
        """Count one more, unless the limit is reached."""
        key = self._key(user, ip)
        # Counted first: of two who come at once in two workers, both see the other.
        if self._tally.enter(key) <= self._limit:
            return True
        self._tally.leave(key)
        return False

    def leave(self, user: str, ip: str) -> None:
        """Count one less; who is not there any more takes no memory."""
        self._tally.leave(self._key(user, ip))

    def _key(self, user: str, ip: str) -> str:
        return f"{self._service} {ip} {user}"
