"""What a cluster's configuration files are written from: nodes, addresses, names, times.

Promises: a plan that could be built holds together: names and addresses are well formed and
different from one another, all of a kind.
Fails: ``ValueError`` with one line that says what is wrong.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from mailnode.runtime.settings.server import NODE_NAME

HINT_PORT = 2410
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+")
# Goes into shell scripts unquoted.
_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+")
_WORD = re.compile(r"[A-Za-z0-9_.:-]+")
# DRBD notices a dead peer after both; tenths of a second are DRBD's unit for the second.
DRBD_PING_S = 2
DRBD_PING_TIMEOUT_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Node:
    """One machine. ``address`` is its own, on the link between the nodes; ``service`` and
    ``service6`` are the addresses clients use, at home on this node."""

    name: str
    address: str
    service: str
    service6: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the files depend on. Lengths are prefix lengths of the service networks;
    ``link_nic`` is the interface of the nodes' own addresses, empty: that of the service ones."""

    nodes: tuple[Node, ...]
    domain: str
    secret: str
    length: int = 24
    length6: int = 64
    nic: str = "eth0"
    link_nic: str = ""
    mount: Path = Path("/srv/mailnode")
    disk: str = "/dev/vg0/mail"
    drbd_device: str = "/dev/drbd0"
    program: str = "/usr/local/bin/mailnode"
    deadtime_s: float = 1.5
    auto_failback: bool = False

    def __post_init__(self) -> None:
        if len(self.nodes) < 2:
            raise ValueError("a cluster has two nodes at least: give --node twice")
        for kind in ("name", "address", "service", "service6"):
            values = [getattr(node, kind) for node in self.nodes if getattr(node, kind)]
            if len(set(values)) < len(values):
                raise ValueError(f"two nodes have the same {kind}")
            if values and len(values) < len(self.nodes):
                raise ValueError("either all nodes have an IPv6 service address, or none")
        if not _DOMAIN.fullmatch(self.domain):
            raise ValueError(f'"{self.domain}" is no domain, write one like "example.org"')
        self._check_words()

    def _check_words(self) -> None:
        for path in (str(self.mount), self.disk, self.drbd_device, self.program):
            if not _PATH.fullmatch(path):
                raise ValueError(f'"{path}": only letters, digits, "_", "." and "-" in this path')
        if "-" in str(self.mount):
            raise ValueError("mount: systemd's name for it would be another one, avoid the dash")
        for word in (self.nic, self.link_nic or self.nic, self.secret):
            if not _WORD.fullmatch(word):
                raise ValueError('interface and secret: letters, digits and "_.:-" only')
        if not 0.5 <= self.deadtime_s <= 120:
            raise ValueError("deadtime must be within 0.5 and 120 seconds")

    @property
    def is_pair(self) -> bool:
        """DRBD 8.4 and haresources know two nodes and no more."""
        return len(self.nodes) == 2

    @property
    def mount_unit(self) -> str:
        """systemd's name for the mount point."""
        return str(self.mount).strip("/").replace("/", "-") + ".mount"


def parse_node(text: str) -> Node:
    """``name=address/service`` or ``name=address/service/service6``. Raises ``ValueError``."""
    name, equals, rest = text.partition("=")
    parts = rest.split("/")
    if not equals or not 2 <= len(parts) <= 3:
        raise ValueError(
            f'"{text}": write name=address/service-address, such as n1=10.0.0.1/192.0.2.1'
        )
    if not NODE_NAME.fullmatch(name):
        raise ValueError(f'"{name}" is not a node name: it must be what "uname -n" says there')
    own = str(ipaddress.ip_address(parts[0]))
    service = str(ipaddress.IPv4Address(parts[1]))
    service6 = str(ipaddress.IPv6Address(parts[2])) if len(parts) == 3 else ""
    return Node(name, own, service, service6)
