"""Clients that go on through a takeover, each a thread in the clients' network.

Promises: each keeps what it was told with the time, never waits longer than its timeout, and ends
soon after ``close``. A *broken* transaction is one the server neither answered nor refused.
"""

from __future__ import annotations

import asyncio
import imaplib
import re
import smtplib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from tests.support.heartbeat_pair import DOMAIN, PASSWORD
from tests.support.namespaces import Network

T = TypeVar("T")
# A client that waits for its first lost SYN to be repeated waits a second: rather connect anew.
_CONNECT_S = 0.5
_PAUSE_S = 0.1
_JOIN_S = 60.0
_UID = re.compile(rb"UID (\d+)")


class Client:
    """``run_once`` is called until ``close``; what it raises of the network is expected."""

    def __init__(self, network: Network, address: str) -> None:
        self.network, self.address = network, address
        # How long an answer may take; short, or a client of a dead server learns late of the next.
        self.timeout_s = 5.0
        self.faults: list[str] = []
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End; what was kept stays."""
        self.stopped.set()
        self._thread.join(_JOIN_S)
        assert not self._thread.is_alive(), f"{self._thread.name} does not end"

    def _run(self) -> None:
        self.network.enter()
        while not self.stopped.is_set():
            try:
                self.run_once()
            except OSError:
                # Refused, no route, timed out: nobody is there now.
                self.stopped.wait(_PAUSE_S)
            except Exception as error:
                self.faults.append(repr(error))
                self.stopped.wait(_PAUSE_S)

    def run_once(self) -> None:
        """One round."""
        raise NotImplementedError


class Greeting(NamedTuple):
    """When the connection was begun, when the greeting came, and the host's name in it."""

    began: float
    at: float
    host: str


class Greeter(Client):
    """Connects ten times a second, whatever became of the earlier ones."""

    def __init__(self, network: Network, address: str, port: int = 25) -> None:
        super().__init__(network, address)
        self.port = port
        self.greetings: list[Greeting] = []

    def run_once(self) -> None:
        asyncio.run(self._knock())

    async def _knock(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while not self.stopped.is_set():
                tasks.create_task(self._greeted())
                await asyncio.sleep(_PAUSE_S)

    async def _greeted(self) -> None:
        began = time.monotonic()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection(self.address, self.port)
                try:
                    words = (await reader.readline()).decode().split()
                finally:
                    writer.close()
            if words[:1] == ["220"] or words[:2] == ["*", "OK"]:
                host = next((word for word in words if word.endswith(DOMAIN)), "")
                self.greetings.append(Greeting(began, time.monotonic(), host))

    def longest_gap_s(self, since: float) -> float:
        """The longest time without a good greeting that ended after ``since``."""
        times = sorted(one.at for one in self.greetings)
        return max((later - one for one, later in pairwise(times) if later > since), default=0.0)

    def hosts(self, since: float) -> set[str]:
        """Who greeted on connections begun after that."""
        return {one.host for one in self.greetings if one.began > since}


class Sender(Client):
    """Sends message after message; ``acknowledged`` are subjects with the times of the 250."""

    def __init__(self, network: Network, address: str, user: str, name: str) -> None:
        super().__init__(network, address)
        self.to, self.name, self.number = f"{user}@{DOMAIN}", name, 0
        self.acknowledged: dict[str, float] = {}
        self.latencies: list[tuple[float, float]] = []
        self.broken: list[str] = []

    def run_once(self) -> None:
        self.number += 1
        subject = f"{self.name}-{self.number}"
        began, started = time.monotonic(), False
        try:
            with smtplib.SMTP(self.address, 25, "client", timeout=_CONNECT_S) as client:
                client.sock.settimeout(self.timeout_s)
                client.ehlo()
                started = client.mail(f"sender@{DOMAIN}")[0] == 250
                if not started or client.rcpt(self.to)[0] != 250:
                    started = False
                    return
                code, _ = client.data(f"Subject: {subject}\r\n\r\ntext of {subject}\r\n")
                started = False
                if code == 250:
                    self.acknowledged[subject] = time.monotonic()
                    self.latencies.append((began, time.monotonic() - began))
            self.stopped.wait(_PAUSE_S)
        except smtplib.SMTPException as error:
            if started:
                self.broken.append(f"{subject}: {error!r}")
            self.stopped.wait(_PAUSE_S)
        except OSError as error:
            if started:
                self.broken.append(f"{subject}: {error!r}")
            raise


class Reader(Client):
    """Looks at an INBOX again and again; ``seen`` are the subjects of UIDVALIDITY and UID."""

    def __init__(self, network: Network, address: str, user: str) -> None:
        super().__init__(network, address)
        self.user = f"{user}@{DOMAIN}"
        self.seen: dict[tuple[int, int], str] = {}
        self.latencies: list[tuple[float, float]] = []
        self.broken: list[str] = []

    def run_once(self) -> None:
        try:
            client = imaplib.IMAP4(self.address, 143, timeout=_CONNECT_S)
        except imaplib.IMAP4.error:
            # Turned away before anything was begun.
            self.stopped.wait(_PAUSE_S)
            return
        try:
            client.sock.settimeout(self.timeout_s)
            client.login(self.user, PASSWORD)
            while not self.stopped.wait(2 * _PAUSE_S):
                began = time.monotonic()
                self._look(client)
                self.latencies.append((began, time.monotonic() - began))
            client.logout()
        except (imaplib.IMAP4.error, OSError) as error:
            # RFC 3501 7.1.5: BYE says that the server closes on purpose.
            if "BYE" not in client.untagged_responses and not _says_goodbye(error):
                self.broken.append(repr(error))
            self.stopped.wait(_PAUSE_S)
        finally:
            with suppress(OSError):
                client.shutdown()

    def _look(self, client: imaplib.IMAP4) -> None:
        validity, subjects = look(client, max((uid for _, uid in self.seen), default=0) + 1)
        for uid, subject in subjects.items():
            known = self.seen.setdefault((validity, uid), subject)
            if known != subject:
                self.faults.append(f"UID {uid} was {known} and is {subject}")


def _says_goodbye(error: BaseException) -> bool:
    return any(word in str(error) for word in ("BYE", "shutting", "drain", "later"))


def look(client: imaplib.IMAP4, first: int = 1) -> tuple[int, dict[int, str]]:
    """UIDVALIDITY of the INBOX, and the subjects by UID from ``first`` on."""
    client.select(readonly=True)
    (validity,) = client.response("UIDVALIDITY")[1]
    _, parts = client.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found: dict[int, str] = {}
    for part in parts:
        if isinstance(part, tuple) and (uid := _UID.search(part[0])):
            found[int(uid[1])] = part[1].decode().partition(":")[2].strip()
    return int(validity or 0), {uid: subject for uid, subject in found.items() if uid >= first}


def in_network(network: Network, call: Callable[[], T]) -> T:
    """The result of ``call``, made by a thread inside the network."""

    def work() -> T:
        network.enter()
        return call()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()
