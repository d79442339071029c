"""The database files of ``mailnode cluster config``, run by real MariaDB servers as docs/cluster.md
says."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.admin.cluster_plan import Plan, parse_node
from mailnode.admin.cluster_writer import write
from tests.support.mariadb import CLIENT, MISSING, MariaDb, installed
from tests.support.mariadb_file import ConfiguredMariaDb

pytestmark = pytest.mark.timeout(240)
SECRET = "replace-this-secret"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    nodes = tuple(map(parse_node, ("n1=10.0.0.1/192.0.2.25", "n2=10.0.0.2/192.0.2.26")))
    write(Plan(nodes=nodes, domain="example.org", secret=SECRET), folder)
    return folder / "mariadb"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a server that was just installed holds."""
    if not installed():
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("installed")
    MariaDb(folder).install()
    return folder / "data"


@pytest.fixture
def pair(
    tmp_path: Path, files: Path, data: Path
) -> Iterator[tuple[ConfiguredMariaDb, ConfiguredMariaDb, int]]:
    port = free_port()
    servers = []
    for number, own in ((1, port), (2, free_port())):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copytree(data, folder / "data")
        file = files / f"replication-n{number}.cnf"
        servers.append(ConfiguredMariaDb(folder, file, f"--port={own}"))
    try:
        for server in servers:
            server.start()
        yield servers[0], servers[1], port
    finally:
        for server in servers:
            server.kill()


def commented(sql: str, first: str) -> str:
    """The statements in the comment whose text begins so."""
    text = re.sub(r"^--   ?", "", sql[sql.index(first) :], flags=re.MULTILINE)
    return text[: text.index("\n\n")] if "\n\n" in text else text


def ask_as_mailnode(server: ConfiguredMariaDb, sql: str) -> subprocess.CompletedProcess[str]:
    command = [CLIENT, "--no-defaults", f"--socket={server.socket}", "-umailnode", f"-p{SECRET}"]
    return subprocess.run(
        [*command, "-N", "-B", "mailnode", "-e", sql], capture_output=True, text=True, check=False
    )


def until_rows(server: ConfiguredMariaDb, count: int) -> None:
    end = time.monotonic() + 30
    while server.run("SELECT COUNT(*) FROM t", "mailnode").strip() != str(count):
        assert time.monotonic() < end, server.run("SHOW SLAVE STATUS")
        time.sleep(0.1)


def test_primary_and_replica_and_the_change_of_roles(
    pair: tuple[ConfiguredMariaDb, ConfiguredMariaDb, int], files: Path
) -> None:
    primary, replica, port = pair
    sql = (files / "replication.sql").read_text()
    primary.run(sql)
    assert ask_as_mailnode(primary, "CREATE TABLE t (n INT PRIMARY KEY)").returncode == 0
    dump = ["mariadb-dump", "--no-defaults", f"--socket={primary.socket}", "-uroot"]
    dump += commented(sql, "mariadb-dump").partition(" > ")[0].split()[1:]
    kept = subprocess.run(dump, capture_output=True, check=True).stdout
    replica.run(commented(sql, "mariadb -e").partition("'")[2].partition("'")[0])
    kept = commented(sql, "(echo").partition("'")[2].partition("'")[0].encode() + kept
    client = [CLIENT, "--no-defaults", f"--socket={replica.socket}", "-uroot"]
    loaded = subprocess.run(client, input=kept, capture_output=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    change = commented(sql, "CHANGE MASTER TO MASTER_HOST='10.0.0.1'")
    replica.run(change.replace("'10.0.0.1'", f"'127.0.0.1', MASTER_PORT={port}"))

    assert ask_as_mailnode(primary, "INSERT INTO t VALUES (1)").returncode == 0
    until_rows(replica, 1)
    # Nobody writes to a replica by mistake.
    refused = ask_as_mailnode(replica, "INSERT INTO t VALUES (2)")
    assert "read-only" in refused.stderr

    primary.kill()
    replica.run(commented(sql, "STOP SLAVE; RESET SLAVE ALL").partition("\n")[0])
    assert ask_as_mailnode(replica, "INSERT INTO t VALUES (2)").returncode == 0
