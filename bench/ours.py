"""mailnode as a ``Server``: a demo instance with the users that every server here has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from passlib.hash import sha512_crypt

from bench.instance import running
from bench.leftovers import working_folder
from bench.peers.mariadb import MariaDb
from bench.server import DOMAIN, Server, user_names
from bench.usage import family
from mailnode.directory.registry import open_registry
from mailnode.runtime.settings.load import load_settings

NAME = "mailnode"
ROUNDS = 5000  # as many as openssl and doveadm take


@contextmanager
def ours(users: int, database: str = "", workers: int = 0) -> Iterator[Server]:
    """A fresh instance with ``users`` users; all of it is stopped at the end."""
    with running(1, database, workers) as instance:
        names = user_names(users)
        config = Path(instance.folder, "mailnode.toml")
        asyncio.run(_fill(config, names, instance.password))
        yield Server(
            NAME,
            tuple(names),
            instance.password,
            instance.services,
            lambda: family([instance.pid]),
            Path(instance.folder, "mail"),
            facts={"database": instance.database.partition(":")[0], "folder": instance.folder},
        )


async def _fill(config: Path, users: list[str], password: str) -> None:
    """The peer's users, with the peer's form of password: what a hash costs is not compared."""
    hashed = "{SHA512-CRYPT}" + sha512_crypt.using(rounds=ROUNDS).hash(password)
    async with open_registry(load_settings(config).directory) as registry:
        if await registry.domain(DOMAIN) is None:
            await registry.add_domain(DOMAIN, aliases_to="")
        await registry.add_mailboxes(users, hashed)


@contextmanager
def ours_on_mysql(users: int) -> Iterator[Server]:
    """The same, its users in a MariaDB whose processes are counted as its own."""
    with ExitStack() as stack:
        folder = stack.enter_context(working_folder("bench-sql-"))
        database = MariaDb(folder / "sql")
        stack.callback(database.stop)
        database.start()
        database.sql("create database mail")
        address = f"mysql://root@localhost/mail?unix_socket={database.socket}"
        server = stack.enter_context(ours(users, address))
        yield replace(server, pids=lambda: [*server.pids(), database.pid])
