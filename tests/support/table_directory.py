"""A directory held in dicts, for tests of rooms that only ask."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailnode.directory import DomainKind, LoginFailure, Mailbox, Service
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.model.scram import ScramKeys
from tests.support.scram_client import keys_for


@dataclass
class TableDirectory:
    """``domains`` name → kind; ``aliases`` key → targets; ``mailboxes`` user → active.

    ``alias_domains`` name → target. ``passwords`` user → password. ``gone`` makes every verb raise.
    """

    domains: dict[str, DomainKind] = field(default_factory=dict)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mailboxes: dict[str, bool] = field(default_factory=dict)
    alias_domains: dict[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    gone: bool = False
    logins: int = 0

    def _check(self) -> None:
        if self.gone:
            raise DirectoryGone("switched off by the test")

    async def domain(self, name: str) -> DomainKind:
        self._check()
        return self.domains.get(name.lower(), DomainKind.UNKNOWN)

    async def alias(self, key: str) -> tuple[str, ...] | None:
        self._check()
        local, _, domain = key.lower().rpartition("@")
        other = f"{local}@{self.alias_domains.get(domain, domain)}"
        return self.aliases.get(key.lower(), self.aliases.get(other))

    async def mailbox(self, address: Address) -> Mailbox | None:
        self._check()
        domain = self.alias_domains.get(address.domain, address.domain)
        user = f"{address.local}@{domain}".lower()
        return self._mailbox(user) if user in self.mailboxes else None

    def _mailbox(self, user: str) -> Mailbox:
        local, _, domain = user.partition("@")
        return Mailbox(user, f"{domain}/{local}", 0, domain, active=self.mailboxes[user])

    async def login(
        self, user: str, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        self.logins += 1
        self._check()
        if user not in self.passwords:
            return LoginFailure.UNKNOWN
        right = self.passwords[user] == password
        return self._mailbox(user) if right else LoginFailure.PASSWORD

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        self._check()
        return keys_for(user, self.passwords.get(user, "nobody's"), mechanism)

    async def admit(
        self, user: str, service: Service, peer: str, *, by_password: bool = True
    ) -> Mailbox | LoginFailure:
        self._check()
        return self._mailbox(user) if user in self.passwords else LoginFailure.UNKNOWN
