"""Who shoots first, and who waits, on two machines of namespaces without Heartbeat: the shipped
plugin is run by hand on the second node, and says by its waits what it took the first one for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.heartbeat_pair import NAMES, SERVICE, Pair, pair_of
from tests.support.namespaces import why_no_namespaces, why_no_program

pytestmark = pytest.mark.timeout(120)
PLUGIN = "/usr/lib/stonith/plugins/external/mailnode"
DEFAULTS = "/etc/default/mailnode-ha"
BRIDGE_MAC = "02:00:00:00:00:01"
BEHIND, AT_ONCE, NO_GATEWAY = ["1"], [], ["3", "3"]
# Long waits are told and not waited for.
_SLEEP = """#!/bin/sh
case $1 in 0.*) exec /bin/sleep "$1" ;; esac
echo "$1" >> /run/slept
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Pair]:
    if reason := why_no_namespaces() or why_no_program("arping", "ping"):
        pytest.skip(reason)
    with (
        tempfile.TemporaryDirectory(prefix="mailnode-turn-", ignore_cleanup_errors=True) as folder,
        pair_of(Pair, Path(folder)) as found,
    ):
        for machine in found.machines.values():
            machine.place("/etc/mailnode/bin/sleep", _SLEEP, 0o755)
            machine.place("/etc/mailnode/shoots", "#!/bin/sh\necho $1 >> /run/shot\n", 0o755)
        yield found


@pytest.fixture
def pair(machines: Pair) -> Pair:
    """Both are on; what a test changes of their networks it changes back."""
    for number, name in enumerate(NAMES, 1):
        machine = machines.machines[name]
        if not machine.is_on:
            machine.boot()
            own = (f"10.91.0.{number}/24", f"{SERVICE[name]}/24")
            machine.link(machines.hub, "br0", "eth0", *own)
            machine.link(machines.hub, "br1", "eth1", f"10.92.0.{number}/24")
            machine.net("ip", "route", "add", "default", "via", "10.91.0.254")
    return machines


def waits(pair: Pair, node: str = "n2", peer: str = "n1") -> list[str]:
    """How long the node waited before it shot its peer."""
    machine = pair.machines[node]
    machine.run("sh", "-c", "rm -f /run/shot; : > /run/slept")
    path = f"PATH=/etc/mailnode/bin:{os.environ['PATH']}"
    words = ("hostlist=n1 n2", "MAILNODE_FENCE=/etc/mailnode/shoots", PLUGIN, "reset", peer)
    assert machine.run("env", path, *words) == "status 0"
    assert machine.run("cat", "/run/shot") == f"{peer}\n"
    return machine.run("cat", "/run/slept").split()


@contextmanager
def cut(pair: Pair, name: str, *nics: str) -> Iterator[None]:
    pair.cut(name, *nics)
    try:
        yield
    finally:
        pair.cut(name, *nics, up=True)
        if name == "n2":  # the kernel took it away with the cable
            pair.machines[name].net("ip", "route", "replace", "default", "via", "10.91.0.254")


def test_the_first_one_never_waits_while_it_has_its_gateway(pair: Pair) -> None:
    assert waits(pair, "n1", "n2") == AT_ONCE
    with cut(pair, "n2"):
        assert waits(pair, "n1", "n2") == AT_ONCE


def test_the_second_waits_for_a_first_one_that_answers(pair: Pair) -> None:
    assert waits(pair) == BEHIND


def test_it_does_not_wait_for_one_that_is_cut_off(pair: Pair) -> None:
    with cut(pair, "n1"):
        assert waits(pair) == AT_ONCE


@pytest.mark.parametrize("nic", ["eth0", "eth1"])
def test_it_waits_for_one_that_answers_on_either_network(pair: Pair, nic: str) -> None:
    with cut(pair, "n1", nic):
        assert waits(pair) == BEHIND


def test_it_waits_for_one_whose_firewall_answers_no_ping(pair: Pair) -> None:
    one = pair.machines["n1"]
    one.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all")
    try:
        assert waits(pair) == BEHIND
    finally:
        one.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all")


def test_it_waits_while_it_has_no_address_as_after_a_start(pair: Pair) -> None:
    two = pair.machines["n2"]
    two.net("ip", "addr", "del", f"{SERVICE['n2']}/24", "dev", "eth0")
    try:
        with cut(pair, "n1"):
            assert waits(pair) == BEHIND
    finally:
        two.net("ip", "addr", "add", f"{SERVICE['n2']}/24", "dev", "eth0")


def test_it_waits_where_each_half_may_have_a_gateway(pair: Pair) -> None:
    pair.hub.ip("link set br0 address 00:00:5e:00:01:07")
    try:
        with cut(pair, "n1"):
            pair.machines["n2"].net("ip", "neigh", "flush", "dev", "eth0")
            assert waits(pair) == BEHIND
    finally:
        pair.hub.ip(f"link set br0 address {BRIDGE_MAC}")
        pair.machines["n2"].net("ip", "neigh", "flush", "dev", "eth0")


def test_it_waits_where_it_was_told_to(pair: Pair) -> None:
    shipped = Path(f"{pair.machines['n2'].copies}{DEFAULTS}").read_text()
    always = shipped.replace("ALWAYS_BEHIND=no", "ALWAYS_BEHIND=yes")
    assert always != shipped
    pair.machines["n2"].place(DEFAULTS, always)
    try:
        with cut(pair, "n1"):
            assert waits(pair) == BEHIND
    finally:
        pair.machines["n2"].place(DEFAULTS, shipped)


def test_it_waits_where_it_cannot_ask(pair: Pair) -> None:
    arping = Path(f"{pair.machines['n2'].copies}/etc/mailnode/bin/arping")
    pair.machines["n2"].place("/etc/mailnode/bin/arping", "#!/bin/sh\nexit 2\n", 0o755)
    try:
        with cut(pair, "n1"):
            assert waits(pair) == BEHIND
    finally:
        arping.unlink()


def test_who_has_no_gateway_waits_longest(pair: Pair) -> None:
    with cut(pair, "n2"):
        assert waits(pair) == NO_GATEWAY


def test_it_does_not_wait_for_one_that_is_off(pair: Pair) -> None:
    pair.machines["n1"].power_off()
    assert waits(pair) == AT_ONCE
