"""RFC 4467: URLAUTH; with CATENATE (4469) and PARTIAL (5550)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailnode.access.imap.authorized import usable
from mailnode.runtime.settings.imap import ImapSettings
from mailnode.store import AccountRef
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server, message
from tests.support.sharers import put, share

TEXT = message(1, "the body")
URL = "imap://user1@mail.test/INBOX/;UID=1"


def opened(imap: ImapServer, *messages: bytes) -> None:
    """Every mailbox here is user*'s, below example.test."""
    imap.deliver(*messages)

    async def owners(user: str) -> AccountRef | None:
        return AccountRef(user, f"example.test/{user}") if user.startswith("user") else None

    object.__setattr__(imap.service._means, "owners", owners)


def made(imap: ImapServer, rump: str) -> str:
    """The whole URL that user1 gets for it."""
    dialog = imap.play(
        f'C: a GENURLAUTH "{rump}" INTERNAL\nS~ \\* GENURLAUTH "?(?P<url>[^"]+)"?$\nS: a OK'
    )
    url = dialog.variables["url"]
    assert url.startswith(rump + ":internal:")
    return url


def fetched(imap: ImapServer, user: str, url: str) -> str:
    """What URLFETCH gives this user: NIL or the octets."""
    dialog = imap.dialog()
    dialog.play(f'S: * OK\nC: l LOGIN {user} secret\nS: l OK\nC: f URLFETCH "{url}"')
    line = dialog.client().line()
    beginning = "* URLFETCH "
    assert line.startswith(beginning)
    dialog.play("S: f OK")
    rest = line[len(beginning) :].removeprefix('"').removeprefix(url).removeprefix('"')
    return rest.lstrip()


def literal(octets: bytes) -> str:
    return f"{{{len(octets)}}}\r\n{octets.decode()}"


def test_s7_made_and_fetched(imap: ImapServer) -> None:
    opened(imap, TEXT)
    url = made(imap, URL + "/;SECTION=TEXT;URLAUTH=user+user2")
    assert fetched(imap, "user2", url) == literal(b"the body\r\n")
    # Nothing becomes seen, and who may use it is the role's user alone.
    assert fetched(imap, "user1", url) == "NIL"
    assert fetched(imap, "user3", url) == "NIL"
    imap.play("C: s SELECT INBOX\n...\nS: s OK\nC: f FETCH 1 FLAGS\nS~ (?!.*Seen)\nS: f OK")


@pytest.mark.parametrize(
    ("role", "user", "good"),
    [
        ("anonymous", "user2", True),
        ("authuser", "user2", True),
        ("user+USER2", "user2", True),
        ("user+user1", "user1", True),
        ("user+user2", "user22", False),
        ("submit+user1", "user2", False),
        ("submit+user1", "user1", False),
    ],
)
def test_s3_roles(imap: ImapServer, role: str, user: str, good: bool) -> None:
    opened(imap, TEXT)
    url = made(imap, f"{URL};URLAUTH={role}")
    assert fetched(imap, user, url) == (literal(TEXT) if good else "NIL")


def test_s3_submission_servers(tmp_path: Path) -> None:
    settings = ImapSettings(plaintext_login=True, submission_users=["submitter"])
    with imap_server(settings, maildir_store(tmp_path)) as imap:
        opened(imap, TEXT)
        url = made(imap, URL + ";URLAUTH=submit+user1")
        assert fetched(imap, "submitter", url) == literal(TEXT)
        assert fetched(imap, "user1", url) == "NIL"


def test_several_at_once(imap: ImapServer) -> None:
    opened(imap, TEXT)
    one, two = f"{URL}/;SECTION=1;URLAUTH=authuser", f"{URL}/;PARTIAL=0.4;URLAUTH=authuser"
    dialog = imap.play(
        f"""
        C: a GENURLAUTH "{one}" INTERNAL "{two}" internal
        S~ \\* GENURLAUTH "?(?P<u1>[^" ]+)"? "?(?P<u2>[^" ]+)"?$
        S: a OK
        C: b URLFETCH "$u1" "{one}" "$u2"
        """
    )
    client = dialog.client()
    assert client.line().endswith("{10}\r\nthe body\r\n")
    assert client.line().endswith(" NIL")
    # RFC 5550: PARTIAL
    assert client.line().endswith((' "From"', "{4}\r\nFrom"))
    dialog.play("S: b OK")


