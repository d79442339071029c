"""The text that SEARCH sees."""

from __future__ import annotations

import base64

from hypothesis import given, settings

from mailnode.wire.mime.decode import body_texts, header_text, preview
from mailnode.wire.mime.structure import parse
from tests.wire.mime.test_structure import MESSAGES, NESTED, crlf


def texts(message: bytes, limit: int = 1 << 20) -> list[str]:
    return list(body_texts(message, parse(message), limit))


def test_texts_of_all_parts():
    found = "\n".join(texts(NESTED))
    for word in ("plain", "<p>html</p>", "Subject: embedded", "second", "application/pdf"):
        assert word in found
    assert "AAAA" not in found
    assert "Subject: outer" not in found


def test_encodings_and_charsets():
    coded = base64.b64encode("Grüße".encode("iso-8859-1")).decode()
    message = crlf(
        "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\n"
        + coded
    )
    assert texts(message) == ["Grüße"]
    message = crlf(
        "Content-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=\n=C3=9Fe"
    )
    assert texts(message) == ["Grüße"]


def test_limit():
    assert texts(b"\r\n" + b"x" * 100, 10) == ["x" * 10]
    assert sum(map(len, texts(NESTED, 100))) < 300


def test_header_text():
    assert header_text(b"Subject: =?utf-8?q?a=C3=A4?=\r\n b\r\njunk\r\n\r\n") == "Subject: aä b\n"


def test_preview():
    html = b"Content-Type: text/html\r\n\r\n<b>Hello\r\n  there</b><br>&"
    assert preview(html, parse(html)) == "Hello there &"
    assert preview(NESTED, parse(NESTED)) == "plain"
    assert preview(b"Content-Type: a/b\r\n\r\nx", parse(b"Content-Type: a/b\r\n\r\nx")) == ""


@settings(max_examples=500, deadline=None)
@given(MESSAGES)
def test_never_raises(message):
    root = parse(message)
    list(body_texts(message, root, 50))
    preview(message, root)
    header_text(message)
