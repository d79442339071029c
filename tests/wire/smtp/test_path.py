"""Paths: what is an address, what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailnode.model.address import Address
from mailnode.wire.smtp.path import (
    format_path,
    parse_address,
    parse_forward_path,
    parse_reverse_path,
)
from mailnode.wire.smtp.reply import Reply

GOOD = [
    (b"<a@b.c>", "a", "b.c"),
    (b"<A.B@Example.COM>", "A.B", "example.com"),
    (b"<a@b.c.>", "a", "b.c"),
    (b"<user+ext@b>", "user+ext", "b"),
    (b'<"a b"@c.d>', "a b", "c.d"),
    (b'<"a\\"b"@c.d>', 'a"b', "c.d"),
    (b'<"plain"@c.d>', "plain", "c.d"),
    (b'<"x@y"@c.d>', "x@y", "c.d"),
    (b"<@x.y,@z:a@b.c>", "a", "b.c"),
    (b"<a%x.y@b.c>", "a%x.y", "b.c"),
    (b"<x.y!a@b.c>", "x.y!a", "b.c"),
    (b"<a@[192.0.2.1]>", "a", "[192.0.2.1]"),
    (b"<a@[IPv6:2001:DB8::1]>", "a", "[IPv6:2001:db8::1]"),
    (b"<postmaster>", "postmaster", ""),
    ("<jörg@b.c>".encode(), "jörg", "b.c"),
    ("<a@bücher.example>".encode(), "a", "xn--bcher-kva.example"),
    (b"<a_b@c_d.e>", "a_b", "c_d.e"),
    (
        b"<" + b"l" * 64 + b"@" + b"d" * 63 + b"." + b"e" * 63 + b".f>",
        "l" * 64,
        "d" * 63 + "." + "e" * 63 + ".f",
    ),
]

BAD = [
    b"",
    b"a@b.c",
    b"<a@b.c",
    b"<a@b.c>x",
    b"<a@@b.c>",
    b"<a b@c.d>",
    b"<@b.c>",
    b"<a@>",
    b"<a@-b.c>",
    b"<a@b..c>",
    b"<a@b.c>>",
    b"<<a@b.c>>",
    b'<"a@b.c>',
    b'<""@b.c>',
    b'<"a\r\nb"@b.c>',
    b"<a\x00@b.c>",
    b"<\xff@b.c>",
    b"<a@[300.1.1.1]>",
    b"<a@[IPv6:zz]>",
    b"<a@[x:y]>",
    b"<" + b"l" * 65 + b"@b.c>",
    b"<a@" + b"d" * 64 + b".c>",
    b"<a@" + b"dd." * 85 + b"c>",
    "<a\u2028b@c.d>".encode(),
]


@pytest.mark.parametrize(("raw", "local", "domain"), GOOD)
def test_good(raw: bytes, local: str, domain: str) -> None:
    assert parse_forward_path(raw) == (Address(local, domain), b"")


@pytest.mark.parametrize("raw", BAD)
def test_bad(raw: bytes) -> None:
    assert isinstance(parse_forward_path(raw), Reply)
    assert isinstance(parse_reverse_path(raw), Reply)


def test_null_sender_and_parameters() -> None:
    assert parse_reverse_path(b"<>") == (None, b"")
    assert parse_reverse_path(b"<> SIZE=1") == (None, b"SIZE=1")
    assert parse_reverse_path(b"<a@b>  SIZE=1 BODY=7BIT") == (
        Address("a", "b"),
        b"SIZE=1 BODY=7BIT",
    )
    assert isinstance(parse_reverse_path(b"<>x"), Reply)
    assert isinstance(parse_forward_path(b"<>"), Reply)


@pytest.mark.parametrize("text", ["a@b.c", '"a b"@c.d', "a..b@c", 'a"b@c'])
def test_format_parses_back(text: str) -> None:
    address = parse_address(text) or Address('a"b', "c")
    assert parse_forward_path(format_path(address).encode()) == (address, b"")


def test_format_null() -> None:
    assert format_path(None) == "<>"
    assert format_path(Address("postmaster", "")) == "<postmaster>"


@given(st.binary(max_size=80))
def test_any_bytes_give_an_address_or_a_reply(raw: bytes) -> None:
    got = parse_forward_path(b"<" + raw + b">")
    assert isinstance(got, Reply) or got[0].local.isprintable()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60))
def test_every_printable_local_part_survives(local: str) -> None:
    address = Address(local, "example.test")
    assert (
        parse_forward_path(format_path(address).encode()) == (address, b"")
        or len(format_path(address)) > 64
    )


@pytest.mark.parametrize("label", ["\u02d8", "a\u2100b", "\uff1e", "\uff20x", "x\u037ey"])
def test_a_domain_whose_mapping_makes_specials_is_no_domain(label: str) -> None:
    assert isinstance(parse_reverse_path(f"<a@{label}.test>".encode()), Reply)
