"""Two sites on one machine: a mail root, a real MariaDB server, a zone and mailnode each, and the
scripts of ``config/two-sites`` as they are installed, run for real between them.

What a second machine would give is stood in for: ``ssh`` by a shell with the other site's settings,
``systemctl`` by a script that starts and stops a real mailnode.
"""

from __future__ import annotations

import asyncio
import imaplib
import json
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mailnode.admin.cluster_plan import Plan, parse_node
from mailnode.admin.cluster_writer import write
from mailnode.admin.setup import fill_directory
from mailnode.runtime.clock import SystemClock
from mailnode.store.check import Checker
from mailnode.store.guard import lay_guard
from tests.support.cluster_nodes import DOMAIN, PASSWORD
from tests.support.live_server import SERVICES, LiveServer
from tests.support.mariadb import CLIENT
from tests.support.mariadb_file import ConfiguredMariaDb

ROOT = Path(__file__).parents[2]
SECRET = "replace-this-secret"
_HOSTS = {"a": "127.0.0.31", "b": "127.0.0.32"}
_ADDRESSES = {"a": "192.0.2.25", "b": "203.0.113.25"}
_SERVICE = """#!/bin/sh
# systemctl {verb} mailnode
cd {root}
case $1 in
  start)
    "{scripts}/may-serve" || exit 1
    rm -f {site}/ports
    {python} -m tests.support.live_server {config} >{site}/ports 2>>{site}/stderr </dev/null &
    echo $! >{site}/mailnode.pid
    for step in $(seq 900); do [ -s {site}/ports ] && exit 0; sleep 0.1; done; exit 1 ;;
  stop)
    [ -e {site}/mailnode.pid ] || exit 0
    kill "$(cat {site}/mailnode.pid)" 2>/dev/null
    for step in $(seq 300); do
      kill -0 "$(cat {site}/mailnode.pid)" 2>/dev/null || break
      sleep 0.1
    done
    rm -f {site}/mailnode.pid {site}/ports ;;
  is-active) [ -e {site}/mailnode.pid ] && kill -0 "$(cat {site}/mailnode.pid)" ;;
esac
"""
_SSH = """#!/bin/sh
[ ! -e {site}/cut ] || exit 255
SITE_CONF={site}/site.conf exec sh -c "$1"
"""


