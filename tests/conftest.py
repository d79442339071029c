"""A private MariaDB for whoever needs one."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mariadb

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mariadb.MariaDb]:
    """One private server a session; in a short path, as socket names are limited to 107 bytes."""
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    folder = Path(tempfile.mkdtemp(prefix="mn-db"))
    server = mariadb.MariaDb(folder)
    try:
        server.install()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server that was just installed holds, to be copied."""
    if not mariadb.installed():
        pytest.skip(mariadb.MISSING)
    folder = tmp_path_factory.mktemp("installed")
    mariadb.MariaDb(folder).install()
    return folder / "data"


@pytest.fixture
def mysql_url(mariadb_server: mariadb.MariaDb) -> Iterator[str]:
    """A fresh empty database on the private server."""
    name = f"t{next(_numbers)}"
    mariadb_server.run(f"CREATE DATABASE {name}")
    yield mariadb_server.url(name)
    mariadb_server.run(f"DROP DATABASE {name}")


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh empty database, once on SQLite and once on MariaDB."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/directory.db"
    fresh: str = request.getfixturevalue("mysql_url")
    return fresh
