"""The DNS records a mail domain needs, as lines for a zone file.

RFC: 5321 5.1 (MX), 7208 (SPF), 7489 (DMARC), 6186 and 8314 5.1 (SRV records for mail clients).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TTL_S = 3600


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; ``why`` is for the person who types it in."""

    name: str
    kind: str
    value: str
    why: str

    def line(self) -> str:
        """The record as a line of a zone file."""
        return f"{self.name}. {TTL_S} IN {self.kind} {self.value}"


def records_for(domain: str, hostname: str, addresses: Sequence[str]) -> list[Record]:
    """Records to add for ``domain`` served by ``hostname`` at ``addresses`` (IPv4 or IPv6)."""
    found = [
        Record(hostname, "AAAA" if ":" in address else "A", address, "where this server is")
        for address in addresses
    ]
    found.append(Record(domain, "MX", f"10 {hostname}.", "mail for the domain comes here"))
    found.append(Record(domain, "TXT", '"v=spf1 mx -all"', "only this server sends for the domain"))
    found.append(
        Record(
            f"_dmarc.{domain}",
            "TXT",
            f'"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"',
            "asks other servers for reports",
        )
    )
    services = (("imaps", 993), ("pop3s", 995), ("submissions", 465), ("submission", 587))
    found.extend(
        Record(f"_{name}._tcp.{domain}", "SRV", f"0 1 {port} {hostname}.", "mail clients find us")
        for name, port in services
    )
    return found
