"""A ``Pop3Service`` on loopback ports, over any store."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailnode.access.pop3.service import Pop3Service
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.settings.pop3 import Pop3Settings
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import PemCertificates
from mailnode.store import AccountRef, Folder, NewMessage
from tests.support.dialog import Dialog
from tests.support.fake_store import FakeStore
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import (
    DATE,
    FakeGate,
    InstantHints,
    StoreMaker,
    certificates,
)
from tests.support.reactor_thread import reactor_thread


class Pop3Server:
    """The running service and all it was built from."""

    def __init__(
        self,
        settings: Pop3Settings,
        make_store: StoreMaker,
        shown: PemCertificates | None = None,
    ) -> None:
        self.thread = reactor_thread()
        hints = InstantHints(self.thread.loop)
        self.store = make_store(hints.publish)
        self.gate = FakeGate()
        self.log = ListLog()
        self.pool = Pool(4, "pop3-test")
        self.service = Pop3Service(
            settings=settings,
            gate=self.gate,
            store=self.store,
            pool=self.pool,
            hints=hints,
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
        """A dialog with strangers."""
        self._dialogs.append(Dialog(self.address, variables))
        return self._dialogs[-1]

    def play(self, script: str, **variables: str) -> Dialog:
        """A dialog whose clients are greeted and logged in as user1 before the first line."""
        dialog = LoggedIn(self.address, variables)
        self._dialogs.append(dialog)
        dialog.play(script)
        return dialog

    def inbox(self, user: str = "user1") -> Folder:
        """The user's INBOX; close it."""
        return self.store.account(AccountRef(user, f"example.test/{user}")).open("INBOX")

    def deliver(self, *messages: bytes, user: str = "user1") -> list[int]:
        """Put messages into INBOX as an MX would."""
        opened = self.inbox(user)
        try:
            return opened.append([NewMessage((message,), DATE) for message in messages])
        finally:
            opened.close()

    def uids(self, user: str = "user1") -> list[int]:
        """What INBOX holds now."""
        opened = self.inbox(user)
        try:
            return list(opened.refresh().uids)
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
            script = "S: +OK\nC: USER user1\nS: +OK\nC: PASS secret\nS: +OK"
            self.play(script.replace(":", f"{name}:"))
        return self.clients[name]


@contextmanager
def pop3_server(
    settings: Pop3Settings | None = None,
    make_store: StoreMaker = FakeStore,
    shown: PemCertificates | None = None,
) -> Iterator[Pop3Server]:
    """A server for one test; passwords in clear are allowed unless ``settings`` say otherwise."""
    server = Pop3Server(settings or Pop3Settings(plaintext_login=True), make_store, shown)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(params=["fake", "real"])
def pop3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pop3Server]:
    """A server with an empty account of user1."""
    make = FakeStore if request.param == "fake" else maildir_store(tmp_path)
    with pop3_server(make_store=make) as server:
        yield server
