"""Address lists of the careful, the careless and the hostile."""

from __future__ import annotations

from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.address import (
    MAX_ADDRESSES,
    _any_addresses,
    _usual_addresses,
    parse_addresses,
)


def group(name: str) -> tuple[object, ...]:
    return (None, None, name.encode(), None)


END = (None, None, None, None)


def one(name: str | None, mailbox: str, host: str, route: str | None = None) -> tuple[object, ...]:
    def coded(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    return coded(name), coded(route), coded(mailbox), coded(host)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("a@b", [one(None, "a", "b")]),
        ("<a@b>", [one(None, "a", "b")]),
        (
            "Joe Q. Public <john.q.public@example.com>",
            [one("Joe Q. Public", "john.q.public", "example.com")],
        ),
        (
            '"Giant; \\"Big\\" Box" <sysservices@example.net>',
            [one('Giant; "Big" Box', "sysservices", "example.net")],
        ),
        (
            "Who? <one@y.test>, <boss@nil.test>",
            [one("Who?", "one", "y.test"), one(None, "boss", "nil.test")],
        ),
        (
            "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
            [
                group("A Group"),
                one("Ed Jones", "joe", "where.test"),
                one(None, "joe", "where.test"),
                one("John", "jdoe", "one.test"),
                END,
            ],
        ),
        ("Undisclosed recipients:;", [group("Undisclosed recipients"), END]),
        ("g:a@b;, c@d", [group("g"), one(None, "a", "b"), END, one(None, "c", "d")]),
        ("g:a@b", [group("g"), one(None, "a", "b"), END]),
        ("g:h:a@b;", [group("g"), one(None, "h", ""), one(None, "a", "b"), END]),
        (
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            [one("Pete", "pete", "silly.test")],
        ),
        ("pete@silly.test (Pete (the) Silly)", [one("Pete (the) Silly", "pete", "silly.test")]),
        ("<a@b> (Name)", [one("Name", "a", "b")]),
        ("(only a comment)", []),
        (
            "Mary Smith <@node.test,@other.test:mary@example.net>",
            [one("Mary Smith", "mary", "example.net", "@node.test,@other.test")],
        ),
        ("<@a>", [one(None, "", "a")]),
        ("john . doe @ example . com", [one(None, "john.doe", "example.com")]),
        ('"john doe"@x', [one(None, "john doe", "x")]),
        ("john doe@x", [one(None, "john doe", "x")]),
        (
            "a@[192.0.2.1], b@[IPv6:::1]",
            [one(None, "a", "[192.0.2.1]"), one(None, "b", "[IPv6:::1]")],
        ),
        ("root", [one(None, "root", "")]),
        ("a@", [one(None, "a", "")]),
        ("@b", [one(None, "", "b")]),
        ("<>", [one(None, "", "")]),
        ("Name <>", [one("Name", "", "")]),
        ("a@b@c", [one(None, "a@b", "c")]),
        (
            "=?utf-8?q?a,b=3B?= <c@d>, e@f",
            [one("=?utf-8?q?a,b=3B?=", "c", "d"), one(None, "e", "f")],
        ),
        ("Jörg <j@x>", [one("Jörg", "j", "x")]),
        ("<<a@b>>, c@d", [one(None, "a", "b"), one(None, "c", "d")]),
        ("<a@b, c@d", [one(None, "a", "b"), one(None, "c", "d")]),
        ("<mailto:a@b>", [one(None, "mailto:a", "b")]),
        ('"open <a@b>, c@d', [one(None, "open <a@b>, c@d", "")]),
        ("a@b; c@d", [one(None, "a", "b"), one(None, "c", "d")]),
    ],
)
def test_lists(value, expected):
    assert parse_addresses(value.encode()) == expected


ATOM = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
PLAIN = st.builds(lambda a, b: f"{a}@{b}.test", ATOM, ATOM)
NAMED = st.builds(lambda n, m, a: f"{n} {m} <{a}>", ATOM, ATOM, PLAIN)
QUOTED = st.builds(lambda n, a: f'"{n}, x" <{a}>', ATOM, PLAIN)


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN | NAMED | QUOTED, min_size=1, max_size=6))
def test_agrees_with_the_standard_library(entries):
    value = ", ".join(entries)
    ours = [
        ((a.name or b"").decode(), b"@".join((a.mailbox, a.host)).decode())
        for a in parse_addresses(value.encode())
    ]
    assert ours == getaddresses([value])


SOUP = st.lists(
    st.sampled_from(
        [
            b"a",
            b"@",
            b",",
            b";",
            b":",
            b"<",
            b">",
            b"(",
            b")",
            b'"',
            b"\\",
            b" ",
            b".",
            b"[",
            b"]",
            b"=?u?q?,?=",
            b"\0",
            b"\xff",
        ]
    ),
    max_size=50,
).map(b"".join)


@settings(max_examples=2000, deadline=None)
@given(SOUP)
def test_groups_are_paired_whatever_comes(value):
    inside = False
    for address in parse_addresses(value):
        if address.host is None:
            assert inside is (address.mailbox is None)
            inside = not inside
        else:
            assert address.mailbox is not None
    assert not inside


@pytest.mark.parametrize(
    "unit",
    [b"(", b'"', b"<", b"a:", b"a@b,", b"=?", b"=?a?q?", b"[", b"\\", b". ", b"@", b'"\\', b"(\\"],
)
def test_long_garbage_ends(unit):
    found = parse_addresses(unit * 200_000)
    assert len(found) <= MAX_ADDRESSES + 2


USUAL = st.lists(
    st.sampled_from(
        [b"a", b"Ann", b"O'Neil", b"Q.", b" ", b"  ", b"\t", b"<", b">", b"@", b",", b", ",
         b"b.test", b'"', b'"Last, First"', b"<a.b+c@d.test>", b"x_y@d.test", b"\\", b"=?u?q?a?=",
         b"(c)", b":", b";", b".", b"-", b"\xe4", b"\0"]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(USUAL)
def test_usual_addresses_are_read_as_all_others(value):
    quick = _usual_addresses(value)
    assert not quick or quick == _any_addresses(value)


@pytest.mark.parametrize(
    "value",
    [
        b"a@b",
        b' Ann <a@b.test> , "Last, First"<c.d@e>,<f@g>, h+i@j.k ',
        b"Joe Q. Public  <john.q.public@example.com>",
        b'"" <a@b>, " spaced " <a@b>',
        b"a@b,",
    ],
)
def test_what_is_usual(value):
    quick = _usual_addresses(value)
    assert quick
    assert quick == _any_addresses(value)


@pytest.mark.parametrize("unit", [b"a ", b"a.", b"a@b ", b"a b <", b'"a" ', b"a@b,"])
def test_what_is_nearly_usual_ends(unit):
    _usual_addresses(unit * 200_000 + b"!")
