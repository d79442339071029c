"""When to try again: doubling waits with jitter, and an end.

RFC: 5321 4.5.4.1 (retry, give up after days).
"""

from __future__ import annotations

import random

from mailnode.runtime.settings.queue import QueueSettings

# Spread, so that what failed together (a full disk, a lost mount) is not retried together.
_JITTER = 0.2


def wait_s(attempts: int, settings: QueueSettings) -> float:
    """Seconds to wait after ``attempts`` (1 or more) failed ones."""
    doubled = settings.first_retry_s * float(2 ** min(max(attempts - 1, 0), 20))
    wait = min(doubled, settings.max_retry_s)
    return wait * random.uniform(1 - _JITTER, 1 + _JITTER)


def is_expired(received_at: float, now: float, settings: QueueSettings) -> bool:
    """True when a message of ``received_at`` has been tried long enough.

    ``now`` before ``received_at`` (a clock set back) is not expired.
    """
    return now - received_at >= settings.expire_s
