"""Raises addresses that Heartbeat believes to hold here and that are nowhere.

Heartbeat's scripts tell it things through a pipe, each in several writes: two that write at once
spoil each other's message, and it says so in its log only ("Message with zero fields"). When that
was the word to raise an address, Heartbeat counts it as held for ever and raises it never.
Promises: asks for an address only while Heartbeat is at rest and says that it is held here, after
it was raised nowhere on this machine for a while, and while nobody answers for it on its network;
the request goes through Heartbeat, in its turn; one of which nothing comes is repeated ever more
rarely.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mailnode.cluster.handover import Part, held_parts

_MAILNODE = "mailnode::"


@dataclass(frozen=True, slots=True)
class Group:
    """A line of haresources: ``key``, its first resource, is what Heartbeat calls it by;
    ``nic`` is the interface of its addresses, empty where the line does not tell."""

    node: str
    key: str
    addresses: tuple[str, ...]
    nic: str = ""


def read_groups(path: Path) -> tuple[Group, ...]:
    """The groups with addresses of ours. Lines that are something else, or wrong, are left to
    Heartbeat. Raises ``OSError``."""
    text = path.read_text(errors="replace").replace("\\\n", " ")
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return tuple(found for words in lines if (found := _group(words)) is not None)


def _group(words: list[str]) -> Group | None:
    ours = [word.removeprefix(_MAILNODE) for word in words[1:] if word.startswith(_MAILNODE)]
    parts = [part.split("/") for one in ours for part in one.split("::")]
    if not parts:
        return None
    try:
        addresses = tuple(str(ipaddress.ip_address(part[0])) for part in parts)
    except ValueError:
        return None
    nics = [part[2] for part in parts if len(part) > 2]
    return Group(words[0], words[1], addresses, nics[0] if nics else "")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds. ``nowhere_s``: until an address that is nowhere is asked for; ``first_rest_s``:
    after that, and twice as long after each further time, up to ``rest_s``."""

    nowhere_s: float = 30.0
    first_rest_s: float = 30.0
    rest_s: float = 600.0


class Fetcher:
    """``me`` is this node's name; ``held`` is Heartbeat's word for what it holds; ``raised`` gives
    this machine's addresses; ``obstacle`` tells why a group must not be raised here (somebody else
    answers for its addresses), empty where nothing speaks against it; ``request`` has Heartbeat
    raise a group, and returns whether it could be told; ``say`` tells people."""

    def __init__(
        self,
        *,
        me: str,
        groups: tuple[Group, ...],
        held: Callable[[], str],
        raised: Callable[[], frozenset[str]],
        obstacle: Callable[[Group], str],
        request: Callable[[Group], bool],
        say: Callable[[str], None],
        patience: Patience,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._me, self._groups = me.lower(), groups
        self._held, self._raised, self._obstacle = held, raised, obstacle
        self._request, self._say, self._patience, self._now = request, say, patience, now
        self._due: dict[Group, float] = {}
        self._rest_s: dict[Group, float] = {}

    def look(self) -> None:
        """One look; ask for what has been missing for long enough."""
        raised = self._raised()
        missing = [one for one in self._groups if not raised.intersection(one.addresses)]
        # Asked only when there is something to know: it is a process each time.
        parts = held_parts(self._held()) if missing else None
        waited = [one for one in missing if parts and self._part(one) in parts]
        for gone in self._due.keys() - set(waited):
            del self._due[gone]
            self._rest_s.pop(gone, None)
        now = self._now()
        for group in waited:
            if now >= self._due.setdefault(group, now + self._patience.nowhere_s):
                self._fetch(group)

    def _part(self, group: Group) -> Part:
        return Part.LOCAL if group.node.lower() == self._me else Part.FOREIGN

    def _fetch(self, group: Group) -> None:
        rest_s = self._rest_s.get(group, self._patience.first_rest_s)
        self._rest_s[group] = min(2 * rest_s, self._patience.rest_s)
        what = f"{' '.join(group.addresses)}: held here as Heartbeat says, and not raised"
        if obstacle := self._obstacle(group):
            self._say(f"{what}; {obstacle}")
        elif self._request(group):
            self._say(f"{what}; Heartbeat was asked to raise it")
        else:
            self._say(f"{what}; Heartbeat takes no request")
        self._due[group] = self._now() + rest_s
