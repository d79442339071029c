"""mailnode as a ``Server``: a demo instance with the users that every server here has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.instance import running
from bench.server import DOMAIN, Server, family, user_names
from mailnode.admin.setup import fill_directory

NAME = "mailnode"


@contextmanager
def ours(users: int, database: str = "", workers: int = 0) -> Iterator[Server]:
    """A fresh instance with ``users`` users; everything is stopped and removed at the end."""
    with running(1, database, workers) as instance:
        names = user_names(users)
        config = Path(instance.folder, "mailnode.toml")
        asyncio.run(fill_directory(config, DOMAIN, names, instance.password))
        yield Server(
            NAME,
            tuple(names),
            instance.password,
            instance.services,
            lambda: family([instance.pid]),
            Path(instance.folder, "mail"),
            facts={"database": instance.database.partition(":")[0], "folder": instance.folder},
        )
