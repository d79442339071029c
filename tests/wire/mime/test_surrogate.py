"""Messages as they are shown to clients that know only ASCII in headers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailnode.wire.mime.structure import parse, to_crlf
from mailnode.wire.mime.summary import summarise
from mailnode.wire.mime.surrogate import (
    has_ascii_header,
    is_plain_structure,
    make_growth,
    read_growth,
    shown_header,
    shown_message,
    shown_structure,
)

LINES = st.sampled_from(
    [
        *(
            b"Subject: \xc3\xbc",
            b"From: \xe4 <a@b>",
            b"X-\xff: 1",
            b" \xfc folded",
            b"no field \xff",
        ),
        *(
            b"",
            b"To: a@b",
            b"Content-Type: multipart/mixed; boundary=\xc3\xa9",
            b"--\xc3\xa9",
            b"\r",
        ),
        *(b"Content-Type: text/plain; name*0=\xfc; name*1=x", b"Bcc:", b"DKIM-Signature: \xff"),
    ]
)
MESSAGES = st.lists(LINES, max_size=12).flatmap(
    lambda lines: st.sampled_from([b"\r\n".join(lines), b"\r\n".join([*lines, b""])])
)


@given(MESSAGES | st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_everything_is_of_one_message(raw: bytes) -> None:
    message = to_crlf(raw)
    block = summarise(message)["headers"]
    shown = shown_message(message)
    assert shown == shown_header(block) + message[len(block) :]
    assert len(shown) == len(message) + read_growth(make_growth(block))
    assert shown_header(block).isascii()
    assert has_ascii_header(message) is block.isascii()
    if block.isascii():
        assert shown is message
        assert not make_growth(block)
    for text in shown_structure(shown):
        assert text.isascii()


@pytest.mark.parametrize("blank", [b"", b"\r\n", b"\r\n\r\nbody\r\n"])
def test_the_blank_line_stays(blank: bytes) -> None:
    shown = shown_message(b"Subject: \xc3\xbc" + blank)
    assert shown.startswith(b"Subject: =?utf-8?")
    assert shown.endswith(blank)


def test_the_structure_of_parts_has_their_names_as_rfc_2231_does() -> None:
    message = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b'--b\r\nContent-Type: text/plain; charset=us-ascii; name="\xc3\xbc.txt"\r\n'
        b"Content-Description: \xc3\xa4\r\nContent-ID: <\xff>\r\n"
        b'Content-Disposition: attachment; filename="\xfc.txt"\r\n\r\nx\r\n--b--\r\n'
    )
    extended, plain = shown_structure(message)
    assert b'("charset" "us-ascii" "name*" "utf-8\'\'%C3%BC.txt") NIL "=?utf-8?' in plain
    assert b'("attachment" ("filename*" "utf-8\'\'%C3%BC.txt"))' in extended
    assert [part.octets for part in parse(message).parts] == [1]


def test_parts_without_a_type_have_the_usual_one() -> None:
    _, plain = shown_structure(
        b"Content-Type: message/rfc822\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n"
    )
    assert b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1)' in plain


def test_message_global_is_no_message_to_old_clients() -> None:
    mail = b"Content-Type: message/global\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n"
    assert not is_plain_structure(summarise(mail)["body"])
    extended, plain = shown_structure(mail)
    assert plain == b'("message" "global" NIL NIL NIL "7bit" 18)'
    assert extended == b'("message" "global" NIL NIL NIL "7bit" 18 NIL NIL NIL NIL)'
