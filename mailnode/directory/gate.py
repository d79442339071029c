"""The gate in front of every login: slows guessing down, and writes each attempt to the log.

Promises: a refusal comes late, and later the more there were; nobody else waits for it. A right
password is never delayed. Beyond ``block_network_after`` failures a network is refused without a
look, save users who logged in from it before. What the other workers of the node know (``board``)
counts as well. All tables are bounded and forget by themselves.
Fails: ``DirectoryGone``, as the directory does. Of these only ``Unproved`` counts against the
network: it was checked against a remembered hash. The others tell nothing of a password; if they
counted, users behind one address would stay locked out once the database is back.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import Any

from mailnode.directory import Directory, Issuer, LoginFailure, Mailbox, Service, Unproved
from mailnode.directory.throttle import Failures, Friends
from mailnode.model.errors import DirectoryGone
from mailnode.model.scram import ScramKeys
from mailnode.runtime.board import Board
from mailnode.runtime.clock import Clock
from mailnode.runtime.maillog import Event, MailLog
from mailnode.runtime.settings.login import LoginSettings

MAX_USER = 320  # 64 octets, "@", 255 octets (RFC 5321 4.5.3.1)
# Refusals that are no guess: the password was right, or there was none to guess, as with a token
# whose signature is good but that has run out or is meant for something else.
_NO_GUESS = frozenset({LoginFailure.SMTP_OFF, LoginFailure.TOKEN_OVER, LoginFailure.SCOPE})


class LoginGate:
    """Used by intake and access alike, one per worker."""

    def __init__(
        self,
        *,
        directory: Directory,
        settings: LoginSettings,
        clock: Clock,
        log: MailLog,
        issuer: Issuer | None = None,
        board: Board | None = None,
    ) -> None:
        self.issuer = issuer
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._log = log
        self._networks, self._users = (
            Failures(
                clock=clock, window_s=settings.window_s, entries=settings.table_entries,
                kind=kind, board=board,
            )
            for kind in ("network", "user")
        )  # fmt: skip
        self._friends = Friends(clock=clock, entries=settings.table_entries, board=board)
        self._waiting = 0

    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The mailbox, or (late) why not. The client hears only that it failed."""
        name = self._completed(user)
        ask = self._directory.login(name, password, service, peer)
        return await self._let_in(name, ask, service, peer, mechanism=mechanism, tls=tls)

    @property
    def scram(self) -> bool:
        """Are the mechanisms of the SCRAM family offered?"""
        return self._settings.offer_scram

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """See ``Directory.scram_keys``."""
        return await self._directory.scram_keys(self._completed(user), mechanism)

    async def proved(
        self, user: str, right: bool, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """The same for a user who has proved (or, not ``right``, failed) to know the password."""
        name = self._completed(user)
        ask = (
            self._directory.admit(name, service, peer) if right else _refused(LoginFailure.PASSWORD)
        )
        return await self._let_in(name, ask, service, peer, mechanism=mechanism, tls=tls)

    async def certified(
        self, names: Sequence[str], user: str, service: Service, peer: str, *, mechanism: str
    ) -> Mailbox | LoginFailure:
        """See ``Gate``: a certificate is for whom it names, and for nobody else."""
        name = self._completed(user or names[0])
        ask = (
            self._directory.admit(name, service, peer, by_password=False)
            if name in (self._completed(one) for one in names)
            else _refused(LoginFailure.ANOTHER)
        )
        return await self._let_in(name, ask, service, peer, mechanism=mechanism, tls=True)

    async def token(
        self, user: str, token: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        """See ``Gate``."""
        name = self._completed(user)
        ask = self._judge(name, token, service, peer)
        return await self._let_in(name, ask, service, peer, mechanism=mechanism, tls=tls)

    async def _judge(
        self, claimed: str, token: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        found = await self.issuer.judge(token) if self.issuer else LoginFailure.TOKEN
        if isinstance(found, LoginFailure):
            return found
        name = self._completed(found)
        if claimed and claimed != name:
            return LoginFailure.ANOTHER
        return await self._directory.admit(name, service, peer, by_password=False)

    async def _let_in(
        self,
        name: str,
        ask: Coroutine[Any, Any, Mailbox | LoginFailure],
        service: Service,
        peer: str,
        *,
        mechanism: str,
        tls: bool,
    ) -> Mailbox | LoginFailure:
        network = self._network(peer)
        begun = self._clock.monotonic()
        if self._is_blocked(name, network):
            ask.close()
            answer: Mailbox | LoginFailure = LoginFailure.THROTTLED
        else:
            answer = await self._ask(ask, name, service, peer, network)
        if isinstance(answer, Mailbox):
            self._friends.add(answer.user, network)
            self._log.event(
                Event.LOGIN, service=service.in_log, peer=peer, user=answer.user,
                mechanism=mechanism, tls=tls,
            )  # fmt: skip
            return answer
        self._say(service, peer, name, answer.value)
        if answer not in _NO_GUESS:
            await self._delay(begun, name, network)
        return answer

    async def _ask(
        self,
        ask: Coroutine[Any, Any, Mailbox | LoginFailure],
        name: str,
        service: Service,
        peer: str,
        network: str,
    ) -> Mailbox | LoginFailure:
        try:
            return await ask
        except DirectoryGone as error:
            if isinstance(error, Unproved):
                self._networks.count(network)
            self._say(service, peer, name, f"directory not available: {error}")
            raise

    def _say(self, service: Service, peer: str, name: str, reason: str) -> None:
        self._log.event(
            Event.LOGIN_FAILED, service=service.in_log, peer=peer, user=name, reason=reason
        )

    def _completed(self, user: str) -> str:
        name = user.strip().lower()[:MAX_USER]
        domain = self._settings.default_domain
        return f"{name}@{domain}" if domain and name and "@" not in name else name

    def _network(self, peer: str) -> str:
        return _network_of(peer, self._settings.ipv4_bits, self._settings.ipv6_bits)

    def _is_blocked(self, name: str, network: str) -> bool:
        if (name, network) in self._friends:
            return False
        return self._networks.number(network) >= self._settings.block_network_after or (
            name != "" and self._users.number(name) >= self._settings.block_user_after
        )

    async def _delay(self, begun: float, name: str, network: str) -> None:
        """Wait so long that the time tells nothing of what was checked, and guessing gets slow."""
        # A token need not come with a name: nobody is counted then but the network.
        failures = max(self._networks.count(network), self._users.count(name) if name else 0)
        settings = self._settings
        wait_s = min(settings.failure_delay_s * 2.0 ** min(failures - 1, 16), settings.max_delay_s)
        wait_s -= self._clock.monotonic() - begun
        if wait_s <= 0 or self._waiting >= settings.max_waiting:
            return
        self._waiting += 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._waiting -= 1


@lru_cache(maxsize=1024)
def _network_of(peer: str, ipv4_bits: int, ipv6_bits: int) -> str:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return "unknown"
    address = getattr(address, "ipv4_mapped", None) or address
    bits = ipv4_bits if address.version == 4 else ipv6_bits
    return str(ipaddress.ip_network((address, bits), strict=False))


async def _refused(why: LoginFailure) -> Mailbox | LoginFailure:
    return why
