"""What each test of a pair that it shares with others begins with, whatever was left by the test
before it or by one that failed half way: so each can be run alone, and in any order."""

from __future__ import annotations

import socket
from contextlib import suppress
from subprocess import TimeoutExpired

from tests.support.failover_clients import in_network
from tests.support.heartbeat_pair import NAMES, SERVICE, SERVICE6, Pair

_ANSWERS_S = 10.0


def at_home(pair: Pair) -> None:
    """Both nodes are on, connected and serving, each with its own addresses, and nobody was shot.
    A pair that is not so is switched off and started anew. Raises ``AssertionError`` when that
    does not help."""
    if not _is_whole(pair):
        start_anew(pair)
    pair.switch.shot.clear()


def start_anew(pair: Pair) -> None:
    """The power fails for both; then all as ``pair.start`` does it."""
    switch_off(pair)
    pair.start()


def switch_off(pair: Pair) -> None:
    """Both, whether they are on or not."""
    for machine in pair.machines.values():
        machine.power_off()


def _is_whole(pair: Pair) -> bool:
    if not all(machine.is_on for machine in pair.machines.values()):
        return False
    # What does not answer, or not as it should, is not whole.
    with suppress(AssertionError, TimeoutExpired, OSError):
        for name, machine in pair.machines.items():
            machine.thaw()
            pair.cut(name, up=True)
        return _own_addresses(pair) and _serve(pair) and pair.until_settled() >= 0
    return False


def _own_addresses(pair: Pair) -> bool:
    return all(pair.owner(of[name]) == [name] for of in (SERVICE, SERVICE6) for name in NAMES)


def _serve(pair: Pair) -> bool:
    return in_network(pair.hub, lambda: all(map(_greeted, SERVICE.values())))


def _greeted(address: str) -> bool:
    with socket.create_connection((address, 25), _ANSWERS_S) as sock:
        return sock.recv(500).startswith(b"220")
