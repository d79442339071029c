"""ESMTP parameters."""

from __future__ import annotations

import pytest

from mailnode.wire.smtp.parameters import (
    MailParameters,
    RcptParameters,
    decode_xtext,
    parse_mail_parameters,
    parse_rcpt_parameters,
)
from mailnode.wire.smtp.reply import BAD_PARAMETER, UNKNOWN_PARAMETER

ALL = frozenset({"SIZE", "8BITMIME", "SMTPUTF8", "DSN", "AUTH", "REQUIRETLS"})


def test_everything_at_once() -> None:
    raw = b"SIZE=123 body=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<> REQUIRETLS"
    assert parse_mail_parameters(raw, ALL) == MailParameters(
        123, "8BITMIME", True, "HDRS", "a+b", "<>", True
    )


def test_dsn_of_a_recipient() -> None:
    got = parse_rcpt_parameters(b"NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+40x@y", ALL)
    assert got == RcptParameters(frozenset({"SUCCESS", "FAILURE"}), "rfc822;Bob@x@y")
    utf8 = parse_rcpt_parameters(b"ORCPT=utf-8;j\\x{F6}rg@x", ALL)
    assert utf8 == RcptParameters(frozenset(), "utf-8;jörg@x")


@pytest.mark.parametrize(
    "raw",
    [
        b"SIZE", b"SIZE=", b"SIZE=x", b"SIZE=-1", b"SIZE=" + b"1" * 21, b"SIZE=1 SIZE=1",
        b"BODY=BINARYMIME", b"BODY=9BIT", b"SMTPUTF8=1", b"RET=ALL", b"ENVID=a+0Ab",
        b"ENVID=" + b"x" * 101, b"ENVID=a+zz", b"REQUIRETLS=yes", b"SIZE=1=2", b"\xff",
        b"AUTH=a+0D", b"SIZE=\xc2\xb2",
    ],
)  # fmt: skip
def test_bad_mail_parameters(raw: bytes) -> None:
    assert parse_mail_parameters(raw, ALL) == BAD_PARAMETER


@pytest.mark.parametrize(
    "raw",
    [
        b"NOTIFY=", b"NOTIFY=NEVER,SUCCESS", b"NOTIFY=SUCCESS,SUCCESS", b"NOTIFY=x", b"ORCPT=x",
        b"ORCPT=;x", b"ORCPT=rfc822;", b"ORCPT=rfc822;a+0Ab", b"ORCPT=utf-8;\\x{FFFFFF}",
        b"ORCPT=rfc822;" + b"x" * 500,
    ],
)  # fmt: skip
def test_bad_rcpt_parameters(raw: bytes) -> None:
    assert parse_rcpt_parameters(raw, ALL) == BAD_PARAMETER


def test_what_was_not_offered_is_unknown() -> None:
    assert parse_mail_parameters(b"SIZE=1", frozenset()) == UNKNOWN_PARAMETER
    assert parse_mail_parameters(b"FOO=1", ALL) == UNKNOWN_PARAMETER
    assert parse_rcpt_parameters(b"SIZE=1", ALL) == UNKNOWN_PARAMETER


def test_xtext() -> None:
    assert decode_xtext("a+2B+3Dz") == "a+=z"
    assert decode_xtext("a b") is None
    assert decode_xtext("a+") is None
