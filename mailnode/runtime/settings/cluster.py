"""The ``[cluster]`` section: the other nodes, and what is shared with them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from mailnode.runtime.endpoint import Endpoint, parse_endpoint
from mailnode.runtime.settings.listen import Endpoints
from mailnode.runtime.settings.section import Section
from mailnode.runtime.settings.server import NODE_NAME

# Ours below the mail root; no account begins with a dot.
SHARED_FOLDER = ".mailnode"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Peer:
    """A node and the address on which it takes hints."""

    name: str
    endpoint: Endpoint

    def __str__(self) -> str:
        return f"{self.name} {self.endpoint}"


def _peer(value: object) -> Peer:
    if isinstance(value, Peer):
        return value
    if isinstance(value, dict) and set(value) == {"name", "address"}:
        value = f"{value['name']} {value['address']}"
    if not isinstance(value, str) or len(value.split()) != 2:
        raise ValueError('must be text like "n2 10.0.0.2:2410"')
    name, address = value.split()
    if not NODE_NAME.fullmatch(name):
        raise ValueError(f'"{name}" is not a node name, see server.node')
    endpoint = parse_endpoint(address)
    if endpoint.path or endpoint.host == "*" or not endpoint.port:
        raise ValueError(f'"{address}" is not one address with its port')
    return Peer(name, endpoint)


def _network(value: object) -> Network:
    if isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError('must be text like "10.0.0.5" or "10.0.0.0/24"')
    return ipaddress.ip_network(value)


class ClusterSettings(Section):
    """Several nodes, all active, on one mail root. Leave it alone on a single machine."""

    shared: bool = Field(
        default=False,
        description="The mail root is shared with other nodes: the spool then lies there too, so "
        "that others can adopt it, and storage whose file locks (flock) do not keep nodes apart "
        'is refused (see "mailnode doctor --storage").',
    )
    allow_unsafe_storage: bool = Field(
        default=False,
        description="Run shared on storage whose locks may not keep nodes apart. Mail can be lost.",
    )
    nodes: tuple[Annotated[Peer, BeforeValidator(_peer)], ...] = Field(
        default=(),
        description='The nodes, as "name address:port" of their hints, such as '
        '["n1 10.0.0.1:2410", "n2 [fd00::2]:2410"]; this node may be among them.',
    )
    listen: Endpoints = Field(
        default=(),
        description="UDP addresses on which hints of other nodes are taken, such as "
        '"10.0.0.1:2410"; one of each IP version in use. Empty: no hints, changes made on other '
        "nodes are seen within poll_s.",
    )
    secret_file: Path = Field(
        default=Path("/etc/mailnode/cluster.secret"),
        description="File with the nodes' shared secret, 16 bytes at least, readable by mailnode "
        'only; the same on each node. Make one with "openssl rand -base64 32".',
    )
    service_addresses: tuple[Address, ...] = Field(
        default=(),
        description="The addresses for clients that move between the nodes, such as "
        '["192.0.2.25", "192.0.2.26"]; the same on each node. `mailnode cluster status` tells '
        "where each is raised.",
    )
    speak_version: int = Field(
        default=2,
        ge=1,
        le=2,
        description="Newest version of the hint protocol to speak; lower it only to go back to an "
        "older mailnode.",
    )
    poll_s: float = Field(
        default=10.0,
        ge=0.1,
        le=3600,
        description="On a shared mail root, open folders are looked at every so many seconds even "
        "if no hint came (server.poll_s, where that is shorter).",
    )
    takeover_s: float = Field(
        default=2.0,
        ge=0.1,
        le=3600,
        description="How often a node looks for dead nodes whose queue it may adopt, in seconds.",
    )
    trusted_proxies: tuple[Annotated[Network, BeforeValidator(_network)], ...] = Field(
        default=(),
        description="Addresses or networks of load balancers. Every connection from them must "
        "begin with a PROXY protocol header (version 1 or 2), which names the real client; from "
        "all others such a header ends the connection.",
    )
