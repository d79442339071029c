"""A crowd at one mailbox on several nodes, and a model of what must come out.

Each member owns the messages it makes: nobody else changes them, so the model of all members
together is exact, while folders, journals, UIDs and quota are everybody's. Every step of a member
goes to a node by chance, and first looks up its message there: what one node acknowledged, each
other must show at once.
"""

from __future__ import annotations

import imaplib
import random
import re
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.support.cluster_nodes import DOMAIN

SHARED = ("INBOX", "Common")
_FLAGS = ("\\Flagged", "\\Answered", "\\Seen", "$Forwarded", "Urgent")
_SUBJECT = re.compile(rb"Subject: (\S+)", re.IGNORECASE)

State = dict[tuple[str, str], frozenset[str]]  # folder and subject: flags


class Entrance(Protocol):
    """What a member needs of a node: a server on this host or on a machine of its own."""

    name: str
    host: str
    ports: dict[str, int]

    def imap(self, user: str) -> imaplib.IMAP4:
        """A logged-in session."""
        ...


class Member:
    """One client with a session on each node."""

    def __init__(
        self, name: str, user: str, nodes: Sequence[Entrance], seed: int, careful: bool = False
    ) -> None:
        """``careful``: no session has a folder selected that is renamed, for nodes that end it."""
        self.name, self.user, self.nodes, self.careful = name, user, nodes, careful
        self.state: State = {}
        self.steps = 0
        self.uids: dict[tuple[str, int, int], str] = {}  # folder id, UIDVALIDITY, UID: subject
        self._chance = random.Random(seed)
        self._sessions = [node.imap(user) for node in nodes]
        self._made = 0
        self.own = f"{name}-0"
        self._renamed = 0
        _ok(self._sessions[0].create(self.own))

    def run(self, seconds: float) -> None:
        """Steps by chance until the time is over."""
        end = time.monotonic() + seconds
        steps: list[Callable[[], None]] = [self._deliver, self._append, self._copy, self._move]
        steps += [self._flag, self._flag, self._expunge, self._rename]
        weights = [4, 3, 2, 3, 3, 3, 3, 1]
        while time.monotonic() < end:
            self._chance.choices(steps, weights)[0]()
            self.steps += 1

    def close(self) -> None:
        """Log out."""
        for session in self._sessions:
            session.logout()

    # -- steps ----------------------------------------------------------------------------------

    def _deliver(self) -> None:
        node, subject = self._chance.choice(self.nodes), self._subject()
        with smtplib.SMTP(node.host, node.ports["smtp"], timeout=30) as client:
            text = f"Subject: {subject}\r\n\r\n{'x' * self._chance.randrange(2000)}\r\n"
            client.sendmail(f"s@{DOMAIN}", [f"{self.user}@{DOMAIN}"], text)
        self.state["INBOX", subject] = frozenset()

    def _append(self) -> None:
        folder, subject = self._chance.choice([*SHARED, self.own]), self._subject()
        flags = self._some_flags()
        text = f"Subject: {subject}\r\n\r\ntext\r\n".encode()
        _ok(self._session().append(folder, " ".join(flags), "", text))
        self.state[folder, subject] = flags

    def _copy(self) -> None:
        self._transfer("COPY")

    def _move(self) -> None:
        self._transfer("MOVE")

    def _transfer(self, verb: str) -> None:
        found = self._pick()
        if found is None:
            return
        folder, subject, session, uid = found
        others = [one for one in (*SHARED, self.own) if (one, subject) not in self.state]
        if not others:
            return
        target = self._chance.choice(others)
        _ok(session.uid(verb, uid, target))
        flags = self.state.pop((folder, subject)) if verb == "MOVE" else self.state[folder, subject]
        self.state[target, subject] = flags

    def _flag(self) -> None:
        found = self._pick()
        if found is None:
            return
        folder, subject, session, uid = found
        flags, before = self._some_flags(), self.state[folder, subject]
        how = self._chance.choice(["+FLAGS", "-FLAGS", "FLAGS"])
        _ok(session.uid("STORE", uid, how, f"({' '.join(flags)})"))
        after = {"+FLAGS": before | flags, "-FLAGS": before - flags, "FLAGS": flags}[how]
        self.state[folder, subject] = frozenset(after)

    def _expunge(self) -> None:
        found = self._pick()
        if found is None:
            return
        folder, subject, session, uid = found
        _ok(session.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)"))
        _ok(session.uid("EXPUNGE", uid))
        del self.state[folder, subject]

    def _rename(self) -> None:
        self._renamed += 1
        new = f"{self.name}-{self._renamed}"
        for session in self._sessions if self.careful else ():
            _ok(session.select("INBOX"))
        # Whoever has it selected keeps it, whichever node renames it.
        selecting = self._session()
        _ok(selecting.select("INBOX" if self.careful else self.own))
        _ok(self._session().rename(self.own, new))
        _ok(selecting.noop())
        _ok(selecting.unselect())
        for folder, subject in [key for key in self.state if key[0] == self.own]:
            self.state[new, subject] = self.state.pop((folder, subject))
        self.own = new

    # -- looking --------------------------------------------------------------------------------

    def _pick(self) -> tuple[str, str, imaplib.IMAP4, str] | None:
        """A message of ours, in a session that has its folder selected, by its UID there."""
        if not self.state:
            return None
        folder, subject = self._chance.choice(sorted(self.state))
        session = self._session()
        _ok(session.select(folder))
        validity = int(session.response("UIDVALIDITY")[1][0])
        (said,) = _ok(session.uid("SEARCH", "HEADER", "Subject", subject))
        uids = said.split()
        assert len(uids) == 1, f"{subject} in {folder}: {uids}"
        self._note(folder, validity, int(uids[0]), subject)
        return folder, subject, session, uids[0].decode()

    def _note(self, folder: str, validity: int, uid: int, subject: str) -> None:
        # A folder of our own keeps its UIDs under each name it gets.
        key = (folder if folder in SHARED else self.name, validity, uid)
        known = self.uids.setdefault(key, subject)
        assert known == subject, f"UID {key} named {known}, now {subject}"

    def _session(self) -> imaplib.IMAP4:
        return self._chance.choice(self._sessions)

    def _subject(self) -> str:
        self._made += 1
        return f"{self.name}x{self._made}x"

    def _some_flags(self) -> frozenset[str]:
        return frozenset(self._chance.sample(_FLAGS, self._chance.randrange(1, 4)))


