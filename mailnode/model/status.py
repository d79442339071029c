"""Enhanced status codes and the three ways a step can end.

Promises: the first digit decides between delivered, later and never; an unknown failure is
``LATER``.
RFC: 3463 (codes), 5248 (registry).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """How a step ended: done, try again later, never."""

    DONE = 2
    LATER = 4
    NEVER = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient or one request.

    ``code`` is an RFC 3463 enhanced code such as ``2.1.5``; ``public`` is text a stranger may
    read; ``cause`` is for our own log only.
    """

    verdict: Verdict
    code: str
    public: str
    cause: str = ""

    @property
    def ok(self) -> bool:
        """True when the step is done."""
        return self.verdict is Verdict.DONE