class Site:
    """One of them. ``script`` runs what an operator would run there."""

    def __init__(self, name: str, folder: Path, config: Path, ports: dict[str, int]) -> None:
        self.name, self.folder = name, folder / name
        self.scripts, self.mail = config / "two-sites", self.folder / "mail"
        self.zone = self.folder / "zone"
        self.host, self.port = _HOSTS[name], ports["smtp"]
        self.folder.mkdir()
        self.mail.mkdir()
        shutil.copy(config / "bind/zone", self.zone)
        number = 1 if name == "a" else 2
        file = config / f"mariadb/replication-n{number}.cnf"
        options = (f"--port={ports[name]}", "--read-only=ON")
        self.database = ConfiguredMariaDb(self.folder, file, *options)
        self.conf = self.folder / "site.conf"
        self._write_conf(config, folder / ("b" if name == "a" else "a"), ports)
        self._write_server(ports[name])
        self._write_scripts()

    def _write_conf(self, config: Path, other: Path, ports: dict[str, int]) -> None:
        mine = {
            "MAIL_DIR": self.mail,
            "TARGET": other / "mail",
            "CONFIG": self.folder / "mailnode.toml",
            "ADDRESS": _ADDRESSES[self.name],
            "ADDRESS6": "" if self.name == "b" else "2001:db8::25",
            "OTHER_ADDRESS": _HOSTS[other.name],
            "OTHER_PORT": ports["smtp"],
            "OTHER_DATABASE": "127.0.0.1",
            "OTHER_DATABASE_PORT": ports[other.name],
            "ZONE_FILE": self.zone,
            "RELOAD_ZONE": f"'touch {self.folder}/zone-was-read'",
            "MYSQL": f"'{CLIENT} --no-defaults --socket={self.database.socket} -uroot'",
            "MYSQLDUMP": f"'mariadb-dump --no-defaults --socket={self.database.socket} -uroot'",
            "ASIDE": self.folder / "aside",
            "REMOTE": other / "ssh",
            "SYSTEMCTL": self.folder / "systemctl",
            "MAILNODE": f"'{sys.executable} -m mailnode'",
        }
        names = {"COPY": "copy-to-other-site", "LIVE": "make-this-site-live"}
        names |= {"STANDBY": "become-standby", "POINT": "point-names-here"}
        mine |= {key: self.scripts / name for key, name in names.items()}
        lines = (config / "two-sites/site.conf").read_text()
        self.conf.write_text(lines + "".join(f"{key}={value}\n" for key, value in mine.items()))

    def _write_server(self, port: int) -> None:
        """Each service has a free port, but for SMTP, which is asked for from the other site."""
        server = LiveServer(self.folder)
        server.sections["server"]["workers"] = 1
        server.sections["listen"] = {name: [] for name in SERVICES} | {
            "smtp": [f"{self.host}:{self.port}"],
            "imap": [f"{self.host}:0"],
        }
        server.sections["imap"] = {"plaintext_login": True}
        url = f"mysql://mailnode:{SECRET}@127.0.0.1:{port}/mailnode"
        server.sections["directory"] = {"urls": [url], "cache_s": 1, "cache_negative_s": 1}
        server.write()
        self.config = server.config

    def _write_scripts(self) -> None:
        facts = {"root": ROOT, "scripts": self.scripts, "python": sys.executable, "verb": "VERB"}
        facts |= {"config": self.config, "site": self.folder}
        for name, text in (("systemctl", _SERVICE), ("ssh", _SSH)):
            path = self.folder / name
            path.write_text(text.format(**facts))
            path.chmod(0o755)

    # -- what happens there ---------------------------------------------------------------------

    def script(self, name: str, *words: str, status: int = 0) -> str:
        """Run one of the scripts; what it said."""
        done = subprocess.run(
            [str(self.scripts / name), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=120,
            check=False,
            cwd=ROOT,
            env=os.environ
            | {"SITE_CONF": str(self.conf), "SITE_FUNCTIONS": str(self.scripts / "functions")},
        )
        assert done.returncode == status, f"{name}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def service(self, verb: str) -> int:
        """``systemctl VERB mailnode``; the exit status."""
        environment = os.environ | {"SITE_CONF": str(self.conf)}
        environment["SITE_FUNCTIONS"] = str(self.scripts / "functions")
        command = [str(self.folder / "systemctl"), verb, "mailnode"]
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode

    def send(self, subject: str, to: str = "user1") -> None:
        """A message that this site acknowledges."""
        with smtplib.SMTP(self.host, self.port, timeout=30) as client:
            text = f"Subject: {subject}\r\n\r\ntext\r\n"
            client.sendmail(f"sender@{DOMAIN}", [f"{to}@{DOMAIN}"], text)

    def uidnext(self, user: str = "user1") -> int:
        """UIDNEXT of the user's INBOX, as a client hears it."""
        port = json.loads((self.folder / "ports").read_text())["imap"]
        client = imaplib.IMAP4(self.host, port, timeout=30)
        client.login(f"{user}@{DOMAIN}", PASSWORD)
        _, (said,) = client.status("INBOX", "(UIDNEXT)")
        client.logout()
        return int(said.rpartition(b"UIDNEXT ")[2].rstrip(b")"))

    def subjects(self, user: str = "user1") -> list[str]:
        """What lies in the user's INBOX, as files tell."""
        (box,) = self.mail.glob(f"**/{user}")
        found = [*box.glob("cur/*"), *box.glob("new/*")]
        lines = (one.read_bytes().splitlines() for one in found)
        return sorted(
            line.decode().partition(": ")[2]
            for message in lines
            for line in message
            if line.startswith(b"Subject: ")
        )

    def kill(self) -> None:
        """The site is off: nothing answers there, and ssh leads nowhere."""
        with suppress(FileNotFoundError, ProcessLookupError):
            chief = int((self.folder / "mailnode.pid").read_text())
            workers = Path(f"/proc/{chief}/task/{chief}/children").read_text().split()
            for pid in (chief, *map(int, workers)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            (self.folder / "mailnode.pid").unlink()
        self.database.kill()
        (self.folder / "cut").touch()

    def boot(self) -> None:
        """Its machines are on again; mailnode is started as systemd would."""
        (self.folder / "cut").unlink()
        self.database.start()

    def findings(self) -> list[str]:
        """What the checker says."""
        return [str(one) for one in Checker(self.mail, SystemClock()).everything()]


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def two_sites(folder: Path, data: Path) -> Iterator[tuple[Site, Site]]:
    """A first site with users, and a second one that is new; ``data`` is what a database that was
    just installed holds. Both end with the block."""
    config = folder / "config"
    nodes = ("n1=127.0.0.1/192.0.2.25/2001:db8::25", "n2=127.0.0.2/192.0.2.26/2001:db8::26")
    plan = Plan(nodes=tuple(map(parse_node, nodes)), domain="example.org", secret=SECRET)
    write(plan, config)
    ports = {"smtp": _free_port(_HOSTS["b"])} | {name: _free_port("127.0.0.1") for name in "ab"}
    one, two = (Site(name, folder, config, ports) for name in "ab")
    try:
        for site in (one, two):
            shutil.copytree(data, site.folder / "data")
            site.database.start()
            site.database.run("SET GLOBAL read_only = OFF")
            site.database.run((config / "mariadb/replication.sql").read_text())
        lay_guard(one.mail)
        asyncio.run(fill_directory(one.config, DOMAIN, [f"user1@{DOMAIN}"], PASSWORD))
        yield one, two
    finally:
        with ExitStack() as steps:
            for site in (one, two):
                steps.callback(site.kill)
                steps.callback(site.service, "stop")
