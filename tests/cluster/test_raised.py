"""Two machines on one mail root: where is which address raised, and whose directory answers?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster_nodes import ClusterWorld, Node, cluster_world
from tests.support.namespaces import Network, need_namespaces, network

pytestmark = pytest.mark.timeout(300)
ADDRESSES = ["192.0.2.25", "192.0.2.26", "2001:db8::25"]


class Machine(Node):
    """A node in a network of its own; nobody but its commands can reach it."""

    def __init__(self, name: str, world: ClusterWorld, net: Network) -> None:
        super().__init__(name, world)
        self.net = net
        self.sections["listen"] = {"smtp": ["127.0.0.1:2525"]}
        self.sections["cluster"] |= {"listen": [], "service_addresses": ADDRESSES}
        self.sections["directory"] = {"urls": [f"sqlite:///{world.folder / name}.db"]}
        self.sections["server"]["workers"] = 2
        self.write()
        world.people(self.config)

    def python(self, *words: str) -> list[str]:
        return self.net.command(*super().python(*words))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    need_namespaces()
    with ExitStack() as stack:
        nets = [stack.enter_context(network(f"raised{number}")) for number in (1, 2)]
        world = stack.enter_context(cluster_world(tmp_path))
        one, two = (Machine(f"n{number}", world, net) for number, net in enumerate(nets, 1))
        yield world.join(one), world.join(two)


def until(what: Callable[[], Any], wanted: Any, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while (found := what()) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.2)


def where(node: Machine) -> dict[str, str]:
    return {one["address"]: "".join(one["on"]) for one in node.status()["addresses"]}


def test_each_node_knows_where_each_address_is(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    one.net.ip("addr add 192.0.2.25/24 dev lo")
    two.net.ip("addr add 192.0.2.26/24 dev lo")
    two.net.ip("-6 addr add 2001:db8::25/64 dev lo nodad")
    homes = dict(zip(ADDRESSES, ("n1", "n2", "n2"), strict=True))
    for node in pair:
        until(lambda node=node: where(node), homes)
    table = one.command("cluster", "status").stdout
    assert "192.0.2.26 2001:db8::25" in table
    assert "ATTENTION" not in table
    # It moves; then nobody has it; then both.
    two.net.ip("addr del 192.0.2.26/24 dev lo")
    for node in pair:
        until(lambda node=node: where(node), homes | {"192.0.2.26": ""})
    assert "ATTENTION: 192.0.2.26 is raised nowhere" in two.command("cluster", "status").stdout
    for node in pair:
        node.net.ip("addr add 192.0.2.26/24 dev lo")
    until(lambda: where(one), homes | {"192.0.2.26": "n1n2"})
    assert "raised on more than one node: n1, n2" in one.command("cluster", "status").stdout
    # What a dead node said counts for nothing, whatever its machine may have raised.
    two.kill()
    until(lambda: where(one), {"192.0.2.25": "n1", "192.0.2.26": "n1", "2001:db8::25": ""})
    table = one.command("cluster", "status").stdout
    assert "n1 serves smtp 127.0.0.1:2525" in table
    assert "n2 serves" not in table


def _directory(node: Machine) -> dict[str, str]:
    return {one["node"]: one["directory"] for one in node.status()["nodes"]}


def test_a_node_whose_directory_is_gone_fails_where_another_knows_more(
    pair: tuple[Machine, Machine],
) -> None:
    one, two = pair
    until(lambda: _directory(one), {"n1": "answers", "n2": "answers"})
    deep = one.command("cluster", "monitor", "--level", "10")
    assert (deep.returncode, "the directory answers" in deep.stdout) == (0, True), deep
    _without_database(one)
    until(lambda: _directory(two), {"n1": "nothing", "n2": "answers"})
    deep = one.command("cluster", "monitor", "--level", "10")
    assert deep.returncode == 1
    assert "nobody is known here: n2 knows" in deep.stdout
    assert two.command("cluster", "monitor", "--level", "10").returncode == 0
    # No better anywhere else: addresses stay where they are.
    _without_database(two)
    until(lambda: _directory(one), {"n1": "nothing", "n2": "nothing"})
    deep = one.command("cluster", "monitor", "--level", "10")
    assert (deep.returncode, "gone on every node" in deep.stdout) == (0, True), deep


def _without_database(node: Machine) -> None:
    """Start it anew where no database answers, so that nobody is known from before."""
    node.stop()
    node.sections["directory"] = {"urls": ["mysql://nobody@127.0.0.1:9/none"]}
    node.start()
