"""The ways to log in that come down to a password, for the gates that tests make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mailnode.directory import Issuer, LoginFailure, Mailbox, Service
from mailnode.model.scram import ScramKeys
from tests.support.scram_client import keys_for


class PasswordGate(ABC):
    """Everybody's password is ``secret``; who may log in with it is for ``login`` to say."""

    @abstractmethod
    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure: ...

    scram = False
    issuer: Issuer | None = None

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        return keys_for(user, "secret", mechanism)

    async def proved(
        self, user: str, right: bool, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        password = "secret" if right else ""
        return await self.login(user, password, service, peer, mechanism=mechanism, tls=tls)

    async def certified(
        self, names: Sequence[str], user: str, service: Service, peer: str, *, mechanism: str
    ) -> Mailbox | LoginFailure:
        if user and user not in names:
            return LoginFailure.ANOTHER
        name = user or names[0]
        return await self.login(name, "secret", service, peer, mechanism=mechanism, tls=True)

    async def token(
        self, user: str, token: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        assert self.issuer is not None
        found = await self.issuer.judge(token)
        if isinstance(found, LoginFailure):
            return found
        if user and user != found:
            return LoginFailure.ANOTHER
        return await self.login(found, "secret", service, peer, mechanism=mechanism, tls=tls)
