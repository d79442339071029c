"""Routes against tables, in the order Postfix asks."""

from __future__ import annotations

import pytest

from mailnode.directory import DomainKind
from mailnode.model.address import Address
from mailnode.model.errors import DirectoryGone
from mailnode.routing import Route, RouteKind
from mailnode.routing.route import DirectoryRouter
from mailnode.runtime.settings.routing import RoutingSettings
from tests.support.table_directory import TableDirectory

LOCAL, ALIAS = DomainKind.LOCAL, DomainKind.ALIAS


def world() -> TableDirectory:
    return TableDirectory(
        domains={
            "a.test": LOCAL,
            "b.test": LOCAL,
            "catch.test": LOCAL,
            "whole.test": LOCAL,
            "also-a.test": ALIAS,
            "also-catch.test": ALIAS,
            "backup.test": DomainKind.BACKUP_MX,
            "relay.test": DomainKind.RELAY,
            "1.test": LOCAL,
            "2.test": LOCAL,
        },
        alias_domains={"also-a.test": "a.test", "also-catch.test": "catch.test"},
        mailboxes={
            "u@a.test": True,
            "v@a.test": True,
            "bare@a.test": True,
            "off@a.test": False,
            "plus+sign@a.test": True,
            "two words@a.test": True,
            "rowless@catch.test": True,
            "own@catch.test": True,
            "all@catch.test": True,
            "w@b.test": True,
            "postmaster@b.test": True,
        },
        aliases={
            "u@a.test": ("u@a.test",),
            "v@a.test": ("v@a.test",),
            "list@a.test": ("u@a.test", "v@a.test", "w@b.test", "U@A.test"),
            "chain@a.test": ("list@a.test", "v@a.test"),
            "keep@a.test": ("keep@a.test", "friend@else.test"),
            "fwd@a.test": ("friend@else.test",),
            "both@a.test": ("u@a.test", "friend@else.test", "x@backup.test"),
            "ghost@a.test": ("nobody@a.test",),
            "half@a.test": ("nobody@a.test", "u@a.test", "off@a.test"),
            "todead@a.test": ("off@a.test",),
            "away@a.test": ("u@a.test", "away#a.test@robot.else.test"),
            "away2@a.test": ("u@a.test", "x#a.test@autoreply.else.test"),
            "nodomain@a.test": ("u",),
            "quoted@a.test": ('"two words"@a.test',),
            "loop1@a.test": ("loop2@a.test",),
            "loop2@a.test": ("loop1@a.test",),
            "hidden@a.test": ("h1@a.test", "h2@a.test"),
            "h1@a.test": ("h2@a.test",),
            "h2@a.test": ("h1@a.test",),
            "diamond@a.test": ("d1@a.test", "d2@a.test"),
            "d1@a.test": ("u@a.test",),
            "d2@a.test": ("u@a.test",),
            "exact+ext@a.test": ("v@a.test",),
            "exact@a.test": ("u@a.test",),
            "empty@a.test": (),
            "literal@a.test": ("x@[192.0.2.9]",),
            "@catch.test": ("all@catch.test",),
            "own@catch.test": ("own@catch.test",),
            "@whole.test": ("@a.test",),
            "@1.test": ("@2.test",),
            "@2.test": ("@1.test",),
        },
    )


def router(directory: TableDirectory | None = None, **settings: object) -> DirectoryRouter:
    chosen = RoutingSettings.model_validate({"origin": "mail.a.test", **settings})
    return DirectoryRouter(directory=directory or world(), settings=chosen)


def told(route: Route) -> str:
    """A route in one line: mailboxes, then remote addresses after ``>``, or the code."""
    if route.kind is RouteKind.REFUSED:
        assert route.refusal is not None
        return route.refusal.code
    users = " ".join(sorted(mailbox.user for mailbox in route.mailboxes))
    remote = " ".join(sorted(str(address) for address in route.remote))
    assert (route.kind is RouteKind.REMOTE) == bool(remote)
    return f"{users} > {remote}".strip() if remote else users