@pytest.mark.parametrize(
    "change",
    [
        ("UID=1", "UID=2"),
        ("INBOX", "Drafts"),
        ("authuser", "anonymous"),
        ("mail.test", "other.test"),
        ("user1@", "user2@"),
        (":internal:01", ":internal:02"),
        (":internal:", ":xsample:"),
        (";URLAUTH", "/;SECTION=1;URLAUTH"),
    ],
)
def test_s5_a_changed_url_is_worth_nothing(imap: ImapServer, change: tuple[str, str]) -> None:
    opened(imap, TEXT, TEXT)
    imap.deliver(TEXT, folder="Drafts")
    imap.deliver(TEXT, user="user2")
    url = made(imap, URL + ";URLAUTH=authuser")
    made(imap, URL.replace("INBOX", "Drafts") + ";URLAUTH=authuser")
    assert fetched(imap, "user2", url) == literal(TEXT)
    assert fetched(imap, "user2", url.replace(*change)) == "NIL"


def test_what_is_not_there_any_more(imap: ImapServer) -> None:
    opened(imap, TEXT)
    gone = made(imap, "imap://user1@mail.test/INBOX/;UID=9;URLAUTH=authuser")
    assert fetched(imap, "user1", gone) == "NIL"
    validity = made(imap, "imap://user1@h/INBOX;UIDVALIDITY=1/;UID=1;URLAUTH=authuser")
    assert fetched(imap, "user1", validity) == "NIL"
    imap.deliver(TEXT, folder="Drafts")
    moved = made(imap, "imap://user1@h/Drafts/;UID=1;URLAUTH=authuser")
    imap.play("C: r RENAME Drafts Old\nS: r OK")
    assert fetched(imap, "user1", moved) == "NIL"
    imap.play("C: r CREATE Drafts\nS: r OK")
    imap.deliver(TEXT, folder="Drafts")
    assert fetched(imap, "user1", moved) == "NIL"
    nobody = "imap://nobody@h/INBOX/;UID=1;URLAUTH=authuser:internal:01" + "0" * 64
    assert fetched(imap, "user1", nobody) == "NIL"


def test_s3_expire(imap: ImapServer) -> None:
    opened(imap, TEXT)
    later = made(imap, URL + ";EXPIRE=2999-01-01T00:00:00Z;URLAUTH=authuser")
    assert fetched(imap, "user2", later) == literal(TEXT)
    rump = URL + ";EXPIRE=2001-01-01T00:00:00Z;URLAUTH=authuser"
    imap.play(f'C: a GENURLAUTH "{rump}" INTERNAL\nS: a NO [CANNOT]')


