"""Commands on a user's account beyond its folders and messages, as values.

RFC: 9208 (QUOTA).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GetQuota:
    """GETQUOTA; GETQUOTAROOT has ``OneMailbox``."""

    root: str


@dataclass(frozen=True, slots=True)
class SetQuota:
    """SETQUOTA; resource names in upper case with their limits."""

    root: str
    limits: tuple[tuple[str, int], ...]


AccountArgs = GetQuota | SetQuota
