"""RFC 6855 7, 8 and RFC 6858: what clients see that did not enable UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.header import Header
from pathlib import Path

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.dialog import Dialog
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
UTF8 = "C: u ENABLE UTF8=ACCEPT\nS: * ENABLED UTF8=ACCEPT\nS: u OK\n"
PLAIN = b"From: ann@example.test\r\nSubject: plain\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
MODERN = (
    "From: Bjørn <bjørn@bücher.example>\r\nTo: ann@example.test\r\n"
    "Subject: Grüße aus Köln\r\nX-Note: naïve\r\n"
    'Content-Type: multipart/mixed; boundary="b"; name="ü"\r\n\r\n'
    '--b\r\nContent-Type: text/plain; name="Übersicht.txt"\r\n\r\nHallo Ärger\r\n'
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: für alle\r\n\r\nx\r\n--b--\r\n"
).encode()
# As old programs and much spam have it: no UTF-8, no address that is one.
SPAM = b"From: \xe4\xf6 <x@example.test>\r\nSubject: Gewinn \xfc\r\nX-\xff: y\r\n\r\n\xfcber\r\n"


STRICT = ImapSettings(plaintext_login=True, downgrade_headers=True)


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with imap_server(STRICT) as server:
        yield server


@pytest.fixture
def real(tmp_path: Path) -> Iterator[ImapServer]:
    """On the real store, which makes ENVELOPE and BODYSTRUCTURE."""
    with imap_server(STRICT, make_store=maildir_store(tmp_path)) as server:
        yield server


def fetched(dialog: Dialog, what: str, number: int = 1) -> bytes:
    """What FETCH answers of one message, between the parentheses; it must be ended by OK."""
    client = dialog.client()
    client.send(b"f FETCH %d (%b)\r\n" % (number, what.encode()))
    line = client.raw_line()
    assert client.line().startswith("f OK")
    found = re.match(rb"\* \d+ FETCH \((.*)\)\Z", line, re.DOTALL)
    assert found, line
    return found[1]


def literal(answer: bytes) -> bytes:
    """The literal that ends an answer of one item."""
    found = re.search(rb" \{(\d+)\}\r\n", answer)
    assert found
    text = answer[found.end() :]
    assert len(text) == int(found[1])
    return text


def word(text: str) -> bytes:
    """RFC 2047."""
    return b'"' + Header(text, "utf-8").encode().encode() + b'"'


@pytest.mark.parametrize("mail", [MODERN, SPAM, MODERN + b"x" * 400_000], ids=["m", "s", "large"])
def test_s8_all_items_are_of_one_message_with_an_ascii_header(
    imap: ImapServer, mail: bytes
) -> None:
    imap.deliver(mail)
    dialog = imap.play(SELECT)
    whole = literal(fetched(dialog, "BODY.PEEK[]"))
    head, blank, body = whole.partition(b"\r\n\r\n")
    assert (head + blank).isascii()
    assert body == mail.partition(b"\r\n\r\n")[2]
    assert fetched(dialog, "RFC822.SIZE") == b"RFC822.SIZE %d" % len(whole)
    both = fetched(dialog, "RFC822.SIZE BODY.PEEK[]")
    assert both.startswith(b"RFC822.SIZE %d " % len(whole))
    assert both.endswith(whole)
    assert literal(fetched(dialog, "BODY.PEEK[HEADER]")) == head + blank
    assert literal(fetched(dialog, "RFC822.HEADER")) == head + blank
    assert literal(fetched(dialog, "BODY.PEEK[TEXT]")) == body
    assert literal(fetched(dialog, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")).isascii()
    assert literal(fetched(dialog, "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]")).isascii()
    assert literal(fetched(dialog, "BINARY.PEEK[]")) == whole
    pieces = [
        literal(fetched(dialog, f"BODY.PEEK[]<{at}.{size}>"))
        for at, size in ((0, 10), (10, 90), (100, len(whole)), (len(whole), 5))
    ]
    assert b"".join(pieces) == whole
    assert literal(fetched(dialog, "RFC822")) == whole


def test_s8_utf8_clients_see_what_is_kept(imap: ImapServer) -> None:
    imap.deliver(MODERN, SPAM)
    dialog = imap.play(UTF8 + SELECT)
    for number, mail in enumerate((MODERN, SPAM), 1):
        assert literal(fetched(dialog, "BODY.PEEK[]", number)) == mail
        assert fetched(dialog, "RFC822.SIZE", number) == b"RFC822.SIZE %d" % len(mail)
    old = imap.play(SELECT)
    assert literal(fetched(old, "BODY.PEEK[]")) != MODERN
    # Neither client is answered what was kept for the other.
    assert literal(fetched(dialog, "BODY.PEEK[HEADER]")) == MODERN.partition(b"\r\n\r\n")[0] + (
        b"\r\n\r\n"
    )
    assert literal(fetched(old, "BODY.PEEK[HEADER]")).isascii()


def test_s8_envelope_and_structure_are_ascii(real: ImapServer) -> None:
    real.deliver(MODERN)
    dialog = real.play(SELECT)
    envelope = fetched(dialog, "ENVELOPE")
    assert envelope.isascii()
    assert word("Grüße aus Köln") in envelope
    # RFC 6858 2.1: who could not be answered anyway.
    assert b'"invalid" "internationalized-address.invalid"' in envelope
    for item in ("BODYSTRUCTURE", "BODY"):
        structure = fetched(dialog, item)
        assert structure.isascii()
        assert b'"name*" "utf-8\'\'%C3%9Cbersicht.txt"' in structure
        assert word("für alle") in structure  # of the message inside
    # What the structure says of a part's size is what comes, octet by octet as it is kept.
    size = re.search(rb'"7bit" (\d+) ', fetched(dialog, "BODYSTRUCTURE"))
    assert size
    assert len(literal(fetched(dialog, "BODY.PEEK[1]"))) == int(size[1])
    assert literal(fetched(dialog, "BODY.PEEK[1]")) == "Hallo Ärger".encode()


def test_s8_spam_in_another_charset_keeps_its_sender(real: ImapServer) -> None:
    real.deliver(SPAM)
    envelope = fetched(real.play(SELECT), "ENVELOPE")
    assert envelope.isascii()
    assert b'"x" "example.test"' in envelope


def test_rfc6858_s3_downgraded_messages_are_named(imap: ImapServer) -> None:
    imap.deliver(PLAIN, MODERN, SPAM, PLAIN)
    imap.play(
        SELECT
        + """
        C: a UID FETCH 1:* (BODY.PEEK[HEADER])
        ...
        S: a OK [DOWNGRADED 2:3]
        C: b UID FETCH 1:* (BODY.PEEK[HEADER])
        ...
        S: b OK [DOWNGRADED 2:3]
        C: c FETCH 1,3:4 (UID BODY.PEEK[])
        ...
        S: c OK [DOWNGRADED 3]
        C: d FETCH 1:* (UID FLAGS)
        ...
        S~ d OK (?!.*DOWNGRADED)
        C: e FETCH 1,4 (UID BODY.PEEK[] BODY.PEEK[HEADER])
        ...
        S~ e OK (?!.*DOWNGRADED)
        """
    )


def test_s8_what_is_ascii_is_not_touched(imap: ImapServer) -> None:
    imap.deliver(PLAIN)
    dialog = imap.play(SELECT)
    assert literal(fetched(dialog, "BODY.PEEK[]")) == PLAIN
    assert fetched(dialog, "RFC822.SIZE") == b"RFC822.SIZE %d" % len(PLAIN)


def test_messages_are_shown_as_they_came_by_default(tmp_path: Path) -> None:
    with imap_server(make_store=maildir_store(tmp_path)) as server:
        server.deliver(MODERN)
        dialog = server.play(SELECT)
        assert literal(fetched(dialog, "BODY.PEEK[]")) == MODERN
        assert fetched(dialog, "RFC822.SIZE") == b"RFC822.SIZE %d" % len(MODERN)
        assert "Grüße".encode() in fetched(dialog, "ENVELOPE")


def test_rfc9755_s6_message_global(real: ImapServer) -> None:
    # RFC 3501 9 knows no message in it; its grammar ends with the size there.
    real.deliver(b"Content-Type: message/global\r\n\r\nSubject: \xc3\xbc\r\n\r\nx\r\n")
    old = real.play(SELECT)
    assert fetched(old, "BODY") == b'BODY ("message" "global" NIL NIL NIL "7bit" 18)'
    assert literal(fetched(old, "BODY.PEEK[1]")) == b"Subject: \xc3\xbc\r\n\r\nx\r\n"
    for enable in (UTF8, "C: u ENABLE IMAP4rev2\nS: * ENABLED\nS: u OK\n"):
        structure = fetched(real.play(enable + SELECT), "BODY")
        assert structure.startswith(b'BODY ("message" "global" NIL NIL NIL "7bit" 18 (NIL {2}')
