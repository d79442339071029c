"""A running SMTP service with everything behind it faked: routes, logins, mailboxes, clock."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from mailnode.directory import LoginFailure, Mailbox, Service
from mailnode.intake.service import Role, SmtpService
from mailnode.model.address import Address
from mailnode.model.envelope import Envelope
from mailnode.model.errors import DirectoryGone
from mailnode.model.status import Outcome, Verdict
from mailnode.queue.spool import DiskSpool
from mailnode.routing import Route, RouteKind
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import Event, ListLog
from mailnode.runtime.settings.queue import QueueSettings
from mailnode.runtime.settings.smtp import SmtpSettings
from mailnode.runtime.settings.tls import TlsSettings
from mailnode.runtime.tasks import Pool
from mailnode.runtime.tls import PemCertificates, open_certificates
from tests.support.password_gate import PasswordGate

DONE = Outcome(Verdict.DONE, "2.0.0", "ok")
LATER = Outcome(Verdict.LATER, "4.3.0", "not now")
FULL = Outcome(Verdict.NEVER, "5.2.2", "mailbox is full")
UNKNOWN = Outcome(Verdict.NEVER, "5.1.1", "no such recipient here")


def mailbox(user: str, quota: int = 0) -> Mailbox:
    local, _, domain = user.partition("@")
    return Mailbox(user, f"{domain}/{local}", quota, domain)


class FakeClock:
    """Cranked by hand."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.at = now

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class FakeRouter:
    """alice, bob, full, team (alice + bob), mixed (alice + outside), away (outside only), gone
    (directory away), broken (a fault) in here.test; carol in other.test; the rest is outside."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[str] = []
        for user in ("alice@here.test", "bob@here.test", "carol@other.test", "full@here.test"):
            self.local(user, user)
        self.local("postmaster", "alice@here.test")
        self.local("jörg@here.test", "alice@here.test")
        self.local("team@here.test", "alice@here.test", "bob@here.test")
        outside = (Address("x", "far.test"),)
        self.routes["away@here.test"] = Route(RouteKind.REMOTE, (), outside)
        self.routes["mixed@here.test"] = Route(
            RouteKind.REMOTE, (mailbox("alice@here.test"),), outside
        )

    def local(self, address: str, *users: str, quota: int = 0) -> None:
        self.routes[address] = Route(RouteKind.LOCAL, tuple(mailbox(u, quota) for u in users))

    async def route(self, address: Address) -> Route:
        self.asked.append(str(address))
        if address.local == "gone":
            raise DirectoryGone("no database")
        if address.local == "broken":
            raise RuntimeError("secret /path of ours")
        found = self.routes.get(address.folded)
        if found is not None:
            return found
        if address.domain in ("here.test", "other.test"):
            return Route(RouteKind.REFUSED, refusal=UNKNOWN)
        if address.domain == "backup.test":
            return Route(RouteKind.REMOTE, (), (address,))
        denied = Outcome(Verdict.NEVER, "5.7.1", "relaying denied")
        return Route(RouteKind.REFUSED, remote=(address,), refusal=denied)


class FakeGate(PasswordGate):
    """alice@here.test has the password "secret"."""

    def __init__(self) -> None:
        self.logins: list[tuple[str, Service, str, str, bool]] = []

    async def login(
        self, user: str, password: str, service: Service, peer: str, *, mechanism: str, tls: bool
    ) -> Mailbox | LoginFailure:
        self.logins.append((user, service, peer, mechanism, tls))
        if user == "gone@here.test":
            raise DirectoryGone("no database")
        if (user, password) == ("alice@here.test", "secret"):
            return mailbox(user)
        return LoginFailure.PASSWORD


class FakeCourier:
    """Keeps what is delivered; ``answers`` names users whose copies fail, ``rooms`` full ones."""

    def __init__(self) -> None:
        self.delivered: list[tuple[Envelope, bytes, str, Mailbox]] = []
        self.answers: dict[str, Outcome] = {}
        self.rooms: dict[str, Outcome] = {}
        self.hold: asyncio.Event | None = None
        self.keep = True

    async def deliver(
        self,
        envelope: Envelope,
        chunks: Sequence[bytes | memoryview | BinaryIO],
        copies: Sequence[tuple[str, Mailbox]],
    ) -> list[Outcome]:
        if self.hold is not None:
            await self.hold.wait()
        content = content_of(chunks) if self.keep else b""
        outcomes = []
        for recipient, box in copies:
            outcome = self.answers.get(box.user, DONE)
            if outcome.ok and self.keep:
                self.delivered.append((envelope, content, recipient, box))
            outcomes.append(outcome)
        return outcomes

    async def check_room(self, mailbox: Mailbox, size_bytes: int) -> Outcome | None:
        return self.rooms.get(mailbox.user)

    def users(self) -> list[str]:
        return [box.user for _, _, _, box in self.delivered]

    @property
    def content(self) -> bytes:
        """The last message."""
        return self.delivered[-1][1]

    @property
    def envelope(self) -> Envelope:
        return self.delivered[-1][0]


def content_of(chunks: Sequence[bytes | memoryview | BinaryIO]) -> bytes:
    return b"".join(
        bytes(chunk)
        if isinstance(chunk, bytes | memoryview)
        else os.pread(chunk.fileno(), 1 << 30, 0)
        for chunk in chunks
    )


@lru_cache(maxsize=1)
def certificates(folder: str) -> PemCertificates:
    settings = TlsSettings(self_signed=True)
    return open_certificates(
        settings, hostname="mx.here.test", state=Path(folder), clock=SystemClock()
    )


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A raw client: bytes out, replies in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def write(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def reply(self) -> str:
        """One whole reply, lines joined by LF; empty at the end."""
        lines = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            if not line:
                return "\n".join(lines)
            assert line.endswith("\r\n"), line
            lines.append(line[:-2])
            if re.match(r"\d{3} ", line):
                return "\n".join(lines)

    async def say(self, line: bytes | str) -> str:
        """Send one line and return its reply."""
        self.write(line if isinstance(line, bytes) else line.encode())
        self.write(b"\r\n")
        return await self.reply()

    async def dialog(self, text: str) -> None:
        """Lines ``C: …`` are sent, lines ``S: …`` are what the reply must begin with."""
        for raw in text.strip().splitlines():
            side, _, line = raw.strip().partition(":")
            line = line.removeprefix(" ")
            if side == "C":
                self.write(line.encode() + b"\r\n")
            elif side == "S":
                got = await self.reply()
                assert got.startswith(line), f"{line!r} expected, {got!r} came"
            else:
                raise AssertionError(raw)

    async def start_tls(self) -> None:
        assert (await self.say("STARTTLS")).startswith("220")
        await self.writer.start_tls(client_context())

    async def at_end(self) -> bool:
        """True once the server closed."""
        try:
            return await asyncio.wait_for(self.reader.read(1), 10) == b""
        except ConnectionError:
            return True

    async def close(self) -> None:
        self.writer.close()
        try:
            await asyncio.wait_for(self.writer.wait_closed(), 10)
        except (OSError, ssl.SSLError, TimeoutError):
            pass


class World:
    """The service and its fakes. ``port`` after ``open``."""

    def __init__(self, folder: Path, role: Role, **settings: Any) -> None:
        self.role = role
        shown, urls = settings.pop("certificates", None), settings.pop("urls", None)
        shown = shown or certificates("/tmp/mailnode-test-certificates")
        self.log = ListLog()
        self.clock = FakeClock()
        self.router, self.gate, self.courier = FakeRouter(), FakeGate(), FakeCourier()
        self.pool = Pool(4, "test")
        self.spool = DiskSpool(
            folder=folder / "queue", settings=QueueSettings(), clock=self.clock, log=self.log
        )
        self.settings = SmtpSettings(**settings)
        self.service = SmtpService(
            role=role,
            hostname="mx.here.test",
            settings=self.settings,
            router=self.router,
            gate=self.gate,
            courier=self.courier,
            spool=self.spool,
            pool=self.pool,
            certificates=shown,
            urls=urls,
            clock=self.clock,
            log=self.log,
        )
        self.clients: list[Client] = []
        self.port = 0

    async def open(self, *, implicit_tls: bool = False) -> None:
        sock = socket.create_server(("127.0.0.1", 0))
        await self.service.serve(sock, implicit_tls=implicit_tls)
        self.port = sock.getsockname()[1]

    async def connect(self, *, tls: bool = False, greeting: str = "220") -> Client:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=client_context() if tls else None, limit=1 << 20
        )
        client = Client(reader, writer)
        self.clients.append(client)
        if greeting:
            assert (await client.reply()).startswith(greeting)
        return client

    async def hello(self, *, tls: bool = False) -> Client:
        client = await self.connect(tls=tls)
        word = "LHLO" if self.role is Role.LMTP else "EHLO"
        assert (await client.say(f"{word} client.test")).startswith("250")
        return client

    async def logged_in(self) -> Client:
        """Submission: TLS and alice's login."""
        client = await self.hello()
        await client.start_tls()
        await client.say("EHLO client.test")
        got = await client.say("AUTH PLAIN AGFsaWNlQGhlcmUudGVzdABzZWNyZXQ=")
        assert got.startswith("235"), got
        return client

    def events(self, kind: Event) -> list[dict[str, object]]:
        return [fields for event, fields in self.log.events if event is kind]

    async def close(self) -> None:
        for client in self.clients:
            await client.close()
        await self.service.drain(5)
        self.pool.close()
        self.spool.close()
        # A fault of ours must never pass unseen.
        assert not self.events(Event.ERROR) or self.faults_expected, self.events(Event.ERROR)

    faults_expected = False


@asynccontextmanager
async def running(folder: Path, role: Role = Role.MX, **options: Any) -> AsyncIterator[World]:
    implicit = bool(options.pop("implicit_tls", False))
    world = World(folder, role, **options)
    await world.open(implicit_tls=implicit)
    try:
        yield world
    finally:
        await world.close()
