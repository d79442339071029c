"""A mail server under load, whichever it is: where it listens, who its users are, what it costs.

Users are ``user@example.test``, ``0user@example.test``, ``1user@example.test`` …, as smtp-source,
which puts a running number in front of the recipient, calls them; all have one password.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import usage

DOMAIN = "example.test"


def user_names(count: int) -> list[str]:
    """The users of every server measured here: smtp-source sends to the first one, too, where it
    has several recipients."""
    return [f"user@{DOMAIN}", *(f"{number}user@{DOMAIN}" for number in range(count - 1))]


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``services`` maps smtp, submission, imap, pop3 to host and port; ``pids``
    lists all of its processes, database included, as of now; ``owed`` counts what was accepted but
    not delivered yet."""

    name: str
    users: tuple[str, ...]
    password: str
    services: Mapping[str, tuple[str, int]]
    pids: Callable[[], list[int]]
    mail: Path
    owed: Callable[[], int] = lambda: 0
    facts: Mapping[str, object] = field(default_factory=dict)

    def address(self, service: str) -> tuple[str, int]:
        """Host and port."""
        return self.services[service]

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far, ended children included."""
        return sum(usage.cpu_s(pid) for pid in self.pids())

    def memory_kib(self) -> int:
        """Memory (PSS) of all its processes."""
        return sum(usage.memory_kib(pid) for pid in self.pids())
