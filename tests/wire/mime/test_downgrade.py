"""Headers in ASCII: which field becomes what, in any pieces, with any garbage."""

from __future__ import annotations

import time
from email import message_from_bytes
from email.header import decode_header, make_header
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.downgrade import ALLOWANCE, downgrade_header
from mailnode.wire.mime.downgrade_stream import HEADER_MAX, Downgrader, needs_none

NO_ADDRESS = "<invalid@internationalized-address.invalid>"


def downgraded(text: str) -> str:
    return downgrade_header(text.encode() + b"\r\n").decode("ascii").removesuffix("\r\n")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Subject: grüß dich", "Subject: =?utf-8?b?Z3LDvMOfIGRpY2g=?="),
        ("To: a@b.test", "To: a@b.test"),
        ("From: Jürgen Müller <j@b.test>", "From: =?utf-8?b?SsO8cmdlbiBNw7xsbGVy?= <j@b.test>"),
        ('From: "ü, a" <"j d"@b.test>', 'From: =?utf-8?b?w7wsIGE=?= <"j d"@b.test>'),
        ("From: j@bücher.test", "From: j@xn--bcher-kva.test"),
        (
            "To: Ann <a@b.test>, jörg@b.test",
            f'To: "Ann" <a@b.test>,\r\n =?utf-8?b?PGrDtnJnQGIudGVzdD4=?= {NO_ADDRESS}',
        ),
        (
            "Cc: Freunde Ä: a@b.test, =?utf-8?q?=C3=BC?= <c@d.test>;, e@f.test",
            "Cc: =?utf-8?q?Freunde_=C3=84?=:\r\n a@b.test,"
            "\r\n =?utf-8?q?=C3=BC?= <c@d.test>;,\r\n e@f.test",
        ),
        (
            'Content-Disposition: attachment; filename="ü.pdf"; size=3',
            "Content-Disposition: attachment;\r\n filename*=utf-8''%C3%BC.pdf;\r\n size=\"3\"",
        ),
        ('Content-Type: Text/Plain; name="ü"', "Content-Type: text/plain;\r\n name*=utf-8''%C3%BC"),
        ("Message-ID: <ü@b.test>", ""),
        ("Received: from ü by b.test", ""),
        ("Return-Path: <ü@b.test>", f"Return-Path: {NO_ADDRESS}"),
        ("Return-Path: <j@bücher.test>", "Return-Path: <j@xn--bcher-kva.test>"),
        ("Return-Path: ü", f"Return-Path: {NO_ADDRESS}"),
        ("X-Mood: schön", "X-Mood: =?utf-8?b?c2Now7Zu?="),
        ("Grüße: x", ""),
        ("ü", ""),
    ],
)  # fmt: skip
def test_rfc6858_s2_fields(field: str, expected: str) -> None:
    assert downgraded(field) == expected


def test_long_text_is_folded_and_comes_back() -> None:
    text = "Ä sehr langer Betreff " * 30
    made = downgraded("Subject: " + text)
    assert max(map(len, made.split("\r\n"))) <= 78
    subject = message_from_bytes(made.encode() + b"\r\n\r\n")["Subject"]
    assert str(make_header(decode_header(subject))) == text.strip()


def test_old_charsets_are_guessed() -> None:
    assert downgrade_header(b"Subject: gr\xfc\xdf\r\n") == b"Subject: =?utf-8?b?Z3LDvMOf?=\r\n"


MESSAGE = (
    "Subject: ü\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\n"
    "Präambel\r\n--b 1\r\n\r\nkein Kopf: ü\r\n"
    "--b 1\r\nContent-Type: text/plain; name=ü\r\n\r\nX: ü\r\n--b 2\r\nY: ü\r\n"
    "--b 1 \r\nContent-Type: message/rfc822\r\n\r\nSubject: ö\r\n"
    "Content-Type: multipart/x; boundary=in\r\n\r\n--in\r\nX: ä\r\n\r\nZ: ä\r\n--in--\r\n"
    "--b 1--\r\nEpilog: ü\r\n"
).encode()  # fmt: skip
EXPECTED = (
    "Subject: =?utf-8?b?w7w=?=\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\n"
    "Präambel\r\n--b 1\r\n\r\nkein Kopf: ü\r\n"
    "--b 1\r\nContent-Type: text/plain;\r\n name*=utf-8''%C3%BC\r\n\r\nX: ü\r\n--b 2\r\nY: ü\r\n"
    "--b 1 \r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?b?w7Y=?=\r\n"
    "Content-Type: multipart/x; boundary=in\r\n\r\n--in\r\nX: =?utf-8?b?w6Q=?=\r\n\r\nZ: ä\r\n"
    "--in--\r\n--b 1--\r\nEpilog: ü\r\n"
).encode()  # fmt: skip


def run(message: bytes, *cuts: int) -> bytes:
    stream = Downgrader()
    edges = [0, *sorted(cuts), len(message)]
    pieces = [stream.feed(message[a:b]) for a, b in pairwise(edges)]
    return b"".join([*pieces, stream.finish()])


