"""RFC 5802 6, 5929, 9266: SCRAM bound to the TLS connection, over IMAP, POP3 and SMTP."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnode.intake.service import Role
from tests.support.imap_server import ImapServer, imap_server
from tests.support.pop3_server import pop3_server
from tests.support.scram_client import ScramClient
from tests.support.smtp_world import running
from tests.support.tls_client import TlsClient

MECHANISMS = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
# What each version of TLS has; tls-exporter under 1.2 needs extended_master_secret, which
# OpenSSL always agrees on with itself.
BINDINGS = [
    ("1.3", "tls-exporter"),
    ("1.3", "tls-server-end-point"),
    ("1.2", "tls-unique"),
    ("1.2", "tls-exporter"),
    ("1.2", "tls-server-end-point"),
]


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def unb64(line: str) -> bytes:
    return base64.b64decode(line.split()[1])


def log_in(client: TlsClient, command: str, scram: ScramClient) -> str:
    """The exchange; the answer to the proof, or the server's refusal of what came before."""
    first = client.say(f"{command} {b64(scram.first())}")
    if not first.startswith(("+ ", "334 ")):
        return first
    return client.say(b64(scram.final(unb64(first))))


@pytest.fixture(scope="module")
def imap() -> Iterator[ImapServer]:
    with imap_server() as server:
        server.gate.scram = True
        yield server


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(("version", "binding"), BINDINGS)
def test_bound_over_imap(imap: ImapServer, mechanism: str, version: str, binding: str) -> None:
    client = TlsClient(imap.tls_address, version=version)
    assert f"AUTH={mechanism} " in client.until("* OK")
    bound = client.binding(binding)
    scram = ScramClient("user1", "secret", mechanism, f"p={binding},,", bound)
    answer = log_in(client, f"a AUTHENTICATE {mechanism}", scram)
    assert unb64(answer) == scram.last_word()
    assert client.say("").startswith("a OK")
    assert imap.gate.seen[-1] == ("user1", mechanism, True)
    client.close()


def test_bound_after_starttls(imap: ImapServer) -> None:
    client = TlsClient(imap.address, ("", "* OK"), ("x STARTTLS", "x OK"))
    assert "AUTH=SCRAM-SHA-256-PLUS" in client.say("c CAPABILITY")
    client.until("c OK")
    bound = client.binding("tls-exporter")
    scram = ScramClient("user1", "secret", MECHANISMS[0], "p=tls-exporter,,", bound)
    answer = log_in(client, f"a AUTHENTICATE {MECHANISMS[0]}", scram)
    assert unb64(answer) == scram.last_word()
    client.close()


@pytest.mark.parametrize("binding", ["tls-unique", "tls-exporter", "tls-server-end-point"])
def test_bound_to_a_resumed_session(imap: ImapServer, binding: str) -> None:
    before = TlsClient(imap.tls_address, version="1.2")
    before.until("* OK")
    client = TlsClient(imap.tls_address, version="1.2", resume=before)
    client.until("* OK")
    assert client.tls.get_session() is not None
    assert client.binding("tls-unique") != before.binding("tls-unique")
    bound = client.binding(binding)
    scram = ScramClient("user1", "secret", MECHANISMS[0], f"p={binding},,", bound)
    answer = log_in(client, f"a AUTHENTICATE {MECHANISMS[0]}", scram)
    assert unb64(answer) == scram.last_word()
    before.close()
    client.close()


@pytest.mark.parametrize("binding", ["tls-unique", "tls-exporter", "tls-server-end-point"])
async def test_bound_to_a_resumed_session_over_smtp(tmp_path: Path, binding: str) -> None:
    async with running(tmp_path, Role.SUBMISSION, implicit_tls=True) as world:
        world.gate.scram = True
        address = ("127.0.0.1", world.port)

        def talk() -> str:
            before = TlsClient(address, version="1.2")
            before.until("220")
            client = TlsClient(address, version="1.2", resume=before)
            client.until("220")
            client.hello()
            bound = client.binding(binding)
            scram = ScramClient("alice@here.test", "secret", MECHANISMS[0], f"p={binding},,", bound)
            answer = log_in(client, f"AUTH {MECHANISMS[0]}", scram)
            assert unb64(answer) == scram.last_word()
            answer = client.say("")
            before.close()
            client.close()
            return answer

        assert (await asyncio.to_thread(talk)).startswith("235 2.7.0")


def test_rfc7677_s4_without_extended_secret_no_resumed_session_is_bound_to(
    imap: ImapServer,
) -> None:
    plain = TlsClient(imap.tls_address, version="1.2", extended_secret=False)
    # RFC 9266 4.2: neither tls-unique nor tls-exporter, but the certificate's hash.
    assert "AUTH=SCRAM-SHA-256-PLUS " in plain.until("* OK")
    bound = plain.binding("tls-unique")
    scram = ScramClient("user1", "secret", MECHANISMS[0], "p=tls-unique,,", bound)
    assert log_in(plain, f"a AUTHENTICATE {MECHANISMS[0]}", scram).startswith("a NO")
    resumed = TlsClient(imap.tls_address, version="1.2", resume=plain)
    assert "-PLUS" not in resumed.until("* OK")
    plain.close()
    resumed.close()


