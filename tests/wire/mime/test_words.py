"""Encoded words, charsets and transfer encodings."""

from __future__ import annotations

import encodings
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.charset import codec_of, decode_text
from mailnode.wire.mime.transfer import decode_base64, decode_quoted_printable, decode_transfer
from mailnode.wire.mime.words import decode_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?J=C3=B6rg_x?= <j@x>", "Jörg x <j@x>"),
        (b"=?UTF-8?B?SsO2cmc=?=", "Jörg"),
        (b"=?utf-8*de?q?=C3=A4?=", "ä"),
        (b"a =?utf-8?q?b?= c", "a b c"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\t =?iso-8859-1?q?=E4?=", "aä"),
        (b"=?utf-8?b?4oI=?= =?utf-8?b?rA==?=", "€"),  # one character in two words
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?nonsense?q?=C3=A4?=", "ä"),
        (b"=?nonsense?q?=E4?=", "ä"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"raw \xc3\xa4", "raw ä"),
        (b"raw \xe4", "raw ä"),
        (b"=?utf-8?b?!!?=", ""),
        (b"=?utf-8?q?with space?=", "with space"),
        (b"=??q?x?=", "=??q?x?="),
    ],
)
def test_encoded_words(value, text):
    assert decode_words(value) == text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_agrees_with_the_standard_library(text):
    raw = str(make_header([(text.encode(), "utf-8")])).encode()
    from email.header import Header

    coded = Header(text, "utf-8").encode().replace("\n", "").encode()
    assert decode_words(coded) == str(make_header(decode_header(coded.decode())))
    assert decode_words(raw) == text or b"=?" in raw


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b"=?", b"?=", b"?", b"q", b"b", b"utf-8", b"=", b"_", b" ", b"\xff", b"utf-7"]
        )
    ).map(b"".join)
)
def test_never_raises(value):
    decode_words(value)


@pytest.mark.parametrize(
    "name",
    ["idna", "punycode", "hex", "zip", "unicode_escape", "rot13", "undefined", "x" * 99, "a\0", ""],
)
def test_charsets_refused(name):
    assert codec_of(name) is None
    assert decode_text("ä".encode(), name) == "ä"


def test_unknown_charsets_leave_no_trace_in_the_codec_registry():
    before = len(encodings._cache)  # type: ignore[attr-defined]
    for n in range(100):
        decode_text(b"x", f"x-unknown-{n}")
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["UTF-8", "utf8", "ISO-8859-15", "windows-1252", "Shift_JIS", "KOI8-R", "cp874", "Big5"]
)
def test_charsets_known(name):
    codec = codec_of(name)
    assert codec is not None
    assert decode_text("abc".encode(codec), name) == "abc"


def test_every_known_codec_decodes_anything():
    from mailnode.wire.mime import charset

    for name in charset._CODECS:
        assert isinstance(decode_text(bytes(range(256)), name), str)
        assert isinstance(decode_text(b"\x1b$B", name), str)


@pytest.mark.parametrize(
    ("raw", "octets"),
    [
        (b"SGVsbG8=", b"Hello"),
        (b"SGVs\r\nbG8", b"Hello"),
        (b"SGVsbG8=SGVsbG8=", b"HelloHello"),
        (b"S*G-V_sbG8=\xff", b"Hello"),
        (b"SGVsbG8AA", b"Hello\0"),
        (b"A", b""),
        (b"====", b""),
        (b"", b""),
    ],
)
def test_base64(raw, octets):
    assert decode_base64(raw) == octets


@pytest.mark.parametrize(
    ("raw", "octets"),
    [(b"a=20b=\r\nc", b"a bc"), (b"=XY=", b"=XY"), (b"=c3=A4", "ä".encode()), (b"_", b"_")],
)
def test_quoted_printable(raw, octets):
    assert decode_quoted_printable(raw) == octets


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60), st.sampled_from([b"base64", b"quoted-printable", b"", b"x-uuencode"])
)
def test_transfer_never_raises(raw, encoding):
    assert len(decode_transfer(raw, encoding)) <= len(raw)
