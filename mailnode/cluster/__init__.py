"""Which nodes live, and who must be told of a change?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Hints(Protocol):
    """Word that a folder changed, between sessions, workers and (later) nodes.

    A hint is never needed for correctness: whoever hears one looks at the journal; whoever
    hears none looks at it anyway after the poll period.
    """

    def publish(self, key: str, modseq: int) -> None:
        """Folder ``key`` moved to ``modseq``. Thread-safe, never raises, never blocks."""

    def subscribe(self, key: str, heard: Callable[[int], None]) -> Callable[[], None]:
        """Call ``heard(modseq)`` on the event loop at each hint and at each poll period
        (then with 0); returns the call that ends it. Loop thread only."""
