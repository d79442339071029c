"""IMAP URLs: what names a message, what does not, what is hostile."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.wire.imap.url import URL_LIMIT, MessageUrl, parse_url, shown_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/INBOX;UID=1", MessageUrl(None, "INBOX", None, 1)),
        ("/a/b;UIDVALIDITY=7/;UID=2/;SECTION=1.2", MessageUrl(None, "a/b", 7, 2, b"1.2")),
        ("x%2Fy;uid=3;section=A%20(B)", MessageUrl(None, "x/y", None, 3, b"A (B)")),
        ("/;UID=4/;PARTIAL=5.6", MessageUrl(None, "", None, 4, b"", (5, 6))),
        ("imap://u@h:1/in;UID=5", MessageUrl("u@h:1", "in", None, 5)),
        ("/a;UID=6;URLAUTH=anonymous", MessageUrl(None, "a", None, 6, rest=";URLAUTH=anonymous")),
    ],
)  # fmt: skip
def test_good(text: str, url: MessageUrl) -> None:
    assert parse_url(text) == url


@pytest.mark.parametrize(
    "text",
    ["", "/INBOX", "/INBOX;UID=0", "/%FF;UID=1", "/a;UID=1 ", "/a;UID=1/;PARTIAL=1.0", "/a?x;UID=1",
     "x" * URL_LIMIT + ";UID=1"],
)  # fmt: skip
def test_bad(text: str) -> None:
    assert parse_url(text) is None


@given(st.text(max_size=80))
def test_never_raises_and_never_breaks_a_code(text: str) -> None:
    parse_url(text)
    parse_url("/" + text + ";UID=1/;SECTION=" + text)
    shown = shown_url(text.encode("utf-8", "replace").decode())
    assert shown.isascii()
    assert not set(shown) & set("] \r\n")


def test_linear_time() -> None:
    begun = time.perf_counter()
    for text in ("/" * 8000, ";UIDVALIDITY=1/" * 500, "%" * 8000 + ";UID=1", "a;UID=1" * 1000):
        parse_url(text)
    assert time.perf_counter() - begun < 0.5