def refusal(imap: ImapServer, mechanism: str, gs2: str, bound: bytes, version: str = "1.3") -> str:
    client = TlsClient(imap.tls_address, version=version)
    client.until("* OK")
    scram = ScramClient("user1", "secret", mechanism, gs2, bound)
    answer = log_in(client, f"a AUTHENTICATE {mechanism}", scram)
    client.close()
    return answer


def test_another_channel_is_refused(imap: ImapServer) -> None:
    other = TlsClient(imap.tls_address)
    bound = other.binding("tls-exporter")
    answer = refusal(imap, MECHANISMS[0], "p=tls-exporter,,", bound)
    assert answer.startswith("a NO [AUTHENTICATIONFAILED]")
    other.close()


@pytest.mark.parametrize(
    ("version", "binding"), [("1.3", "tls-unique"), ("1.2", "tls-nonsense"), ("1.3", "tls-")]
)
def test_unknown_binding_is_said_to_be_so(imap: ImapServer, version: str, binding: str) -> None:
    """RFC 9266 3: tls-unique is none under TLS 1.3."""
    answer = refusal(imap, MECHANISMS[0], f"p={binding},,", b"x", version)
    assert answer.startswith("a NO [CANNOT]")


@pytest.mark.parametrize("gs2", ["n,,", "y,,"])
def test_plus_without_a_binding_is_malformed(imap: ImapServer, gs2: str) -> None:
    assert refusal(imap, MECHANISMS[0], gs2, b"").startswith("a BAD")


def test_binding_without_plus_is_malformed(imap: ImapServer) -> None:
    assert refusal(imap, "SCRAM-SHA-256", "p=tls-exporter,,", b"x").startswith("a BAD")


def test_s6_a_client_that_was_deceived_is_refused(imap: ImapServer) -> None:
    """RFC 5802 6: "y" where we did offer a binding means that somebody took it out."""
    answer = refusal(imap, "SCRAM-SHA-256", "y,,", b"")
    assert answer.startswith("a NO [AUTHENTICATIONFAILED]")
    # "n" says that the client cannot do it, which is its own affair.
    answer = refusal(imap, "SCRAM-SHA-256", "n,,", b"")
    assert answer.startswith("+ ")


def test_not_offered_in_clear(imap: ImapServer) -> None:
    imap.dialog().play("S~ (?!.*-PLUS).*AUTH=SCRAM-SHA-256 \nC: a AUTHENTICATE SCRAM-SHA-256-PLUS")


def test_bound_over_pop3() -> None:
    with pop3_server() as server:
        server.gate.scram = True
        client = TlsClient(server.tls_address)
        client.until("+OK")
        client.send("CAPA")
        assert client.until("SASL").startswith("SASL SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-")
        client.until(".")
        bound = client.binding("tls-exporter")
        scram = ScramClient("user1", "secret", MECHANISMS[1], "p=tls-exporter,,", bound)
        assert unb64(log_in(client, f"AUTH {MECHANISMS[1]}", scram)) == scram.last_word()
        assert client.say("").startswith("+OK")
        client.close()


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(("version", "binding"), BINDINGS)
async def test_bound_over_smtp(tmp_path: Path, version: str, binding: str, implicit: bool) -> None:
    async with running(tmp_path, Role.SUBMISSION, implicit_tls=implicit) as world:
        world.gate.scram = True
        address = ("127.0.0.1", world.port)
        start = () if implicit else (("", "220"), ("EHLO me", "250 "), ("STARTTLS", "220"))

        def talk() -> str:
            client = TlsClient(address, *start, version=version)
            if implicit:
                client.until("220")
            assert client.hello().startswith("SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 ")
            bound = client.binding(binding)
            scram = ScramClient("alice@here.test", "secret", MECHANISMS[0], f"p={binding},,", bound)
            answer = log_in(client, f"AUTH {MECHANISMS[0]}", scram)
            assert unb64(answer) == scram.last_word()
            answer = client.say("")
            client.close()
            return answer

        assert (await asyncio.to_thread(talk)).startswith("235 2.7.0")


async def test_another_connections_binding_is_refused_over_smtp(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION, implicit_tls=True) as world:
        world.gate.scram = True
        address = ("127.0.0.1", world.port)

        def talk() -> str:
            other, client = TlsClient(address), TlsClient(address)
            client.until("220")
            client.hello()
            bound = other.binding("tls-exporter")
            scram = ScramClient(
                "alice@here.test", "secret", MECHANISMS[0], "p=tls-exporter,,", bound
            )
            answer = log_in(client, f"AUTH {MECHANISMS[0]}", scram)
            other.close()
            client.close()
            return answer

        assert (await asyncio.to_thread(talk)).startswith("5")
