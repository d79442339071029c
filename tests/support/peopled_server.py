"""A ``LiveServer`` with users, for tests that need settings other than the demo's."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import json
import os
import poplib
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mailnode.admin.setup import fill_directory
from tests.support.live_server import LiveServer

DOMAIN = "example.test"
PASSWORD = "open sesame 7"
CLIENT_S = 20.0


class PeopledServer(LiveServer):
    """``user1@example.test`` and so on, all with ``PASSWORD``; logins in plain text are taken."""

    def __init__(self, folder: Path, users: int = 2, **sections: Mapping[str, object]) -> None:
        super().__init__(
            folder,
            imap={"plaintext_login": True, "max_sessions_per_user_ip": 1000},
            pop3={"plaintext_login": True, "max_sessions_per_user_ip": 1000},
            smtp={"auth_without_tls_on_loopback": True},
        )
        for name, keys in sections.items():
            self.sections.setdefault(name, {}).update(keys)
        self.users = [f"user{number}@{DOMAIN}" for number in range(1, users + 1)]

    def launch(self, guard: bool = True) -> None:
        self.write()
        asyncio.run(fill_directory(self.config, DOMAIN, self.users, PASSWORD))
        super().launch(guard)

    def change(self, section: str, **keys: object) -> None:
        """Other settings, taken over by SIGHUP; returns once they are in force."""
        self.sections.setdefault(section, {}).update(keys)
        self.write()
        done = len(self.events("reloaded"))
        self.signal(signal.SIGHUP)
        self.until_event("reloaded", count=done + 1)

    def smtp(self, service: str = "smtp") -> smtplib.SMTP:
        """A greeted connection to a service without implicit TLS."""
        kind = smtplib.LMTP if service == "lmtp" else smtplib.SMTP
        return kind("127.0.0.1", self.ports[service], timeout=CLIENT_S)

    def imap(self, user: int = 0, folder: str = "INBOX") -> imaplib.IMAP4:
        """Logged in, with a folder selected (none if empty)."""
        imaplib._MAXLINE = 100_000_000  # type: ignore[attr-defined]
        client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=CLIENT_S)
        client.login(self.users[user], PASSWORD)
        if folder:
            client.select(folder)
        return client

    def pop3(self, user: int = 0) -> poplib.POP3:
        """Logged in."""
        poplib._MAXLINE = 1_000_000  # type: ignore[attr-defined]
        client = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=CLIENT_S)
        client.user(self.users[user])
        client.pass_(PASSWORD)
        return client

    def send(self, subject: str, *users: int, body: str = "body\r\n") -> None:
        """One message; raises what smtplib raises unless every recipient is acknowledged."""
        with self.smtp() as client:
            to = [self.users[user] for user in users or (0,)]
            text = f"Subject: {subject}\r\n\r\n{body}"
            assert client.sendmail("x@elsewhere.test", to, text) == {}

    def subjects(self, user: int = 0) -> list[str]:
        """What INBOX holds, in the order of its UIDs."""
        with self.imap(user) as box:
            _, parts = box.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            return [part[1].decode().strip()[9:] for part in parts if isinstance(part, tuple)]

    def check_store(self) -> None:
        """The checker has nothing to say."""
        command = [sys.executable, "-m", "mailnode", "store", "check", "--json"]
        command += ["--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["findings"] == []

    def faults(self) -> list[dict[str, str]]:
        """Log lines that only a fault of ours can write."""
        found = self.events("error") + self.events("library") + self.events("worker-died")
        return found + [one for one in self.events() if "Traceback" in str(one)]


def rss_kib(pid: int) -> int:
    """A process's memory of its own: what is not shared with files, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def open_files(pid: int) -> list[str]:
    """What a process has open now, without those that close while we look."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return sorted(found)


def until(what: Callable[[], object], within_s: float = 20.0, step_s: float = 0.05) -> None:
    """Wait until it is true; of another process one can only ask again."""
    end = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < end, "not within its time"
        time.sleep(step_s)


@contextlib.contextmanager
def peopled(
    folder: Path, users: int = 2, **sections: Mapping[str, object]
) -> Iterator[PeopledServer]:
    """Start it, stop it."""
    server = PeopledServer(folder, users, **sections)
    try:
        yield server.start()
    finally:
        if server.process is not None:
            server.stop()
