"""Which passwords were found right a short while ago, so that they need not be hashed again.

Promises: holds no password and nothing it could be guessed from outside this process (HMAC with
a random key that never leaves it); an entry holds for one stored hash only, so a changed password
ends it.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict

from mailnode.runtime.clock import Clock


class Verified:
    """A bounded memory of right passwords."""

    def __init__(self, *, clock: Clock, lifetime_s: float, entries: int) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._lifetime_s = lifetime_s
        self._entries = entries
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def __contains__(self, pair: tuple[str, str]) -> bool:
        """Whether (stored hash, password) was right less than the lifetime ago."""
        at = self._known.get(self.mark(*pair))
        return at is not None and self._clock.monotonic() - at <= self._lifetime_s

    def add(self, stored: str, password: str) -> None:
        """Remember a password that was right for this stored hash."""
        mark = self.mark(stored, password)
        self._known[mark] = self._clock.monotonic()
        self._known.move_to_end(mark)
        while len(self._known) > self._entries:
            self._known.popitem(last=False)

    def mark(self, stored: str, password: str) -> bytes:
        """What the pair is remembered by; tells nothing of it."""
        text = f"{len(stored)}:{stored}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")
