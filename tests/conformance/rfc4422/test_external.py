"""RFC 4422 A: EXTERNAL, by a client's certificate, over IMAP, POP3 and SMTP."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from OpenSSL import SSL

from mailnode.intake.service import Role
from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import imap_server
from tests.support.pop3_server import pop3_server
from tests.support.smtp_world import running
from tests.support.tls_client import TlsClient
from tests.support.user_certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode() or "="


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    ("common", "emails", "authzid", "answer"),
    [
        ("Ann", ["user1@example.test"], "", "a OK"),
        ("Ann", ["User1@Example.test"], "user1@example.test", "a OK"),
        ("Ann", ["user1@example.test", "user2@example.test"], "user2@example.test", "a OK"),
        ("user3@example.test", [], "", "a OK"),
        ("user3@example.test", ["user1@example.test"], "user3@example.test", "a NO [AUTHORIZ"),
        ("Ann", ["user1@example.test"], "user2@example.test", "a NO [AUTHORIZATIONFAILED]"),
        ("Ann", ["user1@example.test"], "a\0b", "a BAD"),
    ],
)
def test_a_certificate_logs_in_as_whom_it_names(
    authority: Authority, version: str, common: str, emails: list[str], authzid: str, answer: str
) -> None:
    user = authority.issue(common, emails)
    with imap_server(ImapSettings(), shown=authority.server()) as server:
        client = TlsClient(server.tls_address, version=version, user=user)
        assert "AUTH=EXTERNAL" in client.until("* OK")
        assert client.say(f"a AUTHENTICATE EXTERNAL {b64(authzid)}").startswith(answer)
        if answer == "a OK":
            wanted = authzid or (emails[0].lower() if emails else common)
            assert server.gate.seen == [(wanted, "EXTERNAL", True)]
        client.close()


def test_after_starttls_and_without_initial_response(authority: Authority) -> None:
    user = authority.issue("Ann", ["user1@example.test"])
    with imap_server(ImapSettings(), shown=authority.server()) as server:
        client = TlsClient(server.address, ("", "* OK"), ("x STARTTLS", "x OK"), user=user)
        assert client.say("a AUTHENTICATE EXTERNAL").startswith("+ ")
        assert client.say("").startswith("a OK")
        client.close()


def test_not_offered_without_a_certificate(authority: Authority) -> None:
    with imap_server(ImapSettings(), shown=authority.server()) as server:
        server.dialog().play("S~ (?!.*EXTERNAL)\nC: a AUTHENTICATE EXTERNAL =\nS: a NO [PRIVACY")
        client = TlsClient(server.tls_address)
        assert "EXTERNAL" not in client.until("* OK")
        assert client.say("a AUTHENTICATE EXTERNAL =").startswith("a NO [CANNOT]")
        assert client.say("b LOGIN user1 secret").startswith("b OK")
        client.close()


def test_not_offered_to_a_certificate_that_names_nobody(authority: Authority) -> None:
    with imap_server(ImapSettings(), shown=authority.server()) as server:
        client = TlsClient(server.tls_address, user=authority.issue("Ann"))
        assert "EXTERNAL" not in client.until("* OK")
        client.close()


def refused(address: tuple[str, int], user: Path) -> bool:
    """Whether the server ends the handshake; under TLS 1.3 a client hears of it only later."""
    try:
        client = TlsClient(address, user=user)
    except SSL.Error:
        return True
    try:
        client.line()
    except SSL.Error:
        return True
    finally:
        client.close()
    return False


@pytest.mark.parametrize("kind", ["of another authority", "revoked"])
def test_one_that_cannot_be_verified_ends_the_handshake(authority: Authority, kind: str) -> None:
    names = ["user1@example.test"]
    stranger = Authority(authority.folder / "other", "somebody else").issue("Eve", names)
    revoked, good = authority.issue("Ann", names), authority.issue("Ann", names)
    shown = authority.server(authority.revoke(revoked))
    with imap_server(ImapSettings(), shown=shown) as server:
        user = stranger if kind == "of another authority" else revoked
        assert refused(server.tls_address, user)
        client = TlsClient(server.tls_address, user=good)
        assert "AUTH=EXTERNAL" in client.until("* OK")
        client.close()


def test_over_pop3(authority: Authority) -> None:
    user = authority.issue("Ann", ["user1@example.test"])
    with pop3_server(shown=authority.server()) as server:
        client = TlsClient(server.tls_address, user=user)
        client.until("+OK")
        client.send("CAPA")
        assert client.until("SASL") == "SASL EXTERNAL PLAIN LOGIN"
        client.until(".")
        assert client.say("AUTH EXTERNAL =").startswith("+OK")
        client.close()


@pytest.mark.parametrize("implicit", [True, False])
async def test_over_submission(tmp_path: Path, authority: Authority, implicit: bool) -> None:
    user = authority.issue("Alice", ["alice@here.test"])
    shown = authority.server()
    async with running(
        tmp_path, Role.SUBMISSION, implicit_tls=implicit, certificates=shown
    ) as world:
        address = ("127.0.0.1", world.port)
        clear = () if implicit else (("", "220"), ("EHLO c", "250 "), ("STARTTLS", "220"))

        def talk() -> str:
            client = TlsClient(address, *clear, user=user)
            if implicit:
                client.until("220")
            assert client.hello() == "EXTERNAL PLAIN LOGIN"
            answer = client.say("AUTH EXTERNAL =")
            client.close()
            return answer

        assert (await asyncio.to_thread(talk)).startswith("235 2.7.0")


async def test_other_mail_servers_are_not_asked(tmp_path: Path, authority: Authority) -> None:
    """Whatever certificate a mail server shows, or has signed by whom, its mail is taken."""
    stranger = Authority(tmp_path / "other", "somebody else").issue("mx.example.com")
    async with running(tmp_path, Role.MX, certificates=authority.server()) as world:
        address = ("127.0.0.1", world.port)
        clear = (("", "220"), ("EHLO c", "250 "), ("STARTTLS", "220"))

        def talk() -> str:
            client = TlsClient(address, *clear, user=stranger)
            answer = client.say("NOOP")
            client.close()
            return answer

        assert (await asyncio.to_thread(talk)).startswith("250")
