"""Where addresses lead, beside a real Postfix on the same MariaDB."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mailnode.directory.build import open_database, open_directory
from mailnode.model.address import Address
from mailnode.routing import Route, RouteKind
from mailnode.routing.route import DirectoryRouter
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import NullLog
from mailnode.runtime.settings.directory import DirectorySettings
from mailnode.runtime.settings.routing import RoutingSettings
from mailnode.runtime.tasks import Pool
from tests.directory.seed import Seed
from tests.support import postfix_maps
from tests.support.mariadb import MariaDb

WORDS = ("ann", "bob", "d.e", "f_g", "o'x", "postmaster")
DOMAINS = [f"d{number:02}.test" for number in range(14)]
ALIASES = [f"also{number}.test" for number in range(6)]


class World:
    """Random rows. Targets lie in domains further on, so that nothing leads back."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = Seed()
        self.targets = {name: self.random.randrange(len(DOMAINS)) for name in ALIASES}
        for rank, name in enumerate(DOMAINS):
            self.seed.domain(name, active=self.chance(0.9), backupmx=self.chance(0.1))
            self.fill(rank, name)
        for name, rank in self.targets.items():
            self.seed.domain(name, active=self.chance(0.9))
            self.seed.alias_domain(name, DOMAINS[rank], active=self.chance(0.9))
            for word in (*WORDS, ""):
                if self.chance(0.15):
                    self.seed.alias(f"{word}@{name}", self.goto(rank, word))

    def chance(self, part: float) -> int:
        return int(self.random.random() < part)

    def fill(self, rank: int, name: str) -> None:
        for word in WORDS:
            address = f"{word}@{name}"
            if self.chance(0.5):
                self.seed.mailbox(address, active=self.chance(0.9))
                if self.chance(0.8):
                    goto = address + (f",{self.goto(rank, word)}" if self.chance(0.2) else "")
                    self.seed.alias(address, goto, active=self.chance(0.9))
            elif self.chance(0.5):
                self.seed.alias(address, self.goto(rank, word), active=self.chance(0.9))
            if self.chance(0.1):
                self.seed.alias(f"{word}+ext@{name}", self.goto(rank, word))
        if self.chance(0.4):
            self.seed.alias(f"@{name}", self.goto(rank, "") if self.chance(0.5) else self.far(rank))

    def goto(self, rank: int, own: str) -> str:
        """One to three targets."""
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(1, 3))]
        return ",".join(f"{word}{self.far(rank)}" for word in words)

    def far(self, rank: int) -> str:
        """``@domain`` further on: ours, an alias of one, or another server's."""
        later = [name for name, target in self.targets.items() if target > rank]
        return "@" + self.random.choice([*DOMAINS[rank + 1 :], *later, "else.test"])

    def addresses(self) -> list[str]:
        locals_ = [*WORDS, "nobody", "ann+ext", "bob+x+y", "nobody+ext", "Ann", "+x"]
        return [f"{word}@{name}" for name in (*DOMAINS, *ALIASES) for word in locals_]

    def keys(self) -> set[str]:
        """What Postfix's maps are likely to be asked for."""
        domains = (*DOMAINS, *ALIASES, "else.test")
        extended = [f"{word}{more}" for word in WORDS for more in ("+ext", "+x+y", "+x")]
        locals_ = (*WORDS, *extended, "nobody", "nobody+ext", "+x", "")
        return {*domains, *(f"{word}@{name}" for name in domains for word in locals_)}


def arrived(route: Route) -> set[str]:
    if route.kind is RouteKind.REFUSED:
        return set()
    remote = {address.folded for address in route.remote}
    return {box.maildir for box in route.mailboxes} | remote


@pytest.mark.mariadb
@pytest.mark.skipif(not postfix_maps.installed(), reason=postfix_maps.MISSING)
@pytest.mark.parametrize("seed", range(2))
async def test_addresses_lead_where_postfix_would_send(
    seed: int, mysql_url: str, mariadb_server: MariaDb, tmp_path: Path
) -> None:
    settings = DirectorySettings.model_validate({"urls": [mysql_url]})
    pool = Pool(2, "test")
    directory = await open_directory(
        settings=settings, pool=pool, clock=SystemClock(), log=NullLog()
    )
    database, world = open_database(settings, NullLog()), World(seed)
    try:
        await world.seed.write(database)
        name = urlsplit(mysql_url).path.strip("/")
        postfix = postfix_maps.PostfixMaps(tmp_path, mariadb_server.socket, name)
        asked = world.addresses()
        postfix.ask_ahead(world.keys())
        router = DirectoryRouter(directory=directory, settings=RoutingSettings())
        ours, expected = {}, postfix.resolve(asked)
        for address in asked:
            local, _, domain = address.rpartition("@")
            ours[address] = arrived(await router.route(Address(local, domain)))
        assert {a: (f, expected[a]) for a, f in ours.items() if f != expected[a]} == {}
        assert sum(map(bool, ours.values())) > len(ours) // 3
    finally:
        await database.close()
        await directory.close()
        pool.close()
