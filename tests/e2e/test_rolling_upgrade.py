"""An earlier mailnode, taken from the project's history, and the present one as two nodes of one
mail root; then the earlier one is upgraded while the other serves, and goes back again."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_crowd_on_nodes import crowd
from tests.e2e.test_two_nodes import Idler, Senders, until
from tests.support.cluster_nodes import ClusterWorld, Node, cluster_world
from tests.support.earlier import earlier_tree

pytestmark = pytest.mark.timeout(400)
# So seldom that what comes sooner came by a hint.
POLL = {"cluster": {"poll_s": 300.0}}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return earlier_tree(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ClusterWorld]:
    with cluster_world(tmp_path, users=2) as found:
        yield found


def earlier(world: ClusterWorld, tree: Path, name: str = "n1") -> Node:
    """A node that runs the earlier program; the present one need not exist for it."""
    node = Node(name, world, **POLL)
    use(node, tree)
    if not world.nodes:
        node.write()
        world.people(node.config)
    return world.join(node)


def use(node: Node, tree: Path | None) -> None:
    """What the node runs from its next start on."""
    node.tree = tree
    node.environment = {"PYTHONPATH": str(tree)} if tree else {}


def program(node: Node) -> str:
    """Where the node's program lies."""
    assert node.process
    return str(Path(f"/proc/{node.process.pid}/cwd").resolve())


def hear_each_other(one: Node, two: Node) -> None:
    for node in (one, two):
        node.until_event("peer", heard="yes")
    for here, there in ((one, two), (two, one)):
        with contextlib.closing(Idler(there)) as idler:
            here.send()
            # Far below the poll period: hints of either version are understood by the other.
            assert idler.wait(b"EXISTS") < 20


def test_both_versions_serve_one_mailbox(world: ClusterWorld, tree: Path) -> None:
    old, new = earlier(world, tree), world.node("n2", **POLL)
    assert (program(old), program(new) != str(tree)) == (str(tree), True)
    hear_each_other(old, new)
    states = [{n["node"]: n["state"] for n in node.status()["nodes"]} for node in (old, new)]
    assert states == [{"n1": "serves", "n2": "serves"}] * 2
    client = old.imap()
    client.select()
    client.store("1:*", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()
    assert crowd(world, [old, new], 8.0, 20261125, careful=True) > 20


def test_one_node_after_the_other_is_upgraded_under_load_and_goes_back(
    world: ClusterWorld, tree: Path
) -> None:
    one, two = earlier(world, tree), earlier(world, tree, "n2")
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Senders(node, 2, node.name)) for node in (one, two)]

        def progress() -> None:
            for load in loads:
                before = len(load.acknowledged)
                until(lambda load=load, before=before: len(load.acknowledged) > before + 3, 60)

        progress()
        for target in (None, tree):
            for node in (one, two):
                # As a person does it: drained, stopped, the other program started.
                assert node.stop() == 0
                use(node, target)
                node.start()
                progress()
        # An earlier node's queue is adopted by a later one, and the other way round.
        use(two, None)
        two.stop()
        two.start()
        one.signal_all(signal.SIGKILL)
        one.wait()
        until(lambda: two.status()["nodes"][0]["state"] == "adopted", 60)
        one.start()
    acknowledged = sorted(subject for load in loads for subject in load.acknowledged)
    client = two.imap()
    client.select(readonly=True)
    _, parts = client.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    client.logout()
    heads = [part[1].decode() for part in parts if isinstance(part, tuple)]
    stored = [head.partition(":")[2].strip() for head in heads]
    assert set(acknowledged) <= set(stored)
    assert world.findings() == []
