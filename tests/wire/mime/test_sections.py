"""Every section form, on the example of RFC 9051 6.4.5.1 and on odd messages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.sections import Text, cut, extract, find_part
from mailnode.wire.mime.structure import parse
from tests.wire.mime.test_structure import MESSAGES, NESTED, crlf, every

# multipart/mixed of text, octets, message (multipart/mixed of text, octets) and
# multipart/mixed of gif and message (text, multipart/alternative of two texts).
RFC9051 = crlf("""\
Subject: top
Content-Type: multipart/mixed; boundary=a

--a

part 1
--a
Content-Type: application/octet-stream

part 2
--a
Content-Type: message/rfc822
X-Mime: 3

Subject: three
Content-Type: multipart/mixed; boundary=b

--b

part 3.1
--b
Content-Type: application/octet-stream

part 3.2
--b--
--a
Content-Type: multipart/mixed; boundary=c

--c
Content-Type: image/gif

part 4.1
--c
Content-Type: message/rfc822
X-Mime: 4.2

Subject: four two
Content-Type: multipart/mixed; boundary=d

--d

part 4.2.1
--d
Content-Type: multipart/alternative; boundary=e

--e

part 4.2.2.1
--e
Content-Type: text/richtext

part 4.2.2.2
--e--
--d--
--c--
--a--
""")


def get(numbers: str, text: Text = Text.ALL, message: bytes = RFC9051, fields=()) -> bytes | None:
    parts = [int(number) for number in numbers.split(".") if number]
    return extract(message, parse(message), parts, text, fields)


@pytest.mark.parametrize("number", ["1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"])
def test_leaves(number):
    assert get(number) == b"part " + number.encode()


@pytest.mark.parametrize(
    "number", ["5", "1.1", "2.1", "3.3", "3.1.1", "4.3", "4.2.3", "4.2.2.3", "0", "3.0"]
)
def test_missing_parts(number):
    assert get(number) is None
    assert get(number, Text.MIME) is None


def test_whole_message():
    assert get("") == RFC9051
    header, text = get("", Text.HEADER), get("", Text.TEXT)
    assert header is not None
    assert text is not None
    assert header + text == RFC9051
    assert header.endswith(b"\r\n\r\n")
    assert get("", Text.MIME) is None


def test_inside_embedded_messages():
    assert get("3", Text.MIME) == b"Content-Type: message/rfc822\r\nX-Mime: 3\r\n\r\n"
    header, text = get("3", Text.HEADER), get("3", Text.TEXT)
    assert header is not None
    assert header.startswith(b"Subject: three\r\n")
    assert text is not None
    assert header + text == get("3")
    assert get("4.2", Text.FIELDS, fields=[b"SUBJECT"]) == b"Subject: four two\r\n\r\n"
    assert get("3", Text.FIELDS_NOT, fields=[b"content-type"]) == b"Subject: three\r\n\r\n"
    assert get("3.2", Text.MIME) == b"Content-Type: application/octet-stream\r\n\r\n"


def test_header_and_text_of_what_is_no_message():
    assert get("1", Text.HEADER) is None
    assert get("2", Text.TEXT) is None
    assert get("4", Text.HEADER) is None


def test_part_one_of_a_plain_message():
    message = b"Subject: x\r\n\r\nbody\r\n"
    assert get("1", message=message) == b"body\r\n"
    assert get("1", Text.MIME, message) == b"Subject: x\r\n\r\n"
    assert get("2", message=message) is None
    assert get("1.1", message=message) is None


def test_message_in_a_message_without_multipart():
    inner = b"Subject: in\r\n\r\nbody"
    message = b"Content-Type: message/rfc822\r\n\r\n" + inner
    assert get("1", message=message) == inner
    assert get("1", Text.HEADER, message) == b"Subject: in\r\n\r\n"
    assert get("1", Text.TEXT, message) == b"body"
    assert get("1.1", message=message) == b"body"
    assert get("1.1", Text.MIME, message) == b"Subject: in\r\n\r\n"
    assert get("1.1.1", message=message) is None
    assert get("1.2", message=message) is None


def test_fields_of_the_top():
    assert get("", Text.FIELDS, fields=[b"subject", b"x"]) == b"Subject: top\r\n\r\n"
    assert get("", Text.FIELDS, message=b"no blank: line") == b"\r\n"


@pytest.mark.parametrize(
    ("partial", "expected"),
    [(None, b"abcdef"), ((0, 3), b"abc"), ((4, 9), b"ef"), ((6, 1), b""), ((99, 1), b"")],
)
def test_partial(partial, expected):
    assert cut(b"abcdef", partial) == expected


@settings(max_examples=500, deadline=None)
@given(MESSAGES, st.lists(st.integers(0, 3), max_size=5), st.sampled_from(list(Text)))
def test_never_raises(message, numbers, text):
    root = parse(message)
    found = extract(message, root, numbers, text, [b"subject"])
    if found is not None and text in (Text.ALL, Text.HEADER, Text.TEXT, Text.MIME):
        assert found in message


@pytest.mark.parametrize("message", [NESTED, RFC9051])
def test_every_part_has_a_number(message):
    root = parse(message)
    reached = {id(root)}
    pending: list[list[int]] = [[]]
    while pending:
        numbers = pending.pop()
        part = find_part(root, numbers)
        if part is not None and len(numbers) < 6:
            reached.add(id(part))
            reached.update(id(child) for child in part.parts if part.is_message)
            pending += [[*numbers, n] for n in (1, 2, 3, 4)]
    assert {id(part) for part in every(root)} <= reached
