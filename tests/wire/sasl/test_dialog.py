"""SASL exchanges: what clients send, what they send wrong, and what must not be shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.sasl import Challenge, Credentials, SaslFailure, SaslFault, open_dialog
from mailnode.wire.sasl.dialog import challenge_line


def b64(raw: bytes) -> bytes:
    return base64.b64encode(raw)


def run(mechanism: str, initial: bytes | None, *lines: bytes) -> object:
    dialog = open_dialog(mechanism)
    assert dialog
    step = dialog.begin(initial)
    for line in lines:
        assert isinstance(step, Challenge)
        step = dialog.answer(line)
    return step


def test_plain_with_initial_response() -> None:
    step = run("plain", b64(b"\0ann\0secret"))
    assert step == Credentials("ann", "", "secret", "PLAIN")
    assert isinstance(step, Credentials)
    assert not step.for_another


def test_plain_after_an_empty_challenge() -> None:
    dialog = open_dialog("PLAIN")
    assert dialog
    first = dialog.begin(None)
    assert isinstance(first, Challenge)
    assert challenge_line(first) == b""
    assert dialog.answer(b64(b"bob\0ann\0secret")) == Credentials("ann", "bob", "secret", "PLAIN")


def test_acting_for_another_is_seen() -> None:
    assert Credentials("ann", "bob", "x", "PLAIN").for_another
    assert not Credentials("ann@x", "Ann@X", "x", "PLAIN").for_another


def test_login_asks_for_both() -> None:
    dialog = open_dialog("LOGIN")
    assert dialog
    first = dialog.begin(None)
    assert first == Challenge(b"Username:")
    assert isinstance(first, Challenge)
    assert challenge_line(first) == b"VXNlcm5hbWU6"
    assert dialog.answer(b64(b"ann")) == Challenge(b"Password:")
    assert dialog.answer(b64(b"s\xc3\xa9cret")) == Credentials("ann", "", "s\xe9cret", "LOGIN")


def test_login_with_the_user_at_once() -> None:
    assert run("LOGIN", b64(b"ann"), b64(b"pw")) == Credentials("ann", "", "pw", "LOGIN")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"ann",
        b"\0ann",
        b"\0\0pw",
        b"\0ann\0",
        b"\0ann\0p\0w",
        b"\0ann\0\xff\xfe",
    ],
)
def test_plain_that_is_none(raw: bytes) -> None:
    assert run("PLAIN", b64(raw) or b"=") == SaslFailure(SaslFault.MALFORMED)


@pytest.mark.parametrize("line", [b"?", b"AGE", b"AGFu\n", b"AGFu AHB3", b"=AGFuAHB3", b"AG==Fu"])
def test_base64_is_strict(line: bytes) -> None:
    assert run("PLAIN", None, line) == SaslFailure(SaslFault.MALFORMED)


def test_cancel() -> None:
    assert run("PLAIN", None, b"*") == SaslFailure(SaslFault.CANCELLED)
    assert run("LOGIN", None, b64(b"ann"), b"*") == SaslFailure(SaslFault.CANCELLED)


def test_limits() -> None:
    assert run("PLAIN", b"A" * 12292) == SaslFailure(SaslFault.TOO_LONG)


def test_unknown_mechanism() -> None:
    assert open_dialog("GSSAPI") is None


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(Credentials("ann", "", "secret", "PLAIN"))


@given(st.binary(max_size=60))
def test_any_octets_end_in_a_value(raw: bytes) -> None:
    for mechanism in ("PLAIN", "LOGIN"):
        dialog = open_dialog(mechanism)
        assert dialog
        assert isinstance(dialog.begin(raw), Challenge | Credentials | SaslFailure)
        assert isinstance(dialog.answer(b64(raw)), Challenge | Credentials | SaslFailure)
