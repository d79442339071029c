"""UIDBATCHES as a value.

RFC: 10022.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UidBatches:
    """So many messages a batch; only the batches ``first`` to ``last`` (from 1, the newest
    messages' first), or all of them."""

    size: int
    only: tuple[int, int] | None = None
