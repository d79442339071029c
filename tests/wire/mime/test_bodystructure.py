"""ENVELOPE, BODY and BODYSTRUCTURE, read back by a strict reader."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime import structure
from mailnode.wire.mime.envelope import format_envelope
from mailnode.wire.mime.strings import format_string
from mailnode.wire.mime.summary import KINDS, summarise
from tests.wire.mime.grammar import check_body, check_envelope, read
from tests.wire.mime.test_structure import MESSAGES, NESTED, crlf


def body_of(text: str) -> bytes:
    return summarise(crlf(text))["bodystructure"]


def test_the_envelope_of_rfc_9051():
    header = crlf("""\
Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.example>
Subject: IMAP4rev2 WG mtg summary and minutes
To: imap@cac.washington.example
cc: minutes@CNRI.Reston.example, John Klensin <KLENSIN@MIT.example>
Message-Id: <B27397-0100000@cac.washington.example>

""")
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.example"))'
    assert format_envelope(header) == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev2 WG mtg summary and minutes" '
        + b" ".join([gray] * 3)
        + b' ((NIL NIL "imap" "cac.washington.example"))'
        b' ((NIL NIL "minutes" "CNRI.Reston.example")'
        b'("John Klensin" NIL "KLENSIN" "MIT.example")) NIL NIL '
        b'"<B27397-0100000@cac.washington.example>")'
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        ("Subject:\nDate: \n", b'("" "" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        ('Subject: a "b" \\c\n', b'(NIL "a \\"b\\" \\\\c" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        ("Subject: ä\n", b"(NIL {2}\r\n\xc3\xa4 NIL NIL NIL NIL NIL NIL NIL NIL)"),
        ("Subject: a\nSubject: b\n", b'(NIL "a" NIL NIL NIL NIL NIL NIL NIL NIL)'),
        (
            "To: a@b\nTo: c@d\n",
            b'(NIL NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)',
        ),
        (
            "From: a@b\nSender: s@s\nReply-To:\n",
            b'(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "s" "s")) ((NIL NIL "a" "b"))'
            b" NIL NIL NIL NIL NIL)",
        ),
    ],
)
def test_envelopes(header, expected):
    assert format_envelope(crlf(header)) == expected


def test_plain_message():
    assert body_of("Subject: x\n\none\ntwo\n") == (
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2 NIL NIL NIL NIL)'
    )


def test_all_the_describing_fields():
    assert body_of("""\
Content-Type: Image/PNG; Name="a.png"
Content-Transfer-Encoding: BASE64
Content-ID: <a@b>
Content-Description: a
 picture
Content-MD5: Q2hlY2s=
Content-Disposition: Inline; filename="a b.png"; size=3
Content-Language: de, en
Content-Location: http://x.test/
  a.png

AAAA
""") == (
        b'("image" "png" ("name" "a.png") "<a@b>" "a picture" "base64" 6 "Q2hlY2s="'
        b' ("inline" ("filename" "a b.png" "size" "3")) ("de" "en") "http://x.test/a.png")'
    )


def test_nested_message():
    plain = b'"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
    nobody = b" NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert summarise(NESTED)["body"] == (
        b"(((" + plain + b' 5 0)("text" "html" NIL NIL NIL "7bit" 13 1) "alternative")'
        b'("message" "rfc822" NIL NIL NIL "7bit" 131 (NIL "embedded"' + nobody + b" ("
        b'("message" "rfc822" NIL NIL NIL "7bit" 21 (NIL "one"'
        + nobody
        + b" ("
        + plain
        + b" 5 0) 2)"
        b'("message" "rfc822" NIL NIL NIL "7bit" 22 (NIL "two"'
        + nobody
        + b" ("
        + plain
        + b" 6 0) 2)"
        b' "digest") 13)'
        b'("application" "pdf" NIL NIL NIL "base64" 4) "mixed")'
    )


def test_empty_multipart_has_one_part():
    check_body(read(body_of("Content-Type: multipart/mixed; boundary=x\n\n")), extended=True)


def test_beyond_the_bounds_still_grammar():
    deep = summarise(b"Content-Type: message/rfc822\r\n\r\n" * 300)
    check_body(read(deep["bodystructure"]), extended=True)
    levels = b"".join(
        b"Content-Type: multipart/a; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)
    )
    check_body(read(summarise(levels)["body"]), extended=False)


def test_at_the_part_limit_still_grammar(monkeypatch):
    monkeypatch.setattr(structure, "MAX_PARTS", 5)
    for kind in ("message/rfc822", "multipart/mixed; boundary=c"):
        part = f"--b\nContent-Type: {kind}\n\n"
        message = crlf("Content-Type: multipart/mixed; boundary=b\n\n" + part * 20)
        check_body(read(summarise(message)["bodystructure"]), extended=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b'""'),
        (b"a\tb", b'"a\tb"'),
        (b"a\rb", b"{3}\r\na\rb"),
        (b"\x7f", b"{1}\r\n\x7f"),
        (b"a\0b\xff", b"{3}\r\nab\xff"),
        (b"x" * 1025, b"{1025}\r\n" + b"x" * 1025),
    ],
)
def test_strings(value, expected):
    assert format_string(value) == expected


def test_lf_messages_are_summarised_as_crlf():
    assert summarise(NESTED.replace(b"\r\n", b"\n")) == summarise(NESTED)


HEADERS = st.lists(
    st.sampled_from(
        [
            b"From: ",
            b"To: ",
            b"Subject:",
            b"Content-Type: text/",
            b"Content-Type: message/rfc822",
            b"Content-Disposition: ",
            b"Content-Language: ",
            b"Content-Location: ",
            b"Content-ID:",
            b"Content-Transfer-Encoding: ",
            b"; x*0*=",
            b"; name=",
            b'"',
            b"\\",
            b"(",
            b")",
            b"<",
            b"@",
            b",",
            b"\r\n",
            b"\r\n ",
            b"\n",
            b"\r",
            b"\0",
            b"\xff",
            b"a",
            b"%e4",
            b"\r\n\r\n",
        ]
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=2000, deadline=None)
@given(HEADERS | MESSAGES | st.binary(max_size=100))
def test_anything_gives_what_the_grammar_allows(message):
    found = summarise(message)
    assert tuple(sorted(found)) == tuple(sorted(KINDS))
    check_envelope(read(found["envelope"]))
    check_body(read(found["bodystructure"]), extended=True)
    check_body(read(found["body"]), extended=False)
    assert structure.to_crlf(message).startswith(found["headers"])
