"""URLs with a right in them: what is one, and what it was made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.imap.urlauth import parse_auth_url, verified, verifier

# RFC 4467 3, 9: examples of its text, with other names.
RUMP = "imap://ann@mail.test/INBOX;UIDVALIDITY=5/;UID=20/;SECTION=1.2;EXPIRE=2026-12-01T00:00:00Z"
RUMP += ";URLAUTH=submit+fred"


def test_all_parts() -> None:
    url = parse_auth_url(RUMP)
    assert url is not None
    assert (url.owner, url.role, url.role_user) == ("ann", "submit", "fred")
    assert (url.message.mailbox, url.message.uidvalidity, url.message.uid) == ("INBOX", 5, 20)
    assert url.message.section == b"1.2"
    assert url.expires == 1796083200.0
    assert (url.rump, url.whole, url.token) == (RUMP, RUMP, "")


@pytest.mark.parametrize(
    ("rest", "role", "who"),
    [
        (";URLAUTH=anonymous", "anonymous", ""),
        (";urlauth=AUTHUSER", "authuser", ""),
        (";URLAUTH=user+Fred%40b.test", "user", "fred@b.test"),
        (";URLAUTH=submit+j%C3%B6rg", "submit", "jörg"),
        (";EXPIRE=2026-12-01t00:00:00.25+01:00;URLAUTH=anonymous", "anonymous", ""),
    ],
)
def test_roles(rest: str, role: str, who: str) -> None:
    url = parse_auth_url(f"imap://a%40b.test;AUTH=*@mail.test:143/Ablage/;UID=1{rest}")
    assert url is not None
    assert (url.owner, url.role, url.role_user) == ("a@b.test", role, who)


@pytest.mark.parametrize(
    "text",
    [
        "imap://ann@mail.test/INBOX/;UID=20",
        "imap://mail.test/INBOX/;UID=20;URLAUTH=anonymous",
        "imap://@mail.test/INBOX/;UID=20;URLAUTH=anonymous",
        "imap://ann@/INBOX/;UID=20;URLAUTH=anonymous",
        "/INBOX/;UID=20;URLAUTH=anonymous",
        "imap://ann@mail.test/;UID=20;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=everybody",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=user+",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=user+%FF",
        "imap://%FF@mail.test/INBOX/;UID=20;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX/;UID=20;EXPIRE=tomorrow;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX/;UID=20;EXPIRE=2026-13-01T00:00:00Z;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX/;UID=20;EXPIRE=2026-12-01T00:00:00;URLAUTH=anonymous",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=anonymous;EXPIRE=2026-12-01T00:00:00Z",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=anonymous:internal",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=anonymous:internal:12",
        "imap://ann@mail.test/INBOX/;UID=20;URLAUTH=anonymous:internal:" + "g" * 32,
    ],
)
def test_what_is_none(text: str) -> None:
    assert parse_auth_url(text) is None


def test_a_verifier_is_for_every_octet_of_the_rump() -> None:
    made = parse_auth_url(RUMP + verifier(RUMP, b"key"))
    assert made is not None
    assert made.rump == RUMP
    assert verified(made, [b"other", b"key"])
    assert not verified(made, [b"other"])
    assert not verified(made, [])
    for changed in (RUMP.replace("UID=20", "UID=21"), RUMP.replace("fred", "Fred")):
        url = parse_auth_url(changed + verifier(RUMP, b"key"))
        assert url is not None
        assert not verified(url, [b"key"])
    other = parse_auth_url(RUMP + verifier(RUMP, b"key").replace("internal", "xsample"))
    assert other is not None
    assert not verified(other, [b"key"])


@given(st.text(max_size=60), st.sampled_from(["", "imap://a@b/c;UID=1;", RUMP]))
def test_never_raises(text: str, start: str) -> None:
    parse_auth_url(start + text)