def test_parts_and_embedded_messages() -> None:
    assert run(MESSAGE) == EXPECTED
    assert run(MESSAGE, *range(len(MESSAGE))) == EXPECTED


@given(st.lists(st.integers(0, len(MESSAGE)), max_size=8))
@settings(deadline=None)
def test_pieces_do_not_matter(cuts: list[int]) -> None:
    assert run(MESSAGE, *cuts) == EXPECTED
    bare = MESSAGE.replace(b"\r\n", b"\n")
    assert run(bare, *(min(cut, len(bare)) for cut in cuts)) == run(bare)


LINES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"--b\r\n", b"--b--\r\n", b"--", b"-", b"--bb\r\n", b"--b"),
        *(b"a: \xc3\xbc\r\n", b"\xff", b" x\n", b"Content-Type: message/rfc822\r\n"),
        b'Content-Type: multipart/x; boundary="b"\r\n',
    ]
)


@given(st.lists(LINES | st.binary(max_size=9), max_size=30), st.lists(st.integers(0, 200)))
def test_any_octets_in_any_pieces(lines: list[bytes], cuts: list[int]) -> None:
    message = b"".join(lines)
    whole = run(message)
    assert run(message, *(min(cut, len(message)) for cut in cuts)) == whole
    if needs_none(message):
        assert whole == message


FIELDS = [
    b"Content-Type: text/plain", b"content-type:  TEXT/html; charset=utf-8", b"Subject: \xc3\xbc",
    b"Content-Type: multipart/mixed; boundary=b", b"Content-Type:", b" multipart/mixed; boundary=b",
    b"Content-Type : message/rfc822", b"Content-Type: message/rfc822", b"Subject: text/", b"--b",
    b"", b"", b"", b"\xc3\xbcber", b"plain", b"\r", b" folded",
]  # fmt: skip


@given(st.lists(st.sampled_from(FIELDS), max_size=10), st.sampled_from([b"\r\n", b"\n"]))
def test_what_needs_nothing_is_not_changed(lines: list[bytes], end: bytes) -> None:
    message = b"".join(line + end for line in lines)
    if needs_none(message):
        downgrader = Downgrader()
        assert downgrader.feed(message) + downgrader.finish() == message


def test_what_needs_nothing_is_known() -> None:
    assert needs_none(b"Subject: x\r\n\r\n\xc3\xbc\r\n")
    assert needs_none(b"Content-Type: text/plain\r\n\r\n\xc3\xbc\r\n")
    assert not needs_none(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xc3\xbc\r\n")
    assert not needs_none(b"Subject: \xc3\xbc\r\n\r\n")


def test_headers_without_end_are_bounded() -> None:
    stream = Downgrader()
    for line in (b"X: \xc3\xbc\r\n", b"\xc3\xbc" * 20):
        made = 0
        for _ in range(2 * HEADER_MAX // len(line)):
            made += len(stream.feed(line))
            assert len(stream._held) <= HEADER_MAX + 100
        assert made > HEADER_MAX
    assert stream.feed(b"\r\n\r\nbody \xc3\xbc").endswith(b"\r\n\r\nbody \xc3\xbc")


def test_what_costs_much_is_bounded_in_each_message() -> None:
    """Beyond the allowance the form is kept and the meaning lost; no address becomes another."""
    made = run(b"A:\xc3\xbc\r\n" * 40_000 + b"To: \xc3\xbc@b.test\r\n\r\n\xc3\xbc")
    assert 1000 < made.count(b"=?utf-8?") <= ALLOWANCE // 64
    assert made.count(b"\r\nA:") == 39_999
    assert b"\r\nA:??\r\n" in made
    assert made.endswith(b"To: invalid@internationalized-address.invalid\r\n\r\n\xc3\xbc")
    parts = b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"--b\r\nA:\xc3\xbc\r\n\r\n" * 20_000
    assert run(parts).count(b"=?utf-8?") <= ALLOWANCE // 64
    names = b"To: " + b"a\xc3\xbc@b," * 20_000 + b"\r\n\r\n"
    assert len(run(names)) < 100
    usual = b"To: " + b", ".join(b"J\xc3\xbcrgen <j%d@b.test>" % n for n in range(1000))
    assert run(usual + b"\r\n\r\n").count(b"=?utf-8?") == 1000


def test_many_parts_in_one_piece_take_linear_time() -> None:
    message = b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 400_000
    began = time.process_time()
    assert run(message) == message
    assert time.process_time() - began < 20  # not quadratic: that took minutes


def test_deep_nesting_is_bounded() -> None:
    deep = b"Content-Type: message/rfc822\r\n\r\n" * 500 + b"X: \xc3\xbc\r\n\r\n"
    assert run(deep) == deep
    many = b"".join(
        b"Content-Type: multipart/x; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500)
    )
    assert run(many) == many
