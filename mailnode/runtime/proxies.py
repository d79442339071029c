"""Which peers are load balancers that may speak for their clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from mailnode.runtime.settings.cluster import Network

# A proxy sends its header with the connection; who waits longer has none.
HEADER_WITHIN_S = 5.0


class TrustedProxies:
    """The networks of ``cluster.trusted_proxies``."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def trusts(self, host: str) -> bool:
        """Whether each connection from this address begins with a PROXY header."""
        if not self._networks:
            return False
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:  # a unix socket
            return False
        # An IPv4 client of a socket that takes both is an IPv4 client.
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)
