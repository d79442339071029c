"""Which addresses this machine has."""

from __future__ import annotations

import sys
from pathlib import Path

from mailnode.runtime.addresses import local_addresses
from tests.support.namespaces import need_namespaces, network

_SAY = "from mailnode.runtime.addresses import local_addresses as f; print(*sorted(f()))"


def test_the_kernel_is_asked_each_time() -> None:
    need_namespaces()
    with network("addr") as inside:

        def said() -> list[str]:
            return inside.run(sys.executable, "-c", _SAY).split()

        assert said() == ["127.0.0.1", "::1"]
        inside.ip("addr add 192.0.2.25/24 dev lo")
        inside.ip("addr add 198.51.100.7/32 dev lo")
        inside.ip("-6 addr add 2001:db8:0:0::25/64 dev lo nodad")
        assert said() == ["127.0.0.1", "192.0.2.25", "198.51.100.7", "2001:db8::25", "::1"]
        inside.ip("addr del 192.0.2.25/24 dev lo")
        assert said() == ["127.0.0.1", "198.51.100.7", "2001:db8::25", "::1"]


def test_an_address_that_another_machine_has_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "if_inet6").write_text(
        "20010db8000000000000000000000025 02 40 00 80     eth0\n"
        "20010db8000000000000000000000026 02 40 00 88     eth0\n"
    )
    assert local_addresses(tmp_path) == {"2001:db8::25"}


def test_networks_and_broadcast_addresses_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(
        """Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.2
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
"""
    )
    assert local_addresses(tmp_path) == {"192.0.2.2"}