TABLE = [
    ("u@a.test", "u@a.test"),
    ("U@a.test", "u@a.test"),
    ("bare@a.test", "bare@a.test"),  # a mailbox without its alias row
    ("u+tag@a.test", "u@a.test"),
    ("bare+tag@a.test", "bare@a.test"),
    ("plus+sign@a.test", "plus+sign@a.test"),
    ("+@a.test", "5.1.1"),
    ("+x@a.test", "5.1.1"),
    ("list@a.test", "u@a.test v@a.test w@b.test"),
    ("chain@a.test", "u@a.test v@a.test w@b.test"),
    ("list+tag@a.test", "u@a.test v@a.test w@b.test"),
    ("exact+ext@a.test", "v@a.test"),
    ("exact+other@a.test", "u@a.test"),
    ("keep@a.test", "> friend@else.test"),  # keeps its own address, but has no mailbox
    ("fwd@a.test", "> friend@else.test"),
    ("fwd+tag@a.test", "> friend+tag@else.test"),
    ("both@a.test", "u@a.test > friend@else.test x@backup.test"),
    ("ghost@a.test", "5.1.1"),
    ("half@a.test", "u@a.test"),
    ("off@a.test", "5.2.1"),
    ("todead@a.test", "5.2.1"),
    ("away@a.test", "u@a.test"),
    ("away2@a.test", "u@a.test"),
    ("quoted@a.test", "two words@a.test"),
    ("two words@a.test", "two words@a.test"),
    ("loop1@a.test", "5.4.6"),
    ("hidden@a.test", "5.4.6"),
    ("diamond@a.test", "u@a.test"),
    ("empty@a.test", "5.1.1"),
    ("nobody@a.test", "5.1.1"),
    ("literal@a.test", "> x@[192.0.2.9]"),
    ("any@catch.test", "all@catch.test"),
    ("own@catch.test", "own@catch.test"),
    ("own+tag@catch.test", "own@catch.test"),
    ("rowless@catch.test", "all@catch.test"),  # as in Postfix, the catch-all steals it
    ("all@catch.test", "all@catch.test"),
    ("u@whole.test", "u@a.test"),
    ("list@whole.test", "u@a.test v@a.test w@b.test"),
    ("nobody@whole.test", "5.1.1"),
    ("x@1.test", "5.4.6"),
    ("u@also-a.test", "u@a.test"),
    ("u+tag@also-a.test", "u@a.test"),
    ("bare@also-a.test", "bare@a.test"),
    ("list@also-a.test", "u@a.test v@a.test w@b.test"),
    ("nobody@also-a.test", "5.1.1"),
    ("off@also-a.test", "5.2.1"),
    ("any@also-catch.test", "all@catch.test"),
    ("own+tag@also-catch.test", "own@catch.test"),
    ("x@backup.test", "> x@backup.test"),
    ("x@relay.test", "> x@relay.test"),
    ("x@else.test", "5.7.1"),
    ("u@sub.a.test", "5.7.1"),
    ("u%else.test@a.test", "5.1.1"),
    ("else.test!u@a.test", "5.1.1"),
    ("u@else.test@a.test", "5.1.1"),
    ("x@[192.0.2.1]", "5.7.1"),
    ("postmaster@[192.0.2.1]", "5.7.1"),
    ("ü@a.test", "5.1.1"),
]


@pytest.mark.parametrize(("recipient", "expected"), TABLE, ids=[row[0] for row in TABLE])
async def test_routes(recipient: str, expected: str) -> None:
    local, _, domain = recipient.rpartition("@")
    assert told(await router().route(Address(local, domain))) == expected


async def test_targets_that_are_gone_are_named() -> None:
    route = await router().route(Address("half", "a.test"))
    assert [str(address) for address in route.missing] == ["nobody@a.test", "off@a.test"]


async def test_relaying_keeps_the_address_for_those_who_may() -> None:
    route = await router().route(Address("x", "else.test"))
    assert route.remote == (Address("x", "else.test"),)


@pytest.mark.parametrize(
    ("address", "settings", "expected"),
    [
        (Address("postmaster", ""), {}, "5.1.1"),
        (Address("Postmaster", ""), {"postmaster": "w@b.test"}, "w@b.test"),
        (Address("postmaster", ""), {"origin": "mx1.b.test"}, "postmaster@b.test"),
        (Address("postmaster", ""), {"origin": "b.test"}, "postmaster@b.test"),
        (Address("postmaster", "a.test"), {"postmaster": "w@b.test"}, "w@b.test"),
        (Address("postmaster", "a.test"), {"postmaster": "postmaster@a.test"}, "5.1.1"),
        (Address("postmaster", "a.test"), {"postmaster": "x@else.test"}, "5.1.1"),
        (Address("postmaster", "else.test"), {"postmaster": "w@b.test"}, "5.7.1"),
        (Address("u", ""), {"origin": "a.test"}, "u@a.test"),
        (Address("u", ""), {}, "5.1.1"),
        (Address("u", "[192.0.2.1]"), {"origin": "a.test", "literals": ["192.0.2.1"]}, "u@a.test"),
        (
            Address("postmaster", "[ipv6:2001:db8::1]"),
            {"postmaster": "w@b.test", "literals": ["2001:DB8::1"]},
            "w@b.test",
        ),
        (Address("nodomain", "a.test"), {"origin": "a.test"}, "u@a.test"),
        (Address("u-x", "a.test"), {"delimiter": "-+"}, "u@a.test"),
        (Address("u+x", "a.test"), {"delimiter": "-+"}, "u@a.test"),
        (Address("u+x", "a.test"), {"delimiter": ""}, "5.1.1"),
        (Address("fwd+x", "a.test"), {"propagate_extension": False}, "> friend@else.test"),
        (Address("u+x", "a.test"), {"propagate_extension": False}, "u@a.test"),
        (Address("chain", "a.test"), {"max_alias_depth": 1}, "5.4.6"),
        (Address("chain", "a.test"), {"max_alias_targets": 2}, "5.4.6"),
    ],
)
async def test_settings(address: Address, settings: dict[str, object], expected: str) -> None:
    assert told(await router(**settings).route(address)) == expected


async def test_wide_and_deep_aliases_end() -> None:
    directory = world()
    directory.aliases["wide@a.test"] = tuple(f"x{i}@else.test" for i in range(5000))
    for i in range(200):
        directory.aliases[f"deep{i}@a.test"] = (f"deep{i + 1}@a.test",)
    assert told(await router(directory).route(Address("wide", "a.test"))) == "5.4.6"
    assert told(await router(directory).route(Address("deep0", "a.test"))) == "5.4.6"
    assert told(await router(directory).route(Address("deep170", "a.test"))) == "5.1.1"


async def test_an_unknown_state_is_no_refusal() -> None:
    directory = world()
    directory.gone = True
    with pytest.raises(DirectoryGone):
        await router(directory).route(Address("u", "a.test"))
