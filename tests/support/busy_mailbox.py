"""Processes that deliver to, read and empty one mailbox through a server's sockets, and keep what
each was told. Started by ``multiprocessing`` (spawn); what they found comes back by a queue.
"""

from __future__ import annotations

import poplib
import re
import smtplib
import socket
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event

from tests.support.peopled_server import PASSWORD

_SUBJECT = re.compile(rb"Subject: (\S+)")
_FETCHED = re.compile(rb"\* (\d+) FETCH \(.*?UID (\d+)", re.S)
TIMEOUT_S = 30.0
# Among so many messages in a row each expunger has its share.
LEFT_BY_POP3 = 12


@dataclass
class Found:
    """What one process was told. ``named``: the subject of each UID it saw."""

    kind: str
    accepted: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    named: dict[int, str] = field(default_factory=dict)
    picture: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """What every process gets. ``calm``: stop changing things; ``meet``: all have stopped."""

    ports: dict[str, int]
    user: str
    results: Queue[Found]
    calm: Event
    meet: Barrier


class Picture:
    """A selected INBOX as untagged responses tell it, in their order (imaplib loses it)."""

    def __init__(self, work: Work, found: Found) -> None:
        self.found, self.uids, self.exists = found, list[int](), 0
        self._sock = socket.create_connection(("127.0.0.1", work.ports["imap"]), TIMEOUT_S)
        self._file = self._sock.makefile("rb")
        self._number = 0
        self._file.readline()
        self.command(f'LOGIN "{work.user}" "{PASSWORD}"')
        self.command("SELECT INBOX")

    def close(self) -> None:
        self._file.close()
        self._sock.close()

    def command(self, text: str) -> list[bytes]:
        """Its untagged responses, after they changed the picture."""
        self._number += 1
        tag = b"t%d " % self._number
        self._sock.sendall(tag + text.encode() + b"\r\n")
        told: list[bytes] = []
        while not (line := self._line()).startswith(tag):
            told.append(line)
            self._take(line)
        # RFC 5530 3: somebody removed some of the messages before we heard of it.
        if not line.startswith((tag + b"OK", tag + b"NO [EXPUNGEISSUED]")):
            self.found.wrong.append(f"{text}: {line!r}")
        return told

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line:
            raise ConnectionError("the server closed")
        while (literal := re.search(rb"\{(\d+)\}\r\n\Z", line)) is not None:
            line += self._file.read(int(literal[1])) + self._file.readline()
        return line

    def _take(self, line: bytes) -> None:
        if match := re.match(rb"\* (\d+) EXISTS", line):
            self.exists = int(match[1])
        elif match := re.match(rb"\* (\d+) EXPUNGE", line):
            self.exists -= 1
            if int(match[1]) <= len(self.uids):
                del self.uids[int(match[1]) - 1]
        elif match := _FETCHED.match(line):
            self._learn(int(match[1]), int(match[2]), line)

    def catch_up(self) -> None:
        """Hear the news, then learn the UIDs and subjects of what is new."""
        self.command("NOOP")
        if len(self.uids) < self.exists:
            new = f"{len(self.uids) + 1}:{self.exists}"
            self.command(f"FETCH {new} (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")

    def _learn(self, number: int, uid: int, line: bytes) -> None:
        if number == len(self.uids) + 1:
            if self.uids and uid <= self.uids[-1]:
                self.found.wrong.append(f"UID {uid} comes after {self.uids[-1]}")
            self.uids.append(uid)
        elif number > len(self.uids):
            return  # flags of one that we have yet to fetch
        elif self.uids[number - 1] != uid:
            self.found.wrong.append(f"message {number} has UID {uid}, not {self.uids[number - 1]}")
        # A message that somebody removed meanwhile may come without its header.
        subject = _SUBJECT.search(line)
        if subject:
            self.found.named[uid] = subject[1].decode()


def _finish(work: Work, found: Found, picture: Picture) -> None:
    work.meet.wait(TIMEOUT_S)
    # Twice: one that went during the first time is told of at the second.
    picture.catch_up()
    picture.catch_up()
    found.picture = picture.uids
    picture.close()
    work.results.put(found)


def deliver(work: Work, service: str, number: int, count: int) -> None:
    """Deliver ``count`` messages by ``service``."""
    found = Found(service)
    kind = smtplib.LMTP if service == "lmtp" else smtplib.SMTP
    with kind("127.0.0.1", work.ports[service], timeout=TIMEOUT_S) as client:
        for turn in range(count):
            subject = f"{service}-{number}-{turn}"
            client.sendmail("x@elsewhere.test", [work.user], f"Subject: {subject}\r\n\r\nbody\r\n")
            found.accepted.append(subject)
    work.results.put(found)


def watch(work: Work) -> None:
    """Only look."""
    found = Found("watch")
    picture = Picture(work, found)
    while not work.calm.wait(0.01):
        picture.catch_up()
    _finish(work, found, picture)


def expunge(work: Work, share: int) -> None:
    """Flag every third message with its own share of the UIDs, expunge them, and say which."""
    found = Found("expunge")
    picture = Picture(work, found)
    while not work.calm.wait(0.02) or not found.removed:
        picture.catch_up()
        mine = [uid for uid in picture.uids if uid % 6 == share and uid in found.named][:5]
        if mine:
            uids = ",".join(map(str, mine))
            picture.command(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
            picture.command(f"UID EXPUNGE {uids}")
            picture.command("NOOP")
            found.removed += [found.named[uid] for uid in mine if uid not in picture.uids]
            found.wrong += [f"UID {uid} is there after EXPUNGE" for uid in mine
                            if uid in picture.uids]  # fmt: skip
    _finish(work, found, picture)


def empty_by_pop3(work: Work) -> None:
    """Take the first two messages away, again and again, but leave enough to expunge."""
    found = Found("pop3")
    while not work.calm.wait(0.02) or not found.removed:
        client = poplib.POP3("127.0.0.1", work.ports["pop3"], timeout=TIMEOUT_S)
        client.user(work.user)
        client.pass_(PASSWORD)
        gone = []
        spare = client.stat()[0] - LEFT_BY_POP3
        for number in range(1, min(spare, 2) + 1):
            try:
                text = b"\r\n".join(client.retr(number)[1])
                client.dele(number)
            except poplib.error_proto:
                continue  # expunged by IMAP since the login
            gone.append(_SUBJECT.search(text))
        client.quit()
        found.removed += [subject[1].decode() for subject in gone if subject]
    work.meet.wait(TIMEOUT_S)
    work.results.put(found)
