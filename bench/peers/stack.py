"""Postfix + Dovecot + MariaDB together, in one folder, on free loopback ports."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.leftovers import working_folder
from bench.peers.dovecot import Dovecot, enough_instances
from bench.peers.mariadb import MariaDb
from bench.peers.postfix import Postfix
from bench.peers.tables import fill
from bench.server import Server, user_names
from bench.usage import family

NAME = "Postfix + Dovecot"
PASSWORD = "secret"
PACKAGES = (
    "postfix postfix-mysql dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-mysql mariadb-server"
)
_NEEDED = ("postfix", "smtp-source", "dovecot", "doveadm", "mariadbd", "mariadb")
_SERVICES = ("smtp", "submission", "imap", "imaps", "pop3", "pop3s")


def missing() -> str:
    """What keeps the peer from running here; empty when nothing does."""
    absent = [name for name in _NEEDED if not shutil.which(name)]
    if absent:
        return f"no {', '.join(absent)} here: apt-get install {PACKAGES}"
    conf = Path("/usr/share/dovecot/conf.d"), Path("/usr/lib/dovecot/lmtp")
    return "" if conf[1].exists() else "no dovecot-lmtpd here"


@contextmanager
def peer(users: int, folder: Path | None = None) -> Iterator[Server]:
    """The peer with ``users`` users, in ``folder`` or in one of ``bench.leftovers``; all of it is
    stopped at the end."""
    reason = missing()
    if reason:
        raise SystemExit(reason)
    with ExitStack() as stack:
        place = folder or stack.enter_context(working_folder("bench-peer-"))
        # Postfix and Dovecot work under accounts of their own.
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)
        ports = dict(zip(_SERVICES, free_ports(len(_SERVICES)), strict=True))
        certificate = _certificate(place)
        database = MariaDb(place / "sql")
        stack.callback(database.stop)
        database.start()
        names = user_names(users)
        fill(database, names, PASSWORD)
        stack.enter_context(enough_instances())
        dovecot = Dovecot(place / "dovecot", database.socket, place / "mail")
        stack.callback(dovecot.stop)
        dovecot.start(ports, certificate)
        postfix = Postfix(place / "postfix", database.socket, place / "dovecot")
        stack.callback(postfix.stop)
        postfix.start(ports, certificate)

        def pids() -> list[int]:
            roots = (database.pid, dovecot.pid, postfix.pid)
            return family([pid for pid in roots if pid])

        services = {name: ("127.0.0.1", port) for name, port in ports.items()}
        yield Server(NAME, tuple(names), PASSWORD, services, pids, place / "mail", postfix.owed)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


def _certificate(place: Path) -> Path:
    path = place / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", "/CN=peer.example.test"]
    command += ["-keyout", f"{place}/key.pem", "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + (place / "key.pem").read_text())
    path.chmod(0o600)
    return path
