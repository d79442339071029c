"""A demo instance: its folder, settings, users, and the facts a client needs.

Promises: the folder holds everything (settings, database, mail, certificate, log); starting
again in the same folder finds the mail of the last time. The password is kept there, readable
by its owner only, since a demo's users are no secret.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVICES = ("smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s")
IMPLICIT = frozenset({"submissions", "imaps", "pop3s"})
DOMAIN = "example.test"


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance. ``services`` maps a service to host and port; ``pid`` is the
    supervisor's."""

    pid: int
    folder: str
    domain: str
    users: tuple[str, ...]
    password: str
    certificate: str
    database: str
    services: Mapping[str, tuple[str, int]]

    def address(self, service: str) -> tuple[str, int]:
        """Host and port of a service."""
        return self.services[service]

    def to_json(self) -> str:
        """The facts on one line, for programs."""
        services = {
            name: {
                "host": host,
                "port": port,
                "tls": "implicit" if name in IMPLICIT else "none" if name == "lmtp" else "starttls",
            }
            for name, (host, port) in self.services.items()
        }
        facts: dict[str, Any] = {
            "pid": self.pid,
            "dir": self.folder,
            "config": str(Path(self.folder) / "mailnode.toml"),
            "domain": self.domain,
            "users": list(self.users),
            "password": self.password,
            "certificate": self.certificate,
            "mail_root": str(Path(self.folder) / "mail"),
            "log": str(Path(self.folder) / "mail.log"),
            "database": self.database,
            "services": services,
        }
        return json.dumps(facts)

    @classmethod
    def from_json(cls, line: str) -> Instance:
        """The facts read back."""
        facts = json.loads(line)
        return cls(
            pid=facts["pid"],
            folder=facts["dir"],
            domain=facts["domain"],
            users=tuple(facts["users"]),
            password=facts["password"],
            certificate=facts["certificate"],
            database=facts["database"],
            services={
                name: (spot["host"], spot["port"]) for name, spot in facts["services"].items()
            },
        )


def user_names(count: int, domain: str = DOMAIN) -> list[str]:
    """``user1@domain`` … ``userN@domain``."""
    return [f"user{number}@{domain}" for number in range(1, count + 1)]


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that at no moment others may read. Raises ``OSError``."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with open(os.open(path, flags, mode), "w", encoding="utf-8") as opened:
        os.fchmod(opened.fileno(), mode)
        opened.write(text)


def kept_password(folder: Path) -> str:
    """The folder's password, made at the first start."""
    path = folder / "password"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        password = secrets.token_urlsafe(12)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(password + "\n")
        return password


def settings_text(values: Mapping[str, Mapping[str, object]], heading: Sequence[str]) -> str:
    """A settings file with these sections. Values are text, numbers, booleans or lists."""
    lines = [f"# {line}" for line in heading]
    for section, keys in values.items():
        lines += ["", f"[{section}]"]
        # JSON's text, numbers, booleans and lists are TOML's too.
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
