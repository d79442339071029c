"""The other workers of this node, reached by unix datagrams.

Promises: never blocks; a peer whose queue is full misses the hint (its own poll catches up); the
socket file of a dead peer is removed; bounded work per wake-up.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from mailnode.cluster.hint import DATAGRAM_MAX_BYTES, MAGIC
from mailnode.runtime.clock import Clock

SUFFIX = ".hint"
_READS_PER_WAKE = 64
_RELIST_S = 5.0


class Carrier(Protocol):
    """Brings datagrams to others and theirs to us; between nodes another one than within."""

    def send(self, datagrams: Iterable[bytes]) -> None:
        """To everybody else; never blocks, never raises. Loop thread only."""

    def close(self) -> None:
        """Leave."""


class UnixPeers:
    """``Carrier`` between the workers that share ``folder``."""

    def __init__(self, folder: Path, *, clock: Clock, received: Callable[[bytes], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._clock = clock
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        # A socket's path is limited to 107 bytes, a folder's is not: go by way of its descriptor.
        self._folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._near = f"/proc/self/fd/{self._folder_fd}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(f"{self._near}/{self._name}")
        self._peers: set[str] = set()
        self._listed_at = float("-inf")
        self._loop.add_reader(self._socket, self._read)
        # Those who are there already learn of us by this greeting.
        self.send([MAGIC])

    def send(self, datagrams: Iterable[bytes]) -> None:
        """To every other worker of the node."""
        # A greeting may be waiting: who just came is to hear this too.
        self._read()
        self._relist()
        for datagram in datagrams:
            for peer in list(self._peers):
                self._send_to(peer, datagram)

    def close(self) -> None:
        """Leave; our socket file goes."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._unlink(self._name)
        os.close(self._folder_fd)

    def _send_to(self, peer: str, datagram: bytes) -> None:
        try:
            self._socket.sendto(datagram, f"{self._near}/{peer}")
        except BlockingIOError:
            return
        except FileNotFoundError:
            self._peers.discard(peer)
        except ConnectionRefusedError:
            # Nobody reads there any more: its process was killed.
            self._peers.discard(peer)
            self._unlink(peer)
        except OSError:
            return

    def _relist(self) -> None:
        now = self._clock.monotonic()
        if now - self._listed_at < _RELIST_S:
            return
        self._listed_at = now
        try:
            names = os.listdir(self._folder_fd)
        except OSError:
            return
        self._peers = {name for name in names if name.endswith(SUFFIX) and name != self._name}

    def _read(self) -> None:
        for _ in range(_READS_PER_WAKE):
            try:
                datagram, sender = self._socket.recvfrom(DATAGRAM_MAX_BYTES + 1)
            except OSError:
                return
            self._meet(sender)
            self._received(datagram)

    def _meet(self, sender: object) -> None:
        """A sender is a peer, known before the next listing."""
        name = os.path.basename(sender) if isinstance(sender, str) else ""
        if name.endswith(SUFFIX) and name != self._name:
            self._peers.add(name)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._folder_fd)
        except OSError:
            return
