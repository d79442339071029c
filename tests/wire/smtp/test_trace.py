"""Trace headers, replies and command lines."""

from __future__ import annotations

import email
import ssl
import subprocess
from dataclasses import replace

import pytest

from mailnode.model.address import Address
from mailnode.model.envelope import Client, Envelope, Recipient
from mailnode.model.status import Outcome, Verdict
from mailnode.runtime.tls import CIPHERS
from mailnode.wire.smtp.command import after_keyword, split_command
from mailnode.wire.smtp.reply import BAD_LINE, Reply, outcome_reply
from mailnode.wire.smtp.trace import (
    format_received,
    format_return_path,
    missing_fields,
    protocol_name,
    registered_cipher,
    scan_header,
)


def envelope(helo: str = "client.test", host: str = "192.0.2.1", count: int = 1) -> Envelope:
    recipients = tuple(Recipient(Address(f"r{n}", "x.test")) for n in range(count))
    client = Client(host, 25, helo, "TLSv1.3 TLS_AES_256_GCM_SHA384", "", "ESMTP")
    return Envelope("QID", Address("s", "y.test"), recipients, client, 0.0)


def test_received_names_all() -> None:
    text = format_received(envelope(), "mx.test")
    assert text == (
        b"Received: from client.test ([192.0.2.1])\r\n\tby mx.test with ESMTPS id QID\r\n"
        b"\tfor <r0@x.test>\r\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n"
        b"\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
    )


@pytest.mark.parametrize("helo", ["a b", "x\r\nEvil: 1", "(", "é", ""])
def test_received_never_repeats_a_strange_hello(helo: str) -> None:
    message = email.message_from_bytes(format_received(envelope(helo, "2001:db8::1"), "mx.test"))
    assert message.keys() == ["Received"]
    assert "from unknown ([IPv6:2001:db8::1])" in str(message["Received"])


@pytest.mark.parametrize(
    ("tls", "clause"),
    [
        (
            "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384",
            b"\r\n\ttls TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 (TLSv1.2);",
        ),
        (
            "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305",
            b"\r\n\ttls TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (TLSv1.2);",
        ),
        ("TLSv1.2 OTHER-1", b"\r\n\t(TLSv1.2 OTHER-1);"),
        ("evil)\r\nX: y", b"QID;"),
        ("", b"QID;"),
    ],
)
def test_rfc8314_s4_3_the_ciphersuite_by_its_registered_name(tls: str, clause: bytes) -> None:
    one = envelope(count=2)
    text = format_received(replace(one, client=replace(one.client, tls=tls)), "mx.test")
    assert clause in text
    assert text.count(b"\r\n") == 3 + (clause != b"QID;")


def test_rfc8314_s4_3_every_suite_that_is_offered_has_its_name() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(CIPHERS)
    names = {one["name"]: registered_cipher(one["name"]) for one in context.get_ciphers()}
    listing = ["openssl", "ciphers", "-stdname", CIPHERS]
    told = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    known = {line.split()[2]: line.split()[0] for line in told.splitlines()}
    assert names == {name: known[name] for name in names}


def test_received_hides_blind_copies() -> None:
    assert b"for <" not in format_received(envelope(count=2), "mx.test")


def test_protocol_names() -> None:
    assert protocol_name("SMTP", False, False, False) == "SMTP"
    assert protocol_name("ESMTP", True, True, False) == "ESMTPSA"
    assert protocol_name("ESMTP", True, True, True) == "UTF8SMTPSA"
    assert protocol_name("LMTP", True, False, True) == "UTF8LMTPS"


def test_scan() -> None:
    facts = scan_header(
        b"Received: a\r\n\tb: c\r\nreceived : d\r\nDelivered-To: Bob@X.test\r\nSubject: x\r\n"
        b"Message-ID:\r\n <a@b>\r\n\r\nReceived: body\r\n"
    )
    assert (facts.received, facts.delivered_to) == (2, frozenset({"bob@x.test"}))
    assert facts.names == {"received", "delivered-to", "subject", "message-id"}
    assert facts.message_id == "<a@b>"
    assert facts.well_formed


@pytest.mark.parametrize(
    ("head", "fine"),
    [(b"hello world\r\n", False), (b"\r\nx", True), (b"", True), (b"A: b\r\n", True)],
)
def test_well_formed(head: bytes, fine: bool) -> None:
    assert scan_header(head).well_formed is fine


def test_submission_adds_what_is_missing() -> None:
    facts = scan_header(b"Subject: x\r\n\r\n")
    added = missing_fields(facts, Address("s", "y.test"), "id@h", 0.0)
    assert added.splitlines()[0] == b"From: s@y.test"
    assert b"Message-ID: <id@h>\r\n" in added
    full = scan_header(b"from: x\r\nDATE: x\r\nMessage-Id: x\r\n\r\n")
    assert missing_fields(full, Address("s", "y.test"), "id@h", 0.0) == b""


def test_return_path() -> None:
    assert format_return_path(None) == b"Return-Path: <>\r\n"


def test_reply_lines() -> None:
    assert Reply(250, "", "a", ("b", "c")).encode() == b"250-a\r\n250-b\r\n250 c\r\n"
    assert Reply(250, "2.0.0", "a", ("b",)).encode() == b"250-2.0.0 a\r\n250 2.0.0 b\r\n"


@pytest.mark.parametrize(
    ("verdict", "code", "basic"),
    [
        (Verdict.NEVER, "5.2.2", 552),
        (Verdict.NEVER, "5.1.1", 550),
        (Verdict.LATER, "4.2.2", 452),
        (Verdict.LATER, "4.3.0", 451),
        (Verdict.LATER, "5.2.2", 451),
        (Verdict.DONE, "2.0.0", 250),
    ],
)
def test_basic_code_follows(verdict: Verdict, code: str, basic: int) -> None:
    assert outcome_reply(Outcome(verdict, code, "x")).code == basic


def test_commands() -> None:
    assert split_command(b"mail FROM:<a>  \r\n") == ("MAIL", b"FROM:<a>")
    assert split_command(b"RSET\r\n") == ("RSET", b"")
    assert split_command(b"GET / HTTP/1.1\r\n") == ("GET", b"/ HTTP/1.1")
    assert split_command(b"\r\n") == ("", b"")
    for bad in (b"RSET\n", b"RSET", b"RS\rET\r\n", b"RSET\n\r\n", b"RSET\x00\r\n"):
        assert split_command(bad) == BAD_LINE
    assert after_keyword(b"from: <a>", b"FROM:") == b"<a>"
    assert after_keyword(b"TO:<a>", b"FROM:") is None
