"""Several nodes on one host: whole servers each with its own address and folders, one mail root."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import json
import os
import signal
import smtplib
import socket
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

from mailnode.admin.setup import fill_directory
from mailnode.runtime.clock import SystemClock
from mailnode.store.check import Checker
from mailnode.store.guard import lay_guard
from tests.support.live_server import LiveServer

DOMAIN = "example.test"
PASSWORD = "a password of the tests"
HOSTS = {"n1": "127.0.0.11", "n2": "127.0.0.12", "n3": "127.0.0.13"}


N = TypeVar("N", bound="Node")


class Node(LiveServer):
    """One of them."""

    def __init__(self, name: str, world: ClusterWorld, **sections: dict[str, object]) -> None:
        folder = world.folder / name
        folder.mkdir()
        super().__init__(folder)
        self.name, self.host = name, HOSTS[name]
        self.sections["server"] |= {
            "node": name,
            "workers": 1,
            "mail_dir": str(world.root),
            "hostname": f"{name}.example.test",
        }
        self.sections["listen"] = {key: [f"{self.host}:0"] for key in self.sections["listen"]}
        self.sections["directory"] = {"urls": [f"sqlite:///{world.folder}/directory.db"]}
        self.sections["imap"] = {"plaintext_login": True, "max_sessions_per_user_ip": 100}
        self.sections["pop3"] = {"plaintext_login": True}
        self.sections["smtp"] = {"auth_without_tls_on_loopback": True}
        self.sections["queue"] = {"scan_s": 1, "first_retry_s": 1}
        self.sections["cluster"] = {
            "shared": True,
            "nodes": [f"{one} {spot}" for one, spot in world.spots.items()],
            "listen": [world.spots[name]],
            "secret_file": str(world.folder / "secret"),
            "takeover_s": 0.5,
        }
        for section, keys in sections.items():
            self.sections.setdefault(section, {}).update(keys)

    def launch(self, guard: bool = True) -> None:
        """As ``LiveServer.launch``; the mail root is the world's."""
        super().launch(guard=False)

    def connect(self, service: str) -> socket.socket:
        """A connection to a service of this node."""
        return socket.create_connection((self.host, self.ports[service]), 20)

    def imap(self, user: str = "user1") -> imaplib.IMAP4:
        """A logged-in session."""
        client = imaplib.IMAP4(self.host, self.ports["imap"], timeout=30)
        client.login(f"{user}@{DOMAIN}", PASSWORD)
        return client

    def send(self, to: str = "user1", subject: str = "hello") -> None:
        """One message by SMTP; raises what smtplib raises when it was not taken."""
        message = EmailMessage()
        message["From"], message["To"] = f"sender@{DOMAIN}", f"{to}@{DOMAIN}"
        message["Subject"] = subject
        message.set_content("text\n")
        with smtplib.SMTP(self.host, self.ports["smtp"], timeout=30) as client:
            client.send_message(message)

    def processes(self) -> list[int]:
        """Supervisor and workers."""
        assert self.process
        return [self.process.pid, *self.workers()]

    def signal_all(self, number: signal.Signals) -> None:
        """To every process of the node, as power loss or a frozen machine would hit them."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """The node is gone at once."""
        pids = self.processes()
        self.signal_all(signal.SIGKILL)
        for pid in pids[1:]:
            self.until_gone(pid)
        self.wait()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``mailnode`` with this node's settings."""
        return subprocess.run(
            self.python("-m", "mailnode", *words, "--config", str(self.config)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | self.environment,
            cwd=self.tree,
        )

    def status(self) -> Any:
        """What ``cluster status`` says here."""
        done = self.command("cluster", "status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


class ClusterWorld:
    """The mail root, the directory and the nodes, which end with the world."""

    def __init__(self, folder: Path, users: int = 3, nodes: int = 2) -> None:
        self.folder, self.root = folder, folder / "shared"
        self.root.mkdir()
        lay_guard(self.root)
        self.spots = {one: f"{HOSTS[one]}:{_free_port(HOSTS[one])}" for one in list(HOSTS)[:nodes]}
        secret = folder / "secret"
        secret.write_text("a secret that the nodes of a test share\n")
        secret.chmod(0o600)
        self.users, self.nodes = [f"user{one}" for one in range(1, users + 1)], dict[str, Node]()

    def node(self, name: str, clock_offset_s: float = 0, **sections: dict[str, object]) -> Node:
        """Start a node."""
        node = Node(name, self, **sections)
        node.clock_offset_s = clock_offset_s
        if not self.nodes:
            node.write()
            self.people(node.config)
        return self.join(node)

    def people(self, config: Path) -> None:
        """Make the users, in the directory that these settings name."""
        people = [f"{user}@{DOMAIN}" for user in self.users]
        asyncio.run(fill_directory(config, DOMAIN, people, PASSWORD))

    def join(self, node: N) -> N:
        """Start a node that was made elsewhere; it ends with the world."""
        self.nodes[node.name] = node
        node.start()
        return node

    def findings(self) -> list[str]:
        """What the checker says of the whole mail root."""
        checker = Checker(self.root, SystemClock(), lock_timeout_s=20)
        return [str(one) for one in checker.everything()]

    def close(self) -> None:
        """End every process, whatever becomes of the others."""
        for node in self.nodes.values():
            if node.process is not None and node.process.poll() is None:
                node.signal_all(signal.SIGCONT)
                node.signal(signal.SIGTERM)
        with contextlib.ExitStack() as steps:
            for node in self.nodes.values():
                if node.process is not None and node.process.stdout is not None:
                    steps.callback(node.process.stdout.close)
                if node.process is not None and node.process.poll() is None:
                    steps.callback(node.stop)


@contextlib.contextmanager
def cluster_world(folder: Path, users: int = 3, nodes: int = 2) -> Iterator[ClusterWorld]:
    """A world that ends."""
    world = ClusterWorld(folder, users, nodes)
    try:
        yield world
    finally:
        world.close()


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
