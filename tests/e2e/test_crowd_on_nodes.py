"""Two and three nodes, one mailbox, several clients on each: all of deliver, append, copy, move,
flag, expunge and rename at random; the model, every node and the checker agree at the end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.support.cluster_nodes import ClusterWorld, Node, cluster_world
from tests.support.mailbox_crowd import Member, State, seen_on

pytestmark = pytest.mark.timeout(240)
SECONDS = 12.0
MEMBERS = 3


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("seed", [20261124])
def test_model_and_all_nodes_agree(tmp_path: Path, count: int, seed: int) -> None:
    with cluster_world(tmp_path, users=2, nodes=count) as world:
        nodes = [world.node(f"n{number}") for number in range(1, count + 1)]
        crowd(world, nodes, SECONDS, seed)


def crowd(
    world: ClusterWorld, nodes: list[Node], seconds: float, seed: int, *, careful: bool = False
) -> None:
    """Let members loose on the nodes, and have all agree at the end."""
    members = []
    for user in world.users:
        session = nodes[0].imap(user)
        session.create("Common")
        session.logout()
        members += [
            Member(f"{user}m{number}", user, nodes, seed * 100 + number, careful)
            for number in range(MEMBERS)
        ]
    faults = _run(members, seconds)
    assert faults == []
    for user in world.users:
        _agree(user, [one for one in members if one.user == user], nodes)
    assert world.findings() == []
    assert sum(member.steps for member in members) > 20


def _run(members: list[Member], seconds: float) -> list[str]:
    faults: list[str] = []

    def work(member: Member) -> None:
        try:
            member.run(seconds)
            member.close()
        except Exception as error:
            faults.append(f"{member.name} after {member.steps} steps: {error!r}")

    threads = [threading.Thread(target=work, args=(member,)) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 90)
        assert not thread.is_alive(), "a client hangs"
    return faults


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
