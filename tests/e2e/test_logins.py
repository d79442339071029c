"""Every way to log in, at the real program with a real directory; and a URL for another user."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.support.issuer import Issuer, running_issuer
from tests.support.peopled_server import PASSWORD, PeopledServer
from tests.support.scram_client import ScramClient
from tests.support.tls_client import TlsClient
from tests.support.user_certificates import Authority

pytestmark = pytest.mark.timeout(120)
USER, OTHER = "user1@example.test", "user2@example.test"


class World(NamedTuple):
    server: PeopledServer
    issuer: Issuer
    authority: Authority


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("logins")
    authority = Authority(folder / "pki")
    with running_issuer() as issuer:
        server = PeopledServer(
            folder,
            tls={"client_ca": str(authority.pem)},
            login={"offer_scram": True, "failure_delay_s": 0.0},
            oauth={"issuer": issuer.url, "audience": ["mail"]},
        )
        server.start()
        try:
            yield World(server, issuer, authority)
        finally:
            server.stop()


def b64(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return base64.b64encode(raw).decode()


class Door:
    """One service under implicit TLS: how AUTH is begun, and what a success begins with."""

    def __init__(self, service: str, greeting: str, begin: str, success: str) -> None:
        self.service, self.greeting, self.begin, self.success = service, greeting, begin, success

    def open(self, world: World, certificate: bool = False, version: str = "1.3") -> TlsClient:
        shown = world.authority.issue("User", [USER]) if certificate else None
        port = world.server.ports[self.service]
        client = TlsClient(("127.0.0.1", port), version=version, user=shown)
        client.until(self.greeting)
        if self.service == "submissions":
            client.hello()
        return client

    def auth(self, client: TlsClient, mechanism: str, response: str) -> str:
        return client.say(f"{self.begin} {mechanism} {response}")


DOORS = [
    Door("imaps", "* OK", "a AUTHENTICATE", "a OK"),
    Door("pop3s", "+OK", "AUTH", "+OK"),
    Door("submissions", "220", "AUTH", "235"),
]
doors = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.service)


def _log_in_by_password_then_scram(world: World, door: Door) -> None:
    client = door.open(world)
    assert door.auth(client, "PLAIN", b64(f"\0{USER}\0{PASSWORD}")).startswith(door.success)
    client.close()
    version = "1.2" if door.service == "submissions" else "1.3"
    kind = "tls-unique" if version == "1.2" else "tls-exporter"
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256"):
        client = door.open(world, version=version)
        plus = mechanism.endswith("PLUS")
        bound = client.binding(kind) if plus else b""
        scram = ScramClient(USER, PASSWORD, mechanism, f"p={kind},," if plus else "n,,", bound)
        first = door.auth(client, mechanism, b64(scram.first()))
        last = client.say(b64(scram.final(base64.b64decode(first.split()[1]))))
        assert base64.b64decode(last.split()[1]) == scram.last_word()
        assert client.say("").startswith(door.success)
        client.close()


def _log_in_by_certificate(world: World, door: Door) -> None:
    client = door.open(world, certificate=True)
    assert door.auth(client, "EXTERNAL", "=").startswith(door.success)
    client.close()


def _log_in_by_token(world: World, door: Door) -> None:
    token = world.issuer.token(email=USER)
    for mechanism, response in (
        ("OAUTHBEARER", f"n,a={USER},\x01auth=Bearer {token}\x01\x01"),
        ("XOAUTH2", f"user={USER}\x01auth=Bearer {token}\x01\x01"),
    ):
        client = door.open(world)
        assert door.auth(client, mechanism, b64(response)).startswith(door.success)
        client.close()


@doors
def test_password_then_scram_bound_to_the_connection(world: World, door: Door) -> None:
    """SCRAM's keys are made at the first login by password."""
    _log_in_by_password_then_scram(world, door)


@doors
def test_certificate(world: World, door: Door) -> None:
    _log_in_by_certificate(world, door)
    client = door.open(world, certificate=True)
    assert not door.auth(client, "EXTERNAL", b64(OTHER)).startswith(door.success)
    client.close()


@doors
def test_access_token(world: World, door: Door) -> None:
    _log_in_by_token(world, door)
    stranger = world.issuer.token(email="nobody@example.test")
    client = door.open(world)
    answer = door.auth(client, "OAUTHBEARER", b64(f"n,,\x01auth=Bearer {stranger}\x01\x01"))
    assert b"invalid_token" in base64.b64decode(answer.split()[1])
    assert not client.say("AQ==").startswith(door.success)
    client.close()


def test_the_log_tells_how(world: World) -> None:
    """Each mechanism with its service, and no secret."""
    (imap, *_) = DOORS
    for log_in in (_log_in_by_password_then_scram, _log_in_by_certificate, _log_in_by_token):
        log_in(world, imap)
    for mechanism in ("EXTERNAL", "OAUTHBEARER", "XOAUTH2", "SCRAM-SHA-256-PLUS", "PLAIN"):
        world.server.until_event("login", service="imap", mechanism=mechanism)
    assert "Bearer" not in world.server.log.read_text()


def test_a_url_that_another_user_may_read(world: World) -> None:
    world.server.send("for two", 0)
    rump = f"imap://{USER.replace('@', '%40')}@mail.example.test/INBOX/;UID=1;URLAUTH=user+{OTHER}"
    owner, reader = world.server.imap(0), world.server.imap(1, "")
    try:
        kind, lines = owner.xatom("GENURLAUTH", f'"{rump}"', "INTERNAL")
        assert kind == "OK", lines
        _, made = owner.response("GENURLAUTH")
        url = made[0].decode().strip('"')
        kind, lines = reader.xatom("URLFETCH", f'"{url}"')
        assert kind == "OK", lines
        _, found = reader.response("URLFETCH")
        assert b"Subject: for two" in b"".join(part for one in found for part in one)
    finally:
        owner.logout()
        reader.logout()
