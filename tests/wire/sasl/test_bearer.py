"""OAUTHBEARER and XOAUTH2, by the examples of their documents and by random input."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.sasl import Challenge, Heard, SaslFailure, SaslFault, Step, Token, open_dialog
from mailnode.wire.sasl.dialog import TOKENS, Dialog

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="


def opened(mechanism: str) -> Dialog:
    dialog = open_dialog(mechanism, TOKENS)
    assert dialog
    return dialog


def said(mechanism: str, text: str) -> Step:
    return opened(mechanism).begin(base64.b64encode(text.encode()) or b"=")


@pytest.mark.parametrize(
    ("text", "user"),
    [
        # RFC 7628 4.1
        (
            f"n,a=u@e.com,\x01host=server.e.com\x01port=143\x01auth=Bearer {TOKEN}\x01\x01",
            "u@e.com",
        ),
        (f"n,,\x01auth=bearer {TOKEN}\x01\x01", ""),
        (f"y,a=a=2Cb=3Dc,\x01Auth=BEARER  {TOKEN} \x01\x01", "a,b=c"),
        (f"n,a=jürgen@example.com,\x01auth=Bearer {TOKEN}\x01\x01", "jürgen@example.com"),
    ],
)
def test_oauthbearer(text: str, user: str) -> None:
    assert said("OAUTHBEARER", text) == Token(user, TOKEN, "OAUTHBEARER")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n,,",
        f"n,,auth=Bearer {TOKEN}\x01\x01",
        f"p=tls-exporter,,\x01auth=Bearer {TOKEN}\x01\x01",
        f"n,b=x,\x01auth=Bearer {TOKEN}\x01\x01",
        f"n,a=a=b,\x01auth=Bearer {TOKEN}\x01\x01",
        f"n,,\x01auth=Bearer {TOKEN}\x01",
        f"n,,\x01auth=Bearer {TOKEN}\x01\x01x",
        f"n,,\x01auth=Bearer {TOKEN}\x01auth=Bearer {TOKEN}\x01\x01",
        "n,,\x01host=x\x01\x01",
        "n,,\x01auth=Bearer \x01\x01",
        "n,,\x01auth=Bearer a b\x01\x01",
        "n,,\x01auth=Basic eA==\x01\x01",
        "n,,\x01a1=x\x01auth=Bearer x\x01\x01",
        "\udcff",
    ],
)
def test_what_is_no_oauthbearer(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    step = opened("OAUTHBEARER").begin(base64.b64encode(raw) or b"=")
    assert step == SaslFailure(SaslFault.MALFORMED)


def test_xoauth2() -> None:
    text = f"user=someuser@example.com\x01auth=Bearer {TOKEN}\x01\x01"
    assert said("XOAUTH2", text) == Token("someuser@example.com", TOKEN, "XOAUTH2")
    for wrong in (text[1:], text[:-1], "user=\x01auth=Bearer x\x01\x01", "user=x\x01\x01"):
        assert said("XOAUTH2", wrong) == SaslFailure(SaslFault.MALFORMED)


def test_without_initial_response() -> None:
    dialog = opened("OAUTHBEARER")
    assert dialog.begin(None) == Challenge(b"")
    line = base64.b64encode(f"n,,\x01auth=Bearer {TOKEN}\x01\x01".encode())
    assert dialog.answer(line) == Token("", TOKEN, "OAUTHBEARER")


@pytest.mark.parametrize("answer", [b"AQ==", b"", b"AAAA"])
def test_a_refusal_is_heard_before_the_end(answer: bytes) -> None:
    for mechanism, status in (("OAUTHBEARER", "insufficient_scope"), ("XOAUTH2", "403")):
        dialog = opened(mechanism)
        start = "n,," if mechanism == "OAUTHBEARER" else "user=u"
        dialog.begin(base64.b64encode(f"{start}\x01auth=Bearer x\x01\x01".encode()))
        step = dialog.refuse("insufficient_scope", "mail", "https://issuer.test/x")
        assert isinstance(step, Challenge)
        told = json.loads(step.data)
        assert told["status"] == status
        assert told["scope"] == "mail"
        assert ("openid-configuration" in told) == (mechanism == "OAUTHBEARER")
        assert dialog.answer(answer) == Heard()


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(Token("u", TOKEN, "XOAUTH2"))


def test_other_mechanisms_have_nothing_to_refuse() -> None:
    dialog = open_dialog("PLAIN")
    assert dialog
    assert dialog.refuse("invalid_token", "", "") == SaslFailure(SaslFault.MALFORMED)


@given(st.text(max_size=80), st.sampled_from(TOKENS), st.sampled_from(["n,,\x01", "user=", ""]))
def test_any_text_ends_in_a_value(text: str, mechanism: str, start: str) -> None:
    raw = (start + text).encode("utf-8", "surrogatepass")
    step = opened(mechanism).begin(base64.b64encode(raw) or b"=")
    assert isinstance(step, Token | SaslFailure)
