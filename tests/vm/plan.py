"""Names and addresses of the lab: two nodes, a network of the clients, a link between the nodes."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.cluster_nodes import DOMAIN, PASSWORD

__all__ = ["DOMAIN", "PASSWORD"]
USERS = ("ann", "ben", "cyd")
CLIENTS_HOST, CLIENTS_HOST6, STORAGE_HOST = "10.91.1.254", "fd91:1::fe", "10.91.2.254"
DISK = "/dev/disk/by-id/virtio-mail"
MOUNT = "/srv/mailnode"
MAIL = f"{MOUNT}/mail"
# Account of mailnode in the guests, as scripts/vm-image makes it.
ACCOUNT_ID = 800
# Heartbeat's. Generous, for the one emulated CPU of a node also runs everything else.
DEADTIME_S = 10


@dataclass(frozen=True)
class Spot:
    """A node: ``own`` is its address for clients, ``storage`` on the link between the nodes;
    ``service`` and ``service6`` are at home on it and move."""

    name: str
    number: int

    @property
    def own(self) -> str:
        return f"10.91.1.{self.number}"

    @property
    def own6(self) -> str:
        return f"fd91:1::{self.number}"

    @property
    def storage(self) -> str:
        return f"10.91.2.{self.number}"

    @property
    def board(self) -> str:
        """As ``mailnode cluster config`` writes it into the fence script."""
        return f"198.51.100.{self.number}"

    @property
    def service(self) -> str:
        return f"10.91.1.{100 + self.number}"

    @property
    def service6(self) -> str:
        return f"fd91:1::{100 + self.number}"


# A machine that is no node of a cluster.
ALONE = Spot("alone", 3)
N1, N2 = SPOTS = (Spot("n1", 1), Spot("n2", 2))
