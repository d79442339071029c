"""Whose is it? Follows aliases to their ends, in Postfix's order.

Promises: exact alias, then without the extension, then ``@domain``; each target again in the
same way; at the end the mailbox, exact and without the extension. Loops, depth and number are
bounded, and each bound gives a clear refusal. Nothing is refused for good on an unknown state.
Fails: ``DirectoryGone``.
RFC: 5321 4.5.1 (postmaster), 5233 (sub-addresses), 3463 (codes).
Postfix asks alias domains' catch-alls before it drops the extension; here ``user+ext`` of an
alias domain finds ``user`` first, as in the domain itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mailnode.directory import Directory, DomainKind, Mailbox
from mailnode.model.address import Address
from mailnode.model.status import Outcome, Verdict
from mailnode.routing import Route, RouteKind
from mailnode.routing.targets import (
    is_autoreply,
    parse_target,
    with_extension,
    without_extension,
)
from mailnode.runtime.settings.routing import RoutingSettings

_ELSEWHERE = frozenset({DomainKind.BACKUP_MX, DomainKind.RELAY, DomainKind.UNKNOWN})

UNKNOWN_USER = Outcome(Verdict.NEVER, "5.1.1", "no such user here")
INACTIVE_USER = Outcome(Verdict.NEVER, "5.2.1", "this mailbox is disabled")
RELAY_DENIED = Outcome(Verdict.NEVER, "5.7.1", "relaying denied: not a domain of this server")
ALIAS_LOOP = Outcome(Verdict.NEVER, "5.4.6", "alias loop: this address leads back to itself")
TOO_DEEP = Outcome(Verdict.NEVER, "5.4.6", "alias loop: too many aliases lead to one another")
TOO_MANY = Outcome(Verdict.NEVER, "5.4.6", "this address stands for too many others")


@dataclass(slots=True)
class _Found:
    """What an expansion has come upon so far."""

    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    remote: dict[str, Address] = field(default_factory=dict)
    missing: list[Address] = field(default_factory=list)
    inactive: bool = False
    seen: set[str] = field(default_factory=set)
    cut: bool = False  # a target was not followed, as it was met before


class DirectoryRouter:
    """Routes recipients by the directory. ``hostname`` stands in for an unset ``origin``."""

    def __init__(
        self, *, directory: Directory, settings: RoutingSettings, hostname: str = ""
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._origin = (settings.origin or hostname).lower().rstrip(".")

    async def route(self, address: Address) -> Route:
        """See ``Router.route``."""
        if self._is_host(address):
            return await self._route_host(address.local)
        if await self._kind(address) is DomainKind.UNKNOWN:
            return Route(RouteKind.REFUSED, remote=(address,), refusal=RELAY_DENIED)
        route = await self._expand(address)
        if route.refusal is UNKNOWN_USER and address.local.lower() == "postmaster":
            return await self._route_postmaster(address) or route
        return route

    # RFC 5321 4.5.1: <postmaster> without a domain must be taken; the host's own names count too.
    def _is_host(self, address: Address) -> bool:
        if address.domain.startswith("["):
            literal = address.domain[1:-1].lower().removeprefix("ipv6:")
            return literal in {own.lower() for own in self._settings.literals}
        return not address.domain

    async def _route_host(self, local: str) -> Route:
        """An address of the host itself: in the origin domain, or in the domain above it."""
        domain = self._origin
        while domain:
            address = Address(local, domain)
            if await self._kind(address) is not DomainKind.UNKNOWN:
                return await self.route(address)
            domain = domain.partition(".")[2] if local.lower() == "postmaster" else ""
        fallback = await self._route_postmaster(Address(local, self._origin))
        return fallback or Route(RouteKind.REFUSED, refusal=UNKNOWN_USER)

    async def _route_postmaster(self, asked: Address) -> Route | None:
        """Where ``[routing] postmaster`` leads, for a postmaster who has no row of his own."""
        local, _, domain = self._settings.postmaster.rpartition("@")
        person = Address(local, domain.lower())
        if asked.local.lower() != "postmaster" or not local or person.folded == asked.folded:
            return None
        if await self._kind(person) is DomainKind.UNKNOWN:
            return None
        return await self._expand(person)

    async def _kind(self, address: Address) -> DomainKind:
        if address.domain.startswith("["):
            return DomainKind.UNKNOWN
        return await self._directory.domain(address.domain)

    async def _expand(self, start: Address) -> Route:
        found = _Found(seen={start.folded})
        waiting: deque[tuple[Address, tuple[str, ...]]] = deque([(start, (start.folded,))])
        while waiting:
            address, path = waiting.popleft()
            for target in await self._step(address, found):
                refusal = self._bound(target, path, found)
                if refusal is not None:
                    return Route(RouteKind.REFUSED, refusal=refusal)
                if target.folded in found.seen:
                    found.cut = True
                    continue
                found.seen.add(target.folded)
                waiting.append((target, (*path, target.folded)))
        return _concluded(found)

    def _bound(self, target: Address, path: tuple[str, ...], found: _Found) -> Outcome | None:
        if target.folded in path:
            return ALIAS_LOOP
        if len(path) > self._settings.max_alias_depth:
            return TOO_DEEP
        return TOO_MANY if len(found.seen) > self._settings.max_alias_targets else None

    async def _step(self, address: Address, found: _Found) -> list[Address]:
        """Follow one address: its targets, once itself and what lies elsewhere is noted."""
        kind = await self._kind(address)
        targets = None if kind is DomainKind.UNKNOWN else await self._targets(address)
        if targets is None:
            await self._arrive(address, kind, found)
            return []
        if any(target.folded == address.folded for target in targets):
            await self._arrive(address, kind, found)
        return [target for target in targets if target.folded != address.folded]

    async def _targets(self, address: Address) -> list[Address] | None:
        """Targets of the first alias row that fits, ``None`` where there is none."""
        delimiters = self._settings.delimiter
        bare = without_extension(address, delimiters)
        for key in dict.fromkeys((address, bare)):
            raw = await self._directory.alias(key.folded)
            if raw is not None:
                targets = self._parsed(raw, key)
                if key == address or not self._settings.propagate_extension:
                    return targets
                return [with_extension(target, address, delimiters) for target in targets]
        raw = await self._directory.alias(f"@{address.domain}")
        return None if raw is None else self._parsed(raw, address)

    def _parsed(self, raw: tuple[str, ...], alias: Address) -> list[Address]:
        parsed = (parse_target(each, alias, self._origin) for each in raw)
        vacation = self._settings.vacation_domain
        return [each for each in parsed if each and not is_autoreply(each, alias, vacation)]

    async def _arrive(self, address: Address, kind: DomainKind, found: _Found) -> None:
        """The end of the way: a mailbox here, an address elsewhere, or nobody."""
        if kind in _ELSEWHERE:
            found.remote[address.folded] = address
            return
        mailbox = await self._mailbox(address)
        if mailbox is not None and mailbox.active:
            found.mailboxes[mailbox.user] = mailbox
            return
        found.inactive = found.inactive or mailbox is not None
        found.missing.append(address)

    async def _mailbox(self, address: Address) -> Mailbox | None:
        mailbox = await self._directory.mailbox(address)
        bare = without_extension(address, self._settings.delimiter)
        if mailbox is None and bare != address:
            return await self._directory.mailbox(bare)
        return mailbox


def _concluded(found: _Found) -> Route:
    mailboxes = tuple(found.mailboxes.values())
    missing = tuple(found.missing)
    if found.remote:
        return Route(RouteKind.REMOTE, mailboxes, tuple(found.remote.values()), missing=missing)
    if mailboxes:
        return Route(RouteKind.LOCAL, mailboxes, missing=missing)
    refusal = INACTIVE_USER if found.inactive else ALIAS_LOOP if found.cut else UNKNOWN_USER
    return Route(RouteKind.REFUSED, refusal=refusal, missing=missing)
