"""Two and three nodes, one mailbox, several clients on each: all of deliver, append, copy, move,
flag, expunge and rename at random; the model, every node and the checker agree at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster_nodes import ClusterWorld, Node, cluster_world
from tests.support.mailbox_crowd import Member, State, let_loose, seen_on

pytestmark = pytest.mark.timeout(240)
SECONDS = 12.0
MEMBERS = 3


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", [20261124])
def test_model_and_all_nodes_agree(tmp_path: Path, count: int, seed: int) -> None:
    with cluster_world(tmp_path, users=2, nodes=count) as world:
        nodes = [world.node(f"n{number}") for number in range(1, count + 1)]
        assert crowd(world, nodes, SECONDS, seed) > 50


def crowd(
    world: ClusterWorld, nodes: list[Node], seconds: float, seed: int, *, careful: bool = False
) -> int:
    """Let members loose on the nodes, and have all agree at the end; how much they did."""
    members = []
    for user in world.users:
        session = nodes[0].imap(user)
        session.create("Common")
        session.logout()
        members += [
            Member(f"{user}m{number}", user, nodes, seed * 100 + number, careful)
            for number in range(MEMBERS)
        ]
    assert let_loose(members, seconds, 90) == []
    for user in world.users:
        _agree(user, [one for one in members if one.user == user], nodes)
    assert world.findings() == []
    return sum(member.steps for member in members)


def _agree(user: str, members: list[Member], nodes: list[Node]) -> None:
    expected: State = {}
    for member in members:
        assert not expected.keys() & member.state.keys()
        expected |= member.state
    seen = [seen_on(node, user) for node in nodes]
    for node, (state, uids) in zip(nodes, seen, strict=True):
        assert state == expected, node.name
        assert uids == seen[0][1], node.name
    # No UID ever named two messages: what was seen on the way and what stands now agree.
    ever: dict[tuple[str, int, int], str] = {}
    for member in members:
        for key, subject in member.uids.items():
            assert ever.setdefault(key, subject) == subject, key
    own = {member.own: member.name for member in members}
    for (folder, validity, uid), subject in seen[0][1].items():
        key = (own.get(folder, folder), validity, uid)
        assert ever.setdefault(key, subject) == subject, key
