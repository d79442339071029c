"""RFC 7628: OAUTHBEARER (and XOAUTH2) over IMAP, POP3 and SMTP, with an issuer over real HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailnode.directory import Issuer
from mailnode.directory.tokens.build import open_issuer, open_web
from mailnode.intake.service import Role
from mailnode.runtime.clock import SystemClock
from mailnode.runtime.maillog import ListLog
from mailnode.runtime.settings.oauth import OauthSettings
from tests.support import issuer as issuing
from tests.support.imap_server import ImapServer
from tests.support.issuer import running_issuer
from tests.support.pop3_server import pop3_server
from tests.support.smtp_world import running


@pytest.fixture
def issuer() -> Iterator[issuing.Issuer]:
    with running_issuer() as found:
        yield found


@pytest.fixture
def judge(issuer: issuing.Issuer) -> Iterator[Issuer]:
    settings = OauthSettings(issuer=issuer.url, audience=["mail"], scope="mail")
    web = open_web(settings)
    found = open_issuer(settings, web, clock=SystemClock(), log=ListLog())
    assert found is not None
    yield found
    web.close()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def bearer(token: str, user: str = "") -> str:
    name = f"a={user}" if user else ""
    return b64(f"n,{name},\x01host=localhost\x01port=143\x01auth=Bearer {token}\x01\x01")


def xoauth2(token: str, user: str) -> str:
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


def told(dialog: Any) -> dict[str, str]:
    found: dict[str, str] = json.loads(base64.b64decode(dialog.variables["error"]))
    return found


USER = "user1@example.test"
ERROR = "S~ \\+ (?P<error>[A-Za-z0-9+/=]+)$"


def test_s3_1_a_good_token_logs_in(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    token = issuer.token()
    for mechanism, response in (
        ("OAUTHBEARER", bearer(token, USER)),
        ("oauthbearer", bearer(token)),
        ("XOAUTH2", xoauth2(token, USER)),
    ):
        imap.dialog().play(
            "S~ .*AUTH=OAUTHBEARER AUTH=XOAUTH2 AUTH=PLAIN\n"
            f"C: a AUTHENTICATE {mechanism} {response}\nS: a OK\nC: b SELECT INBOX\n...\nS: b OK"
        )
        assert imap.gate.seen[-1] == (USER, mechanism.upper(), False)


def test_without_initial_response(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    imap.dialog().play(
        f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER\nS: +\nC: {bearer(issuer.token())}\nS: a OK"
    )


def test_s3_2_2_why_a_token_was_refused(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    for token, status in (
        (issuer.token(exp=1), "invalid_token"),
        (issuer.token(scope="openid"), "insufficient_scope"),
    ):
        dialog = imap.dialog()
        dialog.play(f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER {bearer(token)}\n{ERROR}")
        assert told(dialog) == {
            "status": status,
            "scope": "mail",
            "openid-configuration": issuer.url + "/.well-known/openid-configuration",
        }
        # RFC 7628 3.2.3: the client says %x01, then the server ends the exchange.
        dialog.play("C: AQ==\nS: a NO [AUTHENTICATIONFAILED]\nC: b LOGIN user1 secret\nS: b OK")


def test_xoauth2_refused(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    dialog = imap.dialog()
    dialog.play(f"S: * OK\nC: a AUTHENTICATE XOAUTH2 {xoauth2('nonsense', USER)}\n{ERROR}")
    assert told(dialog) == {"status": "401", "schemes": "bearer", "scope": "mail"}
    dialog.play("C:\nS: a NO [AUTHENTICATIONFAILED]")


def test_a_token_of_somebody_else(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    other = bearer(issuer.token(), "boss@example.test")
    dialog = imap.dialog()
    dialog.play(f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER {other}\n{ERROR}\nC: AQ==")
    dialog.play("S: a NO [AUTHORIZATIONFAILED]")


def test_cancelled_after_the_error(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer = judge
    dialog = imap.dialog()
    dialog.play(f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER {bearer('x')}\n{ERROR}\nC: *\nS: a BAD")


def test_an_unreachable_issuer_is_temporary(imap: ImapServer, judge: Issuer, issuer: Any) -> None:
    imap.gate.issuer, issuer.status = judge, 503
    imap.dialog().play(
        f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER {bearer(issuer.token())}\nS: a NO [UNAVAILABLE]"
    )


@pytest.mark.parametrize(
    "response",
    ["=", b64("n,,"), b64("p=tls-unique,,\x01auth=Bearer x\x01\x01"), b64("n,,\x01auth=x\x01\x01")],
)
def test_what_is_no_response(imap: ImapServer, judge: Issuer, response: str) -> None:
    imap.gate.issuer = judge
    imap.dialog().play(f"S: * OK\nC: a AUTHENTICATE OAUTHBEARER {response}\nS: a BAD")


def test_not_offered_without_an_issuer(imap: ImapServer) -> None:
    imap.dialog().play(
        "S~ (?!.*OAUTH)\nC: a AUTHENTICATE OAUTHBEARER =\nS: a NO [CANNOT]\n"
        "C: b AUTHENTICATE XOAUTH2 =\nS: b NO [CANNOT]"
    )


def test_over_pop3(judge: Issuer, issuer: Any) -> None:
    with pop3_server() as server:
        server.gate.issuer = judge
        dialog = server.dialog()
        dialog.play("S: +OK\nC: CAPA\n...\nS: SASL OAUTHBEARER XOAUTH2 PLAIN LOGIN\n...\nS: .")
        dialog.play(f"C: AUTH OAUTHBEARER {bearer('x')}\n{ERROR}\nC: AQ==\nS: -ERR [AUTH]")
        dialog.play(f"C: AUTH OAUTHBEARER {bearer(issuer.token())}\nS: +OK\nC: STAT\nS: +OK 0")
        issuer.status = 503
        fresh = server.dialog()
        fresh.play("S: +OK")
        issuer.keys["k2"] = next(iter(issuer.keys.values()))
        # A key that nobody knows while the issuer is away: older keys are too young to be asked
        # about again, so it is a bad token for now.
        fresh.play(
            f"C: AUTH XOAUTH2 {xoauth2(issuer.token('k2'), USER)}\n{ERROR}\nC:\nS: -ERR [AUTH]"
        )


async def test_over_smtp(tmp_path: Path, judge: Issuer, issuer: Any) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        world.gate.issuer = judge
        issuer.claims = lambda **more: {
            **issuing.Issuer.claims(issuer, **more), "email": "alice@here.test"
        }  # fmt: skip
        wire = await world.hello()
        await wire.start_tls()
        assert "AUTH OAUTHBEARER XOAUTH2 PLAIN LOGIN" in await wire.say("EHLO c")
        issuer.status = 503
        token = issuer.token()
        answer = await wire.say(f"AUTH OAUTHBEARER {bearer(token)}")
        assert answer.startswith("454 4.7.0")
        issuer.status = 200
        # After a failure the issuer is left alone for some seconds.
        while answer.startswith("454"):
            await asyncio.sleep(0.5)
            answer = await wire.say(f"AUTH XOAUTH2 {xoauth2(token, 'alice@here.test')}")
        assert answer.startswith("235 2.7.0")
        again = await world.hello()
        await again.start_tls()
        await again.say("EHLO c")
        answer = await again.say(f"AUTH OAUTHBEARER {bearer('x', 'alice@here.test')}")
        assert answer.startswith("334 ")
        assert (await again.say("AQ==")).startswith("535 5.7.8")
