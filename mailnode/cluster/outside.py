"""Word of changes from a process that is no worker: a command beside the running service.

Promises: as ``cluster.Hints.publish``: only a hint, so it never waits and never fails; where no
service runs nothing happens. The workers of this node hear it, and one of them tells the other
nodes. The first change is told at once, those that follow within ``REST_S`` with the next one or
at the end, as one for each folder.
Locks: one around the waiting hints and the socket; held for some ``sendto`` that do not wait.
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from mailnode.cluster.hint import encode
from mailnode.cluster.peers import SUFFIX
from mailnode.runtime.clock import Clock

# Whoever imports a hundred thousand messages wakes the workers so often, not at each of them.
REST_S = 0.2
MAX_WAITING = 4096


class Outside:
    """``folder``: where the workers' sockets are. Thread-safe. ``close`` tells what is left."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._told_at = float("-inf")

    def publish(self, key: str, modseq: int) -> None:
        """Folder ``key`` moved to ``modseq``."""
        with self._lock:
            self._waiting[key] = max(modseq, self._waiting.get(key, 0)) if modseq else 0
            now = self._clock.monotonic()
            if now - self._told_at >= REST_S or len(self._waiting) >= MAX_WAITING:
                self._told_at = now
                self._tell()

    def close(self) -> None:
        """Tell what waits. More may be published afterwards."""
        with self._lock:
            self._tell()

    def _tell(self) -> None:
        hints, self._waiting = self._waiting, {}
        if not hints:
            return
        try:
            # A socket's path is limited to 107 bytes, a folder's is not.
            near = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return  # no service here, or not ours to speak to: the poll will do
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                peers = [name for name in os.listdir(near) if name.endswith(SUFFIX)]
                for datagram in encode(hints):
                    for peer in peers:
                        _send(sender, datagram, f"/proc/self/fd/{near}/{peer}")
        except OSError:
            return
        finally:
            os.close(near)


def _send(sender: socket.socket, datagram: bytes, path: str) -> None:
    try:
        sender.sendto(datagram, path)
    except OSError:
        return  # its queue is full, or it is gone; its socket file is for the workers to remove
