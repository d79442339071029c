"""Talking with systemd: sockets it passed to us, and how we are.

Promises: does nothing at all when systemd did not start us; never raises for a lost notify socket.
Sources: sd_listen_fds(3), sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

from mailnode.model.errors import BadSettings

_FIRST_FD = 3


def take_sockets(
    services: frozenset[str], environment: MutableMapping[str, str] | None = None
) -> dict[str, list[socket.socket]]:
    """Listening sockets passed by systemd, by service (``FileDescriptorName=``).

    Takes the variables out of the environment. Raises ``BadSettings`` for an unknown name.
    """
    env = os.environ if environment is None else environment
    pid, count = env.pop("LISTEN_PID", ""), env.pop("LISTEN_FDS", "")
    names = env.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    found: dict[str, list[socket.socket]] = {}
    for number in range(int(count)):
        name = names[number] if number < len(names) else ""
        if name not in services:
            known = ", ".join(sorted(services))
            raise BadSettings(
                f'socket unit: FileDescriptorName "{name}" is no service; write one of: {known}'
            )
        os.set_inheritable(_FIRST_FD + number, False)
        sock = socket.socket(fileno=_FIRST_FD + number)
        sock.setblocking(False)
        found.setdefault(name, []).append(sock)
    return found


class Notifier:
    """Tells systemd our state through ``NOTIFY_SOCKET``."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        env = os.environ if environment is None else environment
        # Workers and their children must not speak for the service.
        self._address = env.pop("NOTIFY_SOCKET", "")
        usec, pid = env.pop("WATCHDOG_USEC", ""), env.pop("WATCHDOG_PID", str(os.getpid()))
        wanted = usec.isdigit() and pid == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if wanted else 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def ready(self, status: str) -> None:
        """Start-up or reload is complete."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload began."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end began."""
        self._send("STOPPING=1\nSTATUS=Draining")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Say nothing more; called in a forked worker too."""
        self._address = ""
        self._socket.close()

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            self._socket.sendto(text.encode(), address)
        except OSError:
            # systemd restarts a service it does not hear; nothing better is to be done here.
            return
