"""Says to Heartbeat once more that a takeover is complete, when it did not hear it.

The script that raises a dead node's addresses writes so to Heartbeat's log and then to its pipe,
where the message may be lost (``missing`` tells how). Heartbeat is "in transition" then for ever,
with the addresses raised: nobody who waits for its rest gets on, and it does not stop when told to.
Promises: it is repeated only when the log has it as said and not as heard for ``wait_s``, nothing
began since, and Heartbeat still is in transition; once.

Other messages need no such care: those that end a move are written by Heartbeat's own program, at
once, and are never lost; to raise an address is asked for by ``missing``; an order is given anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

MESSAGE = ">>>\nt=resource\nrsc_hold=foreign\ninfo=mach_down\n<<<\n"
_SAID = "nice_failback: foreign resources acquired"
# Heard; or of the past, for Heartbeat or a move began anew.
_OVER = ("info: mach_down takeover complete.", "wants to go standby", "Starting heartbeat")
# What is looked at of a log that was there before us, and at most of its growth at a time.
_TAIL_BYTES, _MOST_BYTES = 1 << 18, 1 << 20


class Repeater:
    """``lines`` gives the log's lines since the last time; ``in_transition`` is Heartbeat's own
    word; ``tell`` writes to Heartbeat and returns whether it could; ``say`` tells people."""

    def __init__(
        self,
        *,
        lines: Callable[[], Iterator[str]],
        in_transition: Callable[[], bool],
        tell: Callable[[str], bool],
        say: Callable[[str], None],
        wait_s: float = 20.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lines, self._in_transition = lines, in_transition
        self._tell, self._say, self._wait_s, self._now = tell, say, wait_s, now
        self._due: float | None = None

    def look(self) -> None:
        """One look; repeat what was not heard for long enough."""
        for line in self._lines():
            if _SAID in line:
                self._due = self._now() + self._wait_s
            elif any(one in line for one in _OVER):
                self._due = None
        if self._due is None or self._now() < self._due:
            return
        self._due = None
        if self._in_transition():
            told = "it was told once more" if self._tell(MESSAGE) else "it cannot be told"
            self._say(f"Heartbeat did not hear that its takeover is complete; {told}")


class LogTail:
    """The new lines of a log that may be replaced or cut any time; nothing while it is not
    there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode, self._offset, self._rest = 0, 0, b""

    def __call__(self) -> Iterator[str]:
        """Whole lines that came since the last time; at first the end of what is there."""
        with suppress(OSError), self._path.open("rb") as file:
            status = self._path.stat()
            if status.st_ino != self._inode or status.st_size < self._offset:
                first = self._inode == 0
                self._inode, self._rest = status.st_ino, b""
                self._offset = max(0, status.st_size - _TAIL_BYTES) if first else 0
            file.seek(self._offset)
            read = file.read(_MOST_BYTES)
            self._offset += len(read)
            *lines, self._rest = (self._rest + read).split(b"\n")
            self._rest = self._rest[-_TAIL_BYTES:]
            yield from (line.decode(errors="replace") for line in lines)
