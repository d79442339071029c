"""Judges a login: password, app passwords, second factor, expiry, switches.

Promises: hashing happens off the loop and few at once (an argon2 hash may take 256 MiB); a password
found right is not hashed again for a while. Who logs in again within ``login_cache_s`` with the
same password is judged by what the database said then; any other password, and whoever was refused,
is judged by what it says now. While the database is gone, users who logged in within ``stale_s`` go
on with the password they had.
Fails: ``DirectoryGone`` when the user's state is unknown: then nobody can say "wrong password".
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from functools import partial

from mailnode.directory import LoginFailure, Mailbox, Service, Unproved
from mailnode.directory.keys import address_key, split_key
from mailnode.directory.passwords import (
    MAX_PASSWORD_BYTES,
    Match,
    Rules,
    check,
    needs_rehash,
    rehash,
)
from mailnode.directory.scram import DECOY_ITERATIONS, decoy_keys, find_keys, fingerprint, make_keys
from mailnode.directory.sql import Credentials, SqlDirectory
from mailnode.directory.verified import Verified
from mailnode.model.errors import DirectoryGone, PermanentError
from mailnode.model.scram import ScramKeys
from mailnode.runtime.clock import Clock
from mailnode.runtime.cores import anywhere
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.tasks import Pool

_WAITING_PER_SLOT = 100  # more than that would wait longer than a client does


class Logins:
    """Checks passwords against the database, or against what it last said."""

    def __init__(
        self, inner: SqlDirectory, *, settings: DirectorySettings, pool: Pool, clock: Clock
    ) -> None:
        self._inner = inner
        self._pool = pool
        self._clock = clock
        self._settings = settings
        self._rules = Rules(settings.allow_weak_schemes, settings.allow_bare_clear)
        self._verified = Verified(
            clock=clock, lifetime_s=settings.verified_s, entries=settings.cache_entries
        )
        # What the database said of whom, and when it was asked.
        self._recent: OrderedDict[str, tuple[Credentials, float]] = OrderedDict()
        self._forgot_at = float("-inf")
        self._slots = asyncio.Semaphore(settings.hashing_at_once)
        self._running: dict[bytes, asyncio.Task[Match]] = {}

    async def login(
        self, user: str, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        """See ``Directory.login``."""
        key = address_key(*split_key(user.strip()))
        if key is None or len(password) > MAX_PASSWORD_BYTES:
            return LoginFailure.UNKNOWN if key is None else LoginFailure.PASSWORD
        again = self._again(key, password, service, peer)
        if again is not None:
            return again
        asked_at = self._clock.monotonic()
        try:
            found = await self._inner.credentials(key)
        except DirectoryGone:
            return await self._from_memory(key, password, service, peer)
        if found is None:
            self._outdate(key, found)
            return LoginFailure.UNKNOWN
        answer = await self._judge(found, password, service, peer)
        if isinstance(answer, Mailbox):
            self._remember(key, found, asked_at)
        else:
            self._outdate(key, found)
        return answer

    def forget(self) -> None:
        """Ask anew at everybody's next login (reload). What was said before goes on being of use
        only while the database is gone."""
        self._forgot_at = self._clock.monotonic()

    def _again(self, key: str, password: str, service: Service, peer: str) -> Mailbox | None:
        """The mailbox of who was let in with this password a moment ago (webmail logs in for each
        page, and everybody at once after a failover)."""
        kept = self._recent.get(key)
        if kept is None or self._age(kept) > self._settings.login_cache_s:
            return None
        found, asked_at = kept
        if not self._settings.login_cache_s or asked_at <= self._forgot_at:
            return None
        if _refusal(found) is not None or not self._is_verified(found, password, peer):
            return None
        answer = _allowed(found, service)
        return answer if isinstance(answer, Mailbox) else None

    def _is_verified(self, found: Credentials, password: str, peer: str) -> bool:
        candidates = _candidates(found, _main_allowed(found, peer))
        return any((stored, password) in self._verified for stored in candidates)

    async def scram_keys(self, user: str, mechanism: str) -> ScramKeys:
        """See ``Directory.scram_keys``."""
        key = address_key(*split_key(user.strip()))
        found = await self._inner.credentials(key) if key is not None else None
        keys = None
        if found is not None:
            keys = await find_keys(self._inner, found.mailbox.user, found.stored, mechanism)
        rounds = self._settings.scram_iterations or DECOY_ITERATIONS
        return keys or decoy_keys(user, mechanism, rounds)

    async def admit(
        self, user: str, service: Service, peer: str, *, by_password: bool = True
    ) -> Mailbox | LoginFailure:
        """See ``Directory.admit``."""
        key = address_key(*split_key(user.strip()))
        if key is None:
            return LoginFailure.UNKNOWN
        asked_at = self._clock.monotonic()
        try:
            found = await self._inner.credentials(key)
        except DirectoryGone:
            # A password may have changed since; a token or certificate is good by itself.
            if by_password:
                raise
            return _identified(self._lately(key), service)
        if found is None or by_password:
            self._outdate(key, found)
        if found is None:
            return LoginFailure.UNKNOWN
        if not by_password:
            self._remember(key, found, asked_at)
            return _identified(found, service)
        refusal = _refusal(found)
        if refusal is not None:
            return refusal
        if found.totp and not _is_exception(peer, found.totp_exceptions):
            return LoginFailure.TOTP
        return _allowed(found, service)

    async def _from_memory(
        self, key: str, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        """Right is right; wrong may be a password changed since, so the answer is "later"
        (``Unproved``)."""
        answer = await self._judge(self._lately(key), password, service, peer)
        if answer in (LoginFailure.PASSWORD, LoginFailure.TOTP):
            raise Unproved(f"no database, and the password of {key} may have changed")
        return answer

    def _lately(self, key: str) -> Credentials:
        """What the database last said of who logged in within ``stale_s``. Raises
        ``DirectoryGone``."""
        kept = self._recent.get(key)
        if kept is None or self._age(kept) > self._settings.stale_s:
            raise DirectoryGone(f"no database, and {key} has not logged in lately")
        return kept[0]

    def _age(self, kept: tuple[Credentials, float]) -> float:
        return self._clock.monotonic() - kept[1]

    def _outdate(self, key: str, found: Credentials | None) -> None:
        """Drop what is remembered if the database says something else by now."""
        kept = self._recent.get(key)
        if kept is not None and kept[0] != found:
            del self._recent[key]

    def _remember(self, key: str, found: Credentials, asked_at: float) -> None:
        self._recent[key] = (found, asked_at)
        self._recent.move_to_end(key)
        while len(self._recent) > self._settings.cache_entries:
            self._recent.popitem(last=False)

    async def _judge(
        self, found: Credentials, password: str, service: Service, peer: str
    ) -> Mailbox | LoginFailure:
        refusal = _refusal(found)
        if refusal is not None:
            return refusal
        main_allowed = _main_allowed(found, peer)
        match = await self._compare(found, password, main_allowed)
        if match is Match.RIGHT:
            return _allowed(found, service)
        if not main_allowed:
            return LoginFailure.TOTP
        return LoginFailure.WEAK if match is Match.REFUSED else LoginFailure.PASSWORD

    async def _compare(self, found: Credentials, password: str, main_allowed: bool) -> Match:
        """The main password's verdict, unless an app password is right."""
        candidates = _candidates(found, main_allowed)
        if any((stored, password) in self._verified for stored in candidates):
            return Match.RIGHT
        first = Match.WRONG
        for place, stored in enumerate(candidates):
            match, hashed = await self._hashed(stored, password, found.mailbox.user)
            if match is Match.RIGHT:
                if hashed:
                    await self._improve(found, stored, password)
                    await self._keep_scram(found, stored, password)
                return match
            first = match if place == 0 else first
        return first

    async def _hashed(self, stored: str, password: str, user: str) -> tuple[Match, bool]:
        """The verdict, and whether it was made for this login: of a client's connections that come
        all at once the first one has the password hashed, and the others wait for what it hears."""
        mark = self._verified.mark(stored, password)
        running = self._running.get(mark)
        if running is not None:
            return await asyncio.shield(running), False
        if len(self._running) >= _WAITING_PER_SLOT * self._settings.hashing_at_once:
            raise DirectoryGone("too many logins wait for hashing", "server is busy, try later")
        running = asyncio.create_task(self._hash(stored, password, user))
        self._running[mark] = running
        running.add_done_callback(lambda done: self._hashing_ended(mark, done))
        # Whoever leaves meanwhile does not take the verdict from the others.
        return await asyncio.shield(running), True

    def _hashing_ended(self, mark: bytes, done: asyncio.Task[Match]) -> None:
        del self._running[mark]
        if not done.cancelled():
            done.exception()  # heard by those who wait, unless all have gone

    async def _hash(self, stored: str, password: str, user: str) -> Match:
        async with self._slots:
            judged = partial(check, stored, password, user, self._rules)
            match: Match = await self._pool.run(anywhere, judged)
        if match is Match.RIGHT:
            self._verified.add(stored, password)
        return match

    async def _improve(self, found: Credentials, stored: str, password: str) -> None:
        """By option, keep the main password in the newest form; a failure costs nothing."""
        if not self._settings.rehash_at_login or stored != found.stored:
            return
        if not needs_rehash(stored):
            return
        async with self._slots:
            user = found.mailbox.user
            better = await self._pool.run(anywhere, rehash, stored, password, user, self._rules)
        try:
            await self._inner.replace_hash(found.mailbox.user, stored, better)
        except (DirectoryGone, PermanentError):
            return  # the next login tries again
        self._verified.add(better, password)

    async def _keep_scram(self, found: Credentials, stored: str, password: str) -> None:
        """Make SCRAM keys while the main password is at hand; a failure costs nothing."""
        rounds, user = self._settings.scram_iterations, found.mailbox.user
        if not rounds or not self._settings.own_tables or stored != found.stored:
            return
        try:
            if await find_keys(self._inner, user, stored, "SCRAM-SHA-256") is not None:
                return
            async with self._slots:
                keys = await self._pool.run(anywhere, make_keys, password, rounds)
            await self._inner.write_scram(user, keys, fingerprint(stored))
        except (DirectoryGone, PermanentError):
            return  # the next login tries again


def _main_allowed(found: Credentials, peer: str) -> bool:
    return not found.totp or _is_exception(peer, found.totp_exceptions)


def _candidates(found: Credentials, main_allowed: bool) -> list[str]:
    return [*([found.stored] if main_allowed else []), *found.app_passwords]


def _refusal(found: Credentials) -> LoginFailure | None:
    if not found.active:
        return LoginFailure.INACTIVE
    return LoginFailure.EXPIRED if found.expired else None


def _identified(found: Credentials, service: Service) -> Mailbox | LoginFailure:
    """Of a user whose password plays no part."""
    return _allowed(found, service) if found.active else LoginFailure.INACTIVE


def _allowed(found: Credentials, service: Service) -> Mailbox | LoginFailure:
    smtp_off = service is Service.SMTP and not found.mailbox.smtp_active
    return LoginFailure.SMTP_OFF if smtp_off else found.mailbox


def _is_exception(peer: str, allowed: frozenset[str]) -> bool:
    """Whether the client's address is among those that need no second factor."""
    try:
        client = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(client, "ipv4_mapped", None)
    for text in allowed:
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if client in network or (mapped is not None and mapped in network):
            return True
    return False