def test_s3_a_url_that_has_run_out(imap: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(imap, TEXT)
    url = made(imap, URL + ";EXPIRE=2999-01-01T00:00:00+02:00;URLAUTH=authuser")
    monkeypatch.setattr(imap.service._means.clock, "now", lambda: 4e10)
    assert fetched(imap, "user2", url) == "NIL"


def test_s7_genurlauth_refused(imap: ImapServer) -> None:
    opened(imap, TEXT)
    good = URL + ";URLAUTH=authuser"
    imap.play(
        f"""
        C: a GENURLAUTH
        S: a BAD
        C: b GENURLAUTH "{good}"
        S: b BAD
        C: c GENURLAUTH "{good}" XSAMPLE
        S: c BAD
        C: d GENURLAUTH "{good}:internal:{"0" * 66}" INTERNAL
        S: d BAD
        C: e GENURLAUTH "{URL}" INTERNAL
        S: e BAD
        C: f GENURLAUTH "/INBOX/;UID=1;URLAUTH=authuser" INTERNAL
        S: f BAD
        C: g GENURLAUTH "{good.replace("user1@", "user2@")}" INTERNAL
        # 7: a check that fails makes the command BAD.
        S: g BAD [NOPERM]
        C: h GENURLAUTH "{good.replace("INBOX", "Nowhere")}" INTERNAL
        S: h BAD [NONEXISTENT]
        C: i URLFETCH
        S: i BAD
        C: j URLFETCH "http://example.test/"
        S: * URLFETCH "http://example.test/" NIL
        S: j OK
        """
    )


def test_s7_resetkey(imap: ImapServer) -> None:
    opened(imap, TEXT)
    imap.deliver(TEXT, folder="Drafts")
    inbox = made(imap, URL + ";URLAUTH=authuser")
    drafts = made(imap, URL.replace("INBOX", "Drafts") + ";URLAUTH=authuser")
    imap.play(
        """
        C: a RESETKEY INBOX XSAMPLE
        S: a OK [URLMECH INTERNAL]
        """
    )
    assert fetched(imap, "user2", inbox) == literal(TEXT)
    imap.play("C: a RESETKEY inbox\nS: a OK [URLMECH INTERNAL]")
    assert fetched(imap, "user2", inbox) == "NIL"
    assert fetched(imap, "user2", drafts) == literal(TEXT)
    again = made(imap, URL + ";URLAUTH=authuser")
    assert again != inbox
    assert fetched(imap, "user2", again) == literal(TEXT)
    imap.play("C: a RESETKEY\nS~ a OK (?!\\[)\nC: b RESETKEY Nowhere\nS: b NO [NONEXISTENT]")
    assert fetched(imap, "user2", again) == "NIL"
    assert fetched(imap, "user2", drafts) == "NIL"


def test_s7_resetkey_reaches_the_other_sessions(imap: ImapServer) -> None:
    # RFC 4467 7: any session of the user that has the mailbox selected hears URLMECH.
    opened(imap, TEXT)
    made(imap, URL + ";URLAUTH=authuser")
    imap.play(
        """
        C1: s SELECT INBOX
        ...1:
        S1: s OK
        C1: i IDLE
        S1: + idling
        C2: s EXAMINE INBOX
        ...2:
        S2: s OK
        C3: s SELECT Drafts
        ...3:
        S3: s OK
        C4: s SELECT INBOX
        ...4:
        S4: s OK
        C4: r RESETKEY INBOX
        S4: r OK [URLMECH INTERNAL]
        S1: * OK [URLMECH INTERNAL]
        C2: n NOOP
        S2: * OK [URLMECH INTERNAL]
        S2: n OK
        C3: n NOOP
        S3: n OK
        # The one that did it has heard it by the reply.
        C4: n NOOP
        S4: n OK
        C3: r RESETKEY
        S3: r OK
        S1: * OK [URLMECH INTERNAL]
        C4: n NOOP
        S4: * OK [URLMECH INTERNAL]
        S4: n OK
        # Neither other annotations nor mail are other keys.
        C3: a SETMETADATA INBOX (/private/comment "x")
        S3: a OK
        C3: b APPEND INBOX {3+}
        C3: a:b
        S3: b OK
        S1: * 2 EXISTS
        C4: n NOOP
        S4: * 2 EXISTS
        ...4:
        S4: n OK
        """
    )


def test_s7_a_name_without_a_mailbox_has_no_key(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Work/Now
        S: a OK
        C: b RESETKEY Work
        S: b NO [NONEXISTENT]
        C: c GENURLAUTH "imap://user1@mail.test/Work/;UID=1;URLAUTH=authuser" INTERNAL
        S: c BAD [NONEXISTENT]
        """
    )


def test_s7_resetkey_along_with_mail(imap: ImapServer) -> None:
    opened(imap, TEXT)
    made(imap, URL + ";URLAUTH=authuser")
    imap.play(
        """
        C1: s SELECT INBOX
        ...1:
        S1: s OK
        C2: a APPEND INBOX {3+}
        C2: a:b
        S2: a OK
        C2: r RESETKEY INBOX
        S2: r OK
        C1: n NOOP
        S1: * OK [URLMECH INTERNAL]
        S1: * 2 EXISTS
        ...1:
        S1: n OK
        """
    )


def test_s7_the_first_key_is_no_other_key(imap: ImapServer) -> None:
    opened(imap, TEXT)
    imap.play(
        """
        C1: s SELECT INBOX
        ...1:
        S1: s OK
        C2: r RESETKEY
        S2: r OK
        C1: n NOOP
        S1: n OK
        """
    )


def test_s4_urlmech_and_capability(imap: ImapServer) -> None:
    imap.play(
        """
        C: c CAPABILITY
        S~ .* URLAUTH URL-PARTIAL
        S: c OK
        C: s EXAMINE INBOX
        ...
        S: * OK [URLMECH INTERNAL]
        ...
        S: s OK
        """
    )
    imap.dialog().play("S: * OK\nC: a URLFETCH x\nS: a BAD\nC: b RESETKEY\nS: b BAD")


def test_s5_the_key_is_no_annotation_of_anybody(imap: ImapServer) -> None:
    opened(imap, TEXT)
    made(imap, URL + ";URLAUTH=authuser")
    imap.play('C: a GETMETADATA (DEPTH infinity) INBOX ("/private" "/shared")\nS: a OK')


def test_catenate_with_what_others_let_us_read(imap: ImapServer) -> None:
    opened(imap, TEXT)
    url = made(imap, URL + "/;SECTION=TEXT;URLAUTH=user+user2")
    other = made(imap, URL + ";URLAUTH=user+user3")
    dialog = imap.dialog()
    dialog.play(
        f"""
        S: * OK
        C: l LOGIN user2 secret
        S: l OK
        C: a APPEND INBOX CATENATE (TEXT {{14+}}
        C+ Subject: x\\r\\n\\r\\n URL "{url}")\\r\\n
        S: a OK
        C: b APPEND INBOX CATENATE (URL "{other}")
        S: b NO [BADURL {other}]
        C: s SELECT INBOX
        ...
        S: s OK
        C: f FETCH 1 BODY.PEEK[]
        """
    )
    assert dialog.client().line().endswith("the body\r\n)")


def test_two_nodes_share_the_keys(tmp_path: Path) -> None:
    """The same mail root, each node with a view of its own."""
    settings = ImapSettings(plaintext_login=True)
    with (
        imap_server(settings, maildir_store(tmp_path, "a")) as one,
        imap_server(settings, maildir_store(tmp_path, "b")) as two,
    ):
        opened(one, TEXT)
        opened(two)
        url = made(one, URL + ";URLAUTH=authuser")
        assert fetched(two, "user2", url) == literal(TEXT)
        two.play("C: a RESETKEY INBOX\nS: a OK")
        assert fetched(one, "user2", url) == "NIL"


def test_what_others_share_is_not_the_readers_to_give_away(imap: ImapServer) -> None:
    """Bob may read ann's mailbox, and can neither hand that on nor end what she allowed."""
    put(imap, TEXT)
    rump = "imap://ann%40example.test@h/INBOX/;UID=1;URLAUTH=authuser"
    shared = "imap://bob%40example.test@h/Other%20Users/ann@example.test/INBOX/;UID=1"
    dialog = share(
        imap,
        f"""
        C: a SETACL INBOX bob@example.test lrswipkxtea
        S: a OK
        C: b GENURLAUTH "{rump}" INTERNAL
        S~ \\* GENURLAUTH "(?P<url>[^"]+)"$
        S: b OK
        C2: c GENURLAUTH "{shared};URLAUTH=anonymous" INTERNAL
        S2: c BAD [NOPERM]
        C2: d RESETKEY "Other Users/ann@example.test/INBOX"
        S2: d NO [NOPERM]
        C2: e RESETKEY
        S2: e OK
        """,
    )
    url = dialog.variables["url"]
    forged = f"{shared};URLAUTH=authuser{url[len(rump) :]}"
    dialog.play(
        f"""
        C: f URLFETCH "{url}"
        S: * URLFETCH "{url}" {{
        S: f OK
        C2: g URLFETCH "{forged}"
        S2: * URLFETCH "{forged}" NIL
        S2: g OK
        """
    )


def test_s3_who_is_meant_is_of_the_owners_domain() -> None:
    url = "imap://ann%40example.test@h/INBOX/;UID=1;URLAUTH=user+bob:internal:01" + "0" * 64

    def may(user: str, text: str = url) -> bool:
        return usable(text, user, lambda name: name == user, 0) is not None

    assert may("bob@example.test")
    assert not may("bob@other.test")
    assert may("bob@other.test", url.replace("+bob", "+bob%40other.test"))
    submit = url.replace("user+bob", "submit+bob")
    assert may("bob@example.test", submit)
    assert not may("bob@other.test", submit)


def test_s7_users_without_a_domain_are_not_authorized_where_there_are_domains(
    imap: ImapServer,
) -> None:
    put(imap, TEXT)
    share(
        imap,
        """
        C1: a GENURLAUTH "imap://ann@h/INBOX/;UID=1;URLAUTH=user+bob" INTERNAL
        S1: a BAD [CANNOT]
        C1: b GENURLAUTH "imap://ann%40example.test@h/INBOX/;UID=1;URLAUTH=user+bob" INTERNAL
        S1: * GENURLAUTH
        S1: b OK
        C1: c GENURLAUTH "imap://ann@h/INBOX/;UID=1;URLAUTH=submit+ann" INTERNAL
        S1: * GENURLAUTH
        S1: c OK
        """,
    )
