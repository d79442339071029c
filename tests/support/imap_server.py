"""An ``ImapService`` on loopback ports, over any store, with hints that arrive at once."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mailnode.access.imap.service import ImapService
from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.model.errors import DirectoryGone
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.runtime.settings.tls import TlsSettings
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import PemCertificates, open_certificates
from mailnode.store import AccountRef, NewMessage, Store
from tests.support.dialog import Dialog
from tests.support.fake_store import FakeStore
from tests.support.password_gate import PasswordGate
from tests.support.reactor_thread import reactor_thread

StoreMaker = Callable[[Callable[[str, int], None]], Store]
DATE = 1_700_000_000.0


class InstantHints:
    """Hints within one process: ``publish`` is heard as soon as the loop turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.heard: dict[str, list[Callable[[int], None]]] = defaultdict(list)

    def publish(self, key: str, modseq: int) -> None:
        self._loop.call_soon_threadsafe(self._spread, key, modseq)

    def _spread(self, key: str, modseq: int) -> None:
        for heard in list(self.heard.get(key, ())):
            heard(modseq)

    def subscribe(self, key: str, heard: Callable[[int], None]) -> Callable[[], None]:
        self.heard[key].append(heard)
        return lambda: self.heard[key].remove(heard)


class FakeGate(PasswordGate):
    """Users ``user1`` … with password ``secret``; ``down``: no database answers."""

    def __init__(self) -> None:
        self.down = False
        self.quota_bytes = 0
        self.seen: list[tuple[str, str, bool]] = []

    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        self.seen.append((user, mechanism, tls))
        if self.down:
            raise DirectoryGone
        if password != "secret":
            return LoginFailure.PASSWORD
        return Mailbox(user, f"example.test/{user}", self.quota_bytes, "example.test")


@cache
def certificates() -> PemCertificates:
    """One self-signed certificate for the whole run."""
    folder = Path(tempfile.mkdtemp(prefix="mailnode-tls-"))
    settings = TlsSettings(self_signed=True)
    return open_certificates(settings, hostname="localhost", state=folder, clock=SystemClock())


class ImapServer:
    """The running service and all it was built from."""

    def __init__(
        self,
        settings: ImapSettings,
        make_store: StoreMaker,
        shown: PemCertificates | None = None,
    ) -> None:
        self.thread = reactor_thread()
        self.hints = InstantHints(self.thread.loop)
        self.store = make_store(self.hints.publish)
        self.gate = FakeGate()
        self.log = ListLog()
        self.pool = Pool(4, "imap-test")
        self.settings = settings
        self.service = ImapService(
            settings=settings,
            gate=self.gate,
            store=self.store,
            pool=self.pool,
            hints=self.hints,
            certificates=shown or certificates(),
            clock=SystemClock(),
            log=self.log,
        )
        self._socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        for sock, tls in zip(self._socks, (False, True), strict=True):
            self.thread.run(self.service.serve(sock, implicit_tls=tls))
        self.address: tuple[str, int] = self._socks[0].getsockname()
        self.tls_address: tuple[str, int] = self._socks[1].getsockname()
        self._dialogs: list[Dialog] = []

    def dialog(self, **variables: str) -> Dialog:
        """A dialog on the clear port."""
        self._dialogs.append(Dialog(self.address, variables))
        return self._dialogs[-1]

    def play(self, script: str, **variables: str) -> Dialog:
        """A dialog whose clients are greeted and logged in as user1 before the first line."""
        dialog = LoggedIn(self.address, variables)
        self._dialogs.append(dialog)
        dialog.play(script)
        return dialog

    def deliver(self, *messages: bytes, user: str = "user1", folder: str = "INBOX") -> list[int]:
        """Put messages into a folder as an MX would."""
        account = self.store.account(AccountRef(user, f"example.test/{user}"))
        opened = account.open(folder)
        try:
            return opened.append([NewMessage((message,), DATE) for message in messages])
        finally:
            opened.close()

    def close(self) -> None:
        for dialog in self._dialogs:
            dialog.close()
        self.thread.run(self.service.drain(2.0))
        for sock in self._socks:
            sock.close()
        self.pool.close()
        close: Any = getattr(self.store, "close", None)
        if close is not None:
            close()
        assert self.service.session_count() == 0


class LoggedIn(Dialog):
    """A dialog whose clients log in as ``user1`` when they appear."""

    def client(self, number: str = "") -> Any:
        name = number or "1"
        if name not in self.clients:
            super().client(name)
            self.play(f"S{name}: * OK\nC{name}: login LOGIN user1 secret\nS{name}: login OK")
        return self.clients[name]


@contextmanager
def imap_server(
    settings: ImapSettings | None = None,
    make_store: StoreMaker = FakeStore,
    shown: PemCertificates | None = None,
) -> Iterator[ImapServer]:
    """A server for one test; passwords in clear are allowed unless ``settings`` say otherwise."""
    server = ImapServer(settings or ImapSettings(plaintext_login=True), make_store, shown)
    try:
        yield server
    finally:
        server.close()


def message(number: int, body: str = "Hello") -> bytes:
    """A small message."""
    return (
        f"From: Ann <ann@example.test>\r\nTo: user1@example.test\r\nSubject: number {number}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.test>\r\n\r\n"
        f"{body}\r\n"
    ).encode()
