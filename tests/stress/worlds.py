"""Servers for the crowd: one of two workers, or several nodes on one mail root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stress.client import Place
from tests.support import cluster_nodes, peopled_server

# Places to go to, and what the log and the checker complain of in the end.
World = tuple[list[Place], Callable[[], list[str]]]
# On a machine that has too much to do nobody is to hear "later" instead of what is tried here.
PATIENT: dict[str, object] = {"query_timeout_s": 60, "connect_timeout_s": 60}


@contextmanager
def single(folder: Path) -> Iterator[World]:
    """One server."""
    with peopled_server.peopled(folder, users=2, directory=PATIENT) as server:
        places = _ways("127.0.0.1", server.ports, server.users, peopled_server.PASSWORD)

        def faults() -> list[str]:
            server.check_store()
            return [str(one) for one in server.faults()]

        yield places, faults


@contextmanager
def cluster(folder: Path, count: int) -> Iterator[World]:
    """Several nodes."""
    with cluster_nodes.cluster_world(folder, users=2, nodes=count) as world:
        nodes = [world.node(name, directory=PATIENT) for name in world.spots]
        users = [f"{user}@{cluster_nodes.DOMAIN}" for user in world.users]
        places = [
            place
            for node in nodes
            for place in _ways(node.host, node.ports, users, cluster_nodes.PASSWORD)
        ]

        def faults() -> list[str]:
            found = [str(one) for node in nodes for one in node.events("error")]
            found += [str(one) for node in nodes for one in node.events("worker-died")]
            return found + world.findings()

        yield places, faults


def _ways(host: str, ports: dict[str, int], users: list[str], password: str) -> list[Place]:
    """One for the owner, the first user, and one for who reads what he shares."""
    owner, reader = users
    every = ports["imaps"], ports["smtp"]
    return [
        Place(host, ports["imap"], owner, password, "", *every),
        Place(host, ports["imap"], reader, password, owner, *every),
    ]
