"""RFC 5802, 7677: SCRAM over IMAP, POP3 and SMTP."""

import base64
from pathlib import Path

import pytest

from mailnode.intake.service import Role
from mailnode.model.scram import SCRAM_HASHES
from tests.support.dialog import Dialog
from tests.support.imap_server import ImapServer
from tests.support.pop3_server import pop3_server
from tests.support.scram_client import ScramClient
from tests.support.smtp_world import running


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def begin(dialog: Dialog, client: ScramClient, mechanism: str) -> bytes:
    """Send the first message; the server's first."""
    dialog.play(f"S: * OK\nC: a AUTHENTICATE {mechanism} {b64(client.first())}")
    dialog.play("S~ \\+ (?P<first>[A-Za-z0-9+/=]+)$")
    return base64.b64decode(dialog.variables["first"])


@pytest.mark.parametrize("mechanism", sorted(SCRAM_HASHES))
@pytest.mark.parametrize("gs2", ["n,,", "y,,", "n,a=user1,"])
def test_s3_log_in(imap: ImapServer, mechanism: str, gs2: str) -> None:
    imap.gate.scram = True
    client = ScramClient("user1", "secret", mechanism, gs2)
    dialog = imap.dialog()
    first = begin(dialog, client, mechanism)
    assert first.startswith(b"r=clientnonce")
    dialog.play(f"C: {b64(client.final(first))}")
    dialog.play(f"S: + {b64(client.last_word())}\nC:\nS: a OK\nC: b SELECT INBOX\n...\nS: b OK")
    assert imap.gate.seen == [("user1", mechanism, False)]


def test_s3_without_initial_response(imap: ImapServer) -> None:
    imap.gate.scram = True
    client = ScramClient("user1", "secret", "SCRAM-SHA-256")
    dialog = imap.dialog()
    dialog.play(f"S: * OK\nC: a AUTHENTICATE SCRAM-SHA-256\nS: +\nC: {b64(client.first())}")
    dialog.play("S~ \\+ (?P<first>[A-Za-z0-9+/=]+)$")
    final = client.final(base64.b64decode(dialog.variables["first"]))
    dialog.play(f"C: {b64(final)}\nS: +\nC:\nS: a OK")


def test_s5_wrong_password(imap: ImapServer) -> None:
    imap.gate.scram = True
    client = ScramClient("user1", "other", "SCRAM-SHA-256")
    dialog = imap.dialog()
    first = begin(dialog, client, "SCRAM-SHA-256")
    dialog.play(f"C: {b64(client.final(first))}\nS: a NO [AUTHENTICATIONFAILED]")


def test_s5_1_changed_binding_nonce_and_other_identity(imap: ImapServer) -> None:
    imap.gate.scram = True
    for wrong in (b"clientnonce", b"c=biws"):
        client = ScramClient("user1", "secret", "SCRAM-SHA-256")
        dialog = imap.dialog()
        final = client.final(begin(dialog, client, "SCRAM-SHA-256"))
        changed = b"other" if wrong == b"clientnonce" else b"c=eSws"
        dialog.play(f"C: {b64(final.replace(wrong, changed))}\nS: a NO [AUTHENTICATIONFAILED]")
    client = ScramClient("user1", "secret", "SCRAM-SHA-256", "n,a=user2,")
    dialog = imap.dialog()
    first = begin(dialog, client, "SCRAM-SHA-256")
    dialog.play(f"C: {b64(client.final(first))}\nS: +\nC:\nS: a NO [AUTHORIZATIONFAILED]")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,",
        b"n,,n=,r=x",
        b"p=tls-unique,,n=user1,r=x",
        b"n,,m=x,n=user1,r=x",
        b"n,,n=a=b,r=x",
        b"n,,n=user1,r=",
        b"\xff",
        b"n,,n=user1,r=x y",
        # 5.1: "m", which is reserved, fails the exchange; other unknown attributes do not.
        b"n,,n=user1,r=abc,m=x",
        b"n,,n=user1,r=abc,x=y,m=z",
    ],
)
def test_s7_what_is_no_first_message(imap: ImapServer, first: bytes) -> None:
    imap.gate.scram = True
    encoded = b64(first) or "="
    imap.dialog().play(f"S: * OK\nC: a AUTHENTICATE SCRAM-SHA-256 {encoded}\nS: a BAD")


def test_s7_what_is_no_final_message(imap: ImapServer) -> None:
    imap.gate.scram = True
    for final in (b"", b"c=biws,r=x", b"c=biws,r=x,p=!", b"c=biws,r=x,m=y,p=AAAA", b"\xff"):
        client = ScramClient("user1", "secret", "SCRAM-SHA-1")
        dialog = imap.dialog()
        begin(dialog, client, "SCRAM-SHA-1")
        dialog.play(f"C: {b64(final)}\nS: a BAD")


def test_offered_only_where_the_operator_says_so(imap: ImapServer) -> None:
    imap.dialog().play(
        "S~ (?!.*SCRAM)\nC: a AUTHENTICATE SCRAM-SHA-256 =\nS: a NO [CANNOT]\nC: b LOGOUT"
    )
    imap.gate.scram = True
    imap.dialog().play("S~ .*AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-1 AUTH=PLAIN")


def test_over_pop3() -> None:
    with pop3_server() as server:
        server.gate.scram = True
        for password, ending in (("secret", "+OK"), ("other", "-ERR [AUTH]")):
            client = ScramClient("user1", password, "SCRAM-SHA-256")
            dialog = server.dialog()
            dialog.play(f"S: +OK\nC: AUTH SCRAM-SHA-256 {b64(client.first())}")
            dialog.play("S~ \\+ (?P<first>[A-Za-z0-9+/=]+)$")
            final = client.final(base64.b64decode(dialog.variables["first"]))
            dialog.play(f"C: {b64(final)}")
            if password == "secret":
                dialog.play(f"S: + {b64(client.last_word())}\nC:")
            dialog.play(f"S: {ending}")
        dialog.play("C: CAPA\n...\nS: SASL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN")


async def test_over_smtp(tmp_path: Path) -> None:
    async with running(tmp_path, Role.SUBMISSION) as world:
        world.gate.scram = True
        for password, ending in (("secret", "235 2.7.0"), ("other", "535 5.7.8")):
            client = ScramClient("alice@here.test", password, "SCRAM-SHA-256")
            wire = await world.hello()
            await wire.start_tls()
            assert " SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN" in await wire.say("EHLO c")
            first = await wire.say(f"AUTH SCRAM-SHA-256 {b64(client.first())}")
            final = client.final(base64.b64decode(first.split()[1]))
            answer = await wire.say(b64(final))
            if password == "secret":
                assert answer == f"334 {b64(client.last_word())}"
                answer = await wire.say("")
            assert answer.startswith(ending)
