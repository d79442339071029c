"""Content-Type and its kin, as sent by the careful and by the careless."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime import parameters
from mailnode.wire.mime.parameters import (
    decode_extended,
    parameter_text,
    parse_content_type,
    parse_disposition,
    parse_languages,
    parse_token,
)


@pytest.mark.parametrize(
    ("value", "kind", "parameters"),
    [
        (b"text/plain", b"text/plain", {}),
        (b"TEXT/Plain; Charset=UTF-8", b"text/plain", {b"charset": b"UTF-8"}),
        (
            b'text/plain;charset="utf-8";format=flowed',
            b"text/plain",
            {b"charset": b"utf-8", b"format": b"flowed"},
        ),
        (b"text/plain; charset=us-ascii (Plain text)", b"text/plain", {b"charset": b"us-ascii"}),
        (b"(a) text (b(c)) / (d) html (e) ; (f) a (g) = (h) b", b"text/html", {}),
        (b"text/plain charset=utf-8", b"text/plain", {b"charset": b"utf-8"}),
        (
            b"text/plain; charset=utf-8 format=flowed",
            b"text/plain",
            {b"charset": b"utf-8", b"format": b"flowed"},
        ),
        (
            b"text/plain; name=my file.txt; x=y",
            b"text/plain",
            {b"name": b"my file.txt", b"x": b"y"},
        ),
        (
            b"multipart/mixed; boundary=----=_Part/1:2?",
            b"multipart/mixed",
            {b"boundary": b"----=_Part/1:2?"},
        ),
        (b'a/b; x="q\\"u\\\\o;te"; y=2', b"a/b", {b"x": b'q"u\\o;te', b"y": b"2"}),
        (b'a/b; x="open; y=2', b"a/b", {b"x": b"open; y=2"}),
        (b'a/b;;; ;x=1;junk;y;=3;"str";z=4;', b"a/b", {b"x": b"1", b"z": b"4"}),
        (b"a/b; x=1; X=2", b"a/b", {b"x": b"1"}),
        (b"a/b; x=", b"a/b", {b"x": b""}),
        (b"text", b"text/plain", {}),
        (b'a/b; n*0=one; n*1=" two"; n*2=3', b"a/b", {b"n": b"one two3"}),
        (b"a/b; n*2=c; n*0=a; n*1=b", b"a/b", {b"n": b"abc"}),
        (b"a/b; n*0=a; n*2=c", b"a/b", {b"n": b"a"}),
        (b"a/b; n*1=a", b"a/b", {b"n": b""}),
        (b"a/b; n*0*=utf-8''%c3; n*1*=%a9; n*2=\" x%\"", b"a/b", {b"n*": b"utf-8''%c3%a9%20x%25"}),
    ],
)
def test_content_types(value, kind, parameters):
    found = parse_content_type(value)
    assert found is not None
    assert found.main + b"/" + found.sub == kind
    if value.startswith(b"("):
        return
    assert dict(found.parameters) == parameters


@pytest.mark.parametrize("value", [b"", b"/", b"/plain", b"=", b"attachment", b"\xff/\x80(", b";"])
def test_no_content_type(value):
    assert parse_content_type(value) is None or value.startswith(b"\xff")


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (b"attachment; filename*=UTF-8''na%C3%AFve%20file.txt", b"filename", "naïve file.txt"),
        (b"attachment; filename*=iso-8859-1'en'%e9", b"filename", "é"),
        (b"attachment; filename*=%41", b"filename", "A"),
        (b"attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac", b"filename", "€"),
        (b'attachment; filename="=?utf-8?B?4oKs?="', b"filename", "€"),
        (b"attachment; filename*=nonsense''%e9", b"filename", "é"),
        (b"attachment", b"filename", None),
    ],
)
def test_file_names(value, name, text):
    found = parse_disposition(value)
    assert found is not None
    assert parameter_text(found.parameters, name) == text


def test_small_fields():
    assert parse_token(b" (c) Base64 ; x") == b"base64"
    assert parse_token(b"") == b""
    assert parse_languages(b"en, de-DE (German) ,, fr") == [b"en", b"de-DE", b"fr"]
    assert parse_disposition(b"; filename=x") is None
    assert decode_extended(b"utf-8''%zz%e2%82%ac") == "%zz€"


SOUP = st.lists(
    st.sampled_from(
        [
            b"a",
            b"/",
            b";",
            b"=",
            b'"',
            b"\\",
            b"(",
            b")",
            b"*",
            b"0",
            b"1",
            b" ",
            b"'",
            b"%41",
            b"\xff",
        ]
    )
).map(b"".join)


@settings(max_examples=1000, deadline=None)
@given(SOUP)
def test_never_raises(soup):
    parse_content_type(b"a/b;" + soup)
    parse_content_type(soup)
    parse_languages(soup)
    found = parse_disposition(b"x;" + soup)
    assert found is not None
    for name, _ in found.parameters:
        parameter_text(found.parameters, name.rstrip(b"*"))


@pytest.mark.parametrize(
    "unit", [b"(", b'"', b"\\", b"a=", b";a", b"a =b ", b"*", b'"\\', b"a*0*="]
)
def test_long_garbage_ends(unit):
    assert parse_content_type(b"a/b; " + unit * 200_000) is not None


@pytest.mark.parametrize(
    "value", [b"text/plain; charset=utf-8", b"TEXT/html;a=b", b"nothing", b"", b"a/" + b"x" * 300]
)
def test_types_that_are_remembered_are_as_the_first_time(value: bytes):
    assert parse_content_type(value) == parse_content_type(value) == parameters._content_type(value)


def test_each_boundary_is_its_own():
    found = [parse_content_type(b"multipart/mixed; boundary=" + name) for name in (b"a", b"b")]
    assert [one and one.get(b"boundary") for one in found] == [b"a", b"b"]