def let_loose(members: Sequence[Member], seconds: float, patience_s: float) -> list[str]:
    """All at once for so long; what went wrong. ``patience_s``: how much later the last may end."""
    faults: list[str] = []

    def work(member: Member) -> None:
        try:
            member.run(seconds)
            member.close()
        except Exception as error:
            faults.append(f"{member.name} after {member.steps} steps: {error!r}")

    threads = [threading.Thread(target=work, args=(member,), daemon=True) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + patience_s)
        assert not thread.is_alive(), "a client hangs"
    return faults


def seen_on(node: Entrance, user: str) -> tuple[State, dict[tuple[str, int, int], str]]:
    """Every message of a user as a node shows it, and its UIDs."""
    session, state = node.imap(user), State()
    uids: dict[tuple[str, int, int], str] = {}
    _, listed = session.list()
    folders = [
        line.rpartition(b" ")[2].strip(b'"').decode() for line in listed if isinstance(line, bytes)
    ]
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for folder in folders:
        _ok(session.select(folder, readonly=True))
        validity = int(session.response("UIDVALIDITY")[1][0])
        _, parts = session.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for part in parts:
            if isinstance(part, tuple):
                found = _SUBJECT.search(part[1])
                assert found, part
                subject = found[1].decode()
                counts[folder, subject] += 1
                state[folder, subject] = _flags(part[0])
                uid = re.search(rb"UID (\d+)", part[0])
                assert uid
                uids[folder, validity, int(uid[1])] = subject
    session.logout()
    assert max(counts.values(), default=1) == 1, [one for one in counts.items() if one[1] > 1]
    return state, uids


def _flags(line: bytes) -> frozenset[str]:
    found = re.search(rb"FLAGS \(([^)]*)\)", line)
    assert found, line
    return frozenset(found[1].decode().split()) - {"\\Recent"}


def _ok(answer: tuple[str, Any]) -> Any:
    assert answer[0] == "OK", answer
    return answer[1]
