"""Which addresses this machine has at this moment, as its kernel says.

Reads what our systemd unit leaves visible (ProcSubset=pid hides ``/proc/net``, not
``/proc/self/net``) and needs no netlink socket.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

_PROC = Path("/proc/self/net")
# net/if_inet6.h IFA_F_DADFAILED: another machine has the address, so the kernel does not use it.
_DAD_FAILED = 0x08


def local_addresses(proc: Path = _PROC) -> frozenset[str]:
    """Every IPv4 and IPv6 address of every interface, in their shortest form."""
    return frozenset(_four(_read(proc / "fib_trie")) | _six(_read(proc / "if_inet6")))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # this kind of address is switched off


def _four(text: str) -> set[str]:
    """Leaves of the routing trie: an address, then its kinds, one a line."""
    found, leaf = set[str](), ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            found.add(leaf)
    return found


def _six(text: str) -> set[str]:
    """Address, interface number, prefix length, scope, flags, name; hexadecimal."""
    rows = [line.split() for line in text.splitlines()]
    return {
        str(ipaddress.IPv6Address(int(row[0], 16)))
        for row in rows
        if len(row) == 6 and not int(row[4], 16) & _DAD_FAILED
    }
