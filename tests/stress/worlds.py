"""Servers for the crowd: one of two workers, or several nodes on one mail root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stress.client import Place
from tests.support import cluster_nodes, peopled_server

# Places to go to, and what the log and the checker complain of in the end.
World = tuple[list[Place], Callable[[], list[str]]]


@contextmanager
def single(folder: Path) -> Iterator[World]:
    """One server."""
    with peopled_server.peopled(folder, users=1) as server:
        place = Place("127.0.0.1", server.ports["imap"], server.users[0], peopled_server.PASSWORD)

        def faults() -> list[str]:
            server.check_store()
            return [str(one) for one in server.faults()]

        yield [place], faults


@contextmanager
def cluster(folder: Path, count: int) -> Iterator[World]:
    """Several nodes."""
    with cluster_nodes.cluster_world(folder, users=1, nodes=count) as world:
        nodes = [world.node(name) for name in world.spots]
        user = f"user1@{cluster_nodes.DOMAIN}"
        places = [
            Place(node.host, node.ports["imap"], user, cluster_nodes.PASSWORD) for node in nodes
        ]

        def faults() -> list[str]:
            found = [str(one) for node in nodes for one in node.events("error")]
            found += [str(one) for node in nodes for one in node.events("worker-died")]
            return found + world.findings()

        yield places, faults
