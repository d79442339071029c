"""The database files of ``mailnode cluster config``, run by real MariaDB servers as docs/cluster.md
says."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.admin.cluster_plan import Plan, parse_node
from mailnode.admin.cluster_writer import write
from tests.support.mariadb import CLIENT
from tests.support.mariadb_file import ConfiguredMariaDb
from tests.support.namespaces import checked

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


@pytest.fixture
def pair(
    tmp_path: Path, files: Path, mariadb_data: Path
) -> Iterator[tuple[ConfiguredMariaDb, ConfiguredMariaDb, int]]:
    port = free_port()
    servers = []
    for number, own in ((1, port), (2, free_port())):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copytree(mariadb_data, folder / "data")
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


class GaleraNode(ConfiguredMariaDb):
    """Runs as Debian's account, as it would: rsync, which copies the first state over, wants to be
    the owner of what it writes."""

    def _user(self) -> list[str]:
        return ["--user=mysql"]


@pytest.fixture
def galera(files: Path, mariadb_data: Path) -> Iterator[list[GaleraNode]]:
    file = (files / "galera-n1.cnf").read_text()
    provider = re.search(r"^wsrep_provider = (\S+)", file, re.MULTILINE)
    if os.geteuid() != 0 or not provider or not Path(provider[1]).exists():
        pytest.skip("Galera needs root here, and the package galera-4: run scripts/test")
    first = free_port()
    # Not below pytest's folders, which only their owner may enter.
    with tempfile.TemporaryDirectory(prefix="mailnode-galera-") as name:
        nodes = []
        for number, group in ((1, first), (2, free_port())):
            folder = Path(name) / str(number)
            shutil.copytree(mariadb_data, folder / "data")
            shutil.copy(files / f"galera-n{number}.cnf", folder / "cnf")
            (folder / "cnf").chmod(0o644)
            join = [f"--wsrep-cluster-address=gcomm://127.0.0.1:{first}"]
            nodes.append(
                GaleraNode(
                    folder,
                    folder / "cnf",
                    *(["--wsrep-new-cluster"] if number == 1 else join),
                    f"--port={free_port()}",
                    "--wsrep-node-address=127.0.0.1",
                    f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
                    f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};"
                    f"ist.recv_addr=127.0.0.1:{free_port()}",
                )
            )
        Path(name).chmod(0o755)
        checked(["chown", "-R", "mysql:", name])
        try:
            yield nodes
        finally:
            for node in nodes:
                node.kill()


def test_galera_lets_both_nodes_write_and_wants_a_third_vote(
    galera: list[GaleraNode], files: Path
) -> None:
    one, two = galera
    one.start()
    one.run((files / "replication.sql").read_text())
    one.run("CREATE TABLE t (n INT PRIMARY KEY)", "mailnode")
    two.start()
    assert two.run("SHOW STATUS LIKE 'wsrep_cluster_size'").split()[1] == "2"
    one.run("INSERT INTO t VALUES (1)", "mailnode")
    two.run("INSERT INTO t VALUES (2)", "mailnode")
    for node in galera:
        until_rows(node, 2)
    # The account that mailnode has is there on each of them.
    assert ask_as_mailnode(two, "SELECT 1").returncode == 0
    # One of two votes is no majority: what the file says of a third machine is true.
    one.kill()
    end = time.monotonic() + 30
    while "non-Primary" not in two.run("SHOW STATUS LIKE 'wsrep_cluster_status'"):
        assert time.monotonic() < end
        time.sleep(0.2)
