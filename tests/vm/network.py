"""The lab's two networks, in a network namespace that this process itself moves into.

Whoever enters starts machines and clients there; the namespace ends with its last process, so
nothing of it is left behind, however a run ends.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.namespaces import checked
from tests.vm.plan import CLIENTS_HOST, CLIENTS_HOST6, SPOTS, STORAGE_HOST, Spot

_CLONE_NEWNET = 0x40000000
CLIENTS, STORAGE = "clients", "storage"


def tap(link: str, spot: Spot) -> str:
    """The host's end of a node's cable."""
    return f"{link}{spot.number}"


def why_no_cards() -> str:
    """Why this host makes no TAP devices; empty where it does."""
    command = ["unshare", "-n", "ip", "tuntap", "add", "lab0", "mode", "tap"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()


@contextmanager
def networks(spots: Sequence[Spot] = SPOTS) -> Iterator[None]:
    """Both networks with a cable to each spot, for this thread and all it starts."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("unshare", _CLONE_NEWNET)
        try:
            _lay(spots)
            yield
        finally:
            _call("setns", before, _CLONE_NEWNET)
    finally:
        os.close(before)


def set_cable(link: str, spot: Spot, *, plugged: bool) -> None:
    """Pull a node's cable, or put it back."""
    checked(["ip", "link", "set", tap(link, spot), "up" if plugged else "down"])


def _lay(spots: Sequence[Spot]) -> None:
    checked(["ip", "link", "set", "lo", "up"])
    for link, host in ((CLIENTS, CLIENTS_HOST), (STORAGE, STORAGE_HOST)):
        checked(
            ["ip", "link", "add", link, "type", "bridge", "stp_state", "0", "forward_delay", "0"]
        )
        checked(["ip", "link", "set", link, "type", "bridge", "mcast_snooping", "0"])
        checked(["ip", "link", "set", link, "up"])
        checked(["ip", "addr", "add", f"{host}/24", "brd", "+", "dev", link])
        for spot in spots:
            checked(["ip", "tuntap", "add", tap(link, spot), "mode", "tap"])
            checked(["ip", "link", "set", tap(link, spot), "master", link, "up"])
    checked(["ip", "addr", "add", f"{CLIENTS_HOST6}/64", "dev", CLIENTS, "nodad"])


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
