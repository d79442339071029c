"""RFC 3516: BINARY."""

from base64 import b64encode

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import ImapServer, imap_server

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
MIXED = (
    b'Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"caf=C3=A9\r\n--b\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAEC/w==\r\n--b\r\nContent-Type: a/b\r\n"
    b"Content-Transfer-Encoding: x-zip\r\n\r\n???\r\n--b--\r\n"
)
BINARY = (
    b"Subject: zero\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
)


def test_s4_2_parts_are_decoded(imap: ImapServer) -> None:
    imap.deliver(MIXED)
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.SIZE[2])
        S: * 1 FETCH (BINARY.SIZE[1] 5 BINARY[1] {5}
        S: a OK
        C: b FETCH 1 BINARY.PEEK[2]<1.2>
        S~ \* 1 FETCH \(BINARY\[2\]<1> \{2\}\r\n\x01\x02\)
        S: b OK
        C: c FETCH 1 (FLAGS BINARY.PEEK[9] BINARY.SIZE[9])
        S: * 1 FETCH (FLAGS (\Recent) BINARY[9] NIL BINARY.SIZE[9] 0)
        S: c OK
        C: d UID FETCH 1 BINARY[2]
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Seen \\Recent\) BINARY\[2\] ~\{4\}\r\n\x00\x01\x02.*\)
        S: d OK
        """
    )


def test_s4_3_unknown_encoding_fails_the_command(imap: ImapServer) -> None:
    imap.deliver(b"Subject: plain\r\n\r\nHello\r\n", MIXED)
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1:2 BINARY.SIZE[3]
        S: * 1 FETCH (BINARY.SIZE[3] 0)
        S: a NO [UNKNOWN-CTE]
        C: b FETCH 2 BINARY[3]
        S: b NO [UNKNOWN-CTE]
        C: c FETCH 2 (FLAGS BODY.PEEK[3])
        S: * 2 FETCH (FLAGS (\Recent) BODY[3] {3}
        S: c OK
        """
    )


def test_s4_3_an_encoding_inside_a_whole_message_does_not_matter(imap: ImapServer) -> None:
    imap.deliver(MIXED)
    imap.play(
        SELECT
        + f"""
        C: a FETCH 1 (BINARY.SIZE[] BINARY.PEEK[])
        S: * 1 FETCH (BINARY.SIZE[] {len(MIXED)} BINARY[] {{{len(MIXED)}}}
        S: a OK
        """
    )


def test_s6_lines_of_text_end_in_crlf(imap: ImapServer) -> None:
    head = b"Content-Type: %b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    lines, wide = b64encode(b"one\ntwo\r\nend\n"), b64encode("a\n".encode("utf-16-le"))
    imap.deliver(
        head % b"text/plain" + lines,
        head % b"application/x-lines" + lines,
        head % b"text/plain; charset=utf-16le" + wide,
    )
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1:3 (BINARY.SIZE[1] BINARY.PEEK[1])
        S~ \* 1 FETCH \(BINARY.SIZE\[1\] 15 BINARY\[1\] \{15\}\r\none\r\ntwo\r\nend\r\n\)
        S~ \* 2 FETCH \(BINARY.SIZE\[1\] 13 BINARY\[1\] \{13\}\r\none\ntwo\r\nend\n\)
        S~ \* 3 FETCH \(BINARY.SIZE\[1\] 4 BINARY\[1\] ~\{4\}\r\na\0\n\0\)
        S: a OK
        C: b FETCH 1 BINARY.PEEK[1]<4.4>
        S~ \* 1 FETCH \(BINARY\[1\]<4> \{4\}\r\n\ntwo\)
        S: b OK
        """
    )


@pytest.mark.parametrize("body", [b"a\0b", b"lone\nlf and\rcr \xff\xfe", b"", b"x" * 100])
def test_s4_4_append_keeps_binary_octets_exactly(imap: ImapServer, body: bytes) -> None:
    dialog = imap.play(SELECT)
    dialog.client().send(b"a APPEND INBOX ~{%d+}\r\n%b\r\n" % (len(BINARY + body), BINARY + body))
    dialog.play(
        f"""
        S: * 1 EXISTS
        ...
        S: a OK [APPENDUID
        C: b FETCH 1 (BINARY.SIZE[1] BODY.PEEK[HEADER.FIELDS (Content-Transfer-Encoding)])
        S~ .*BINARY.SIZE\\[1\\] {len(body)} BODY.*Content-Transfer-Encoding: base64
        S: b OK
        C: c FETCH 1 BINARY.PEEK[1]
        """
    )
    mark = b"~" if b"\0" in body else b""
    expected = b"* 1 FETCH (BINARY[1] %b{%d}\r\n%b)" % (mark, len(body), body)
    assert dialog.client().line() == expected.decode("utf-8", "replace")


def test_s4_4_binary_in_a_part(imap: ImapServer) -> None:
    message = MIXED.replace(b"base64\r\n\r\nAAEC/w==", b"binary\r\n\r\n\0\r\n--not\0")
    dialog = imap.play(SELECT)
    dialog.client().send(b"a APPEND INBOX ~{%d}\r\n" % len(message))
    dialog.play("S: +")
    dialog.client().send(message + b"\r\n")
    dialog.play(
        r"""
        ...
        S: a OK
        C: b FETCH 1 BINARY.PEEK[2]
        S~ \* 1 FETCH \(BINARY\[2\] ~\{9\}\r\n\x00\r\n--not\x00\)
        S: b OK
        C: c FETCH 1 BINARY.PEEK[1]
        S: * 1 FETCH (BINARY[1] {5}
        S: c OK
        """
    )


def test_s4_4_nul_outside_binary_parts_is_refused(imap: ImapServer) -> None:
    imap.play(
        r"""
        C+ a APPEND INBOX ~{19+}\r\nSubject: x\r\n\r\na\x00b\r\n\r\n
        S: a NO [UNKNOWN-CTE]
        C: b STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 0)
        S: b OK
        """
    )


def test_s4_4_a_large_binary_message_through_a_file() -> None:
    body = bytes(range(256)) * 40
    small = ImapSettings(plaintext_login=True, spool_bytes=1024)
    with imap_server(small) as server:
        dialog = server.play(SELECT)
        message = BINARY + body
        dialog.client().send(b"a APPEND INBOX ~{%d+}\r\n%b\r\n" % (len(message), message))
        dialog.play("...\nS: a OK\nC: b FETCH 1 BINARY.PEEK[1]")
        line = dialog.client().line()
        assert (
            line
            == f"* 1 FETCH (BINARY[1] ~{{{len(body)}}}\r\n" + body.decode("utf-8", "replace") + ")"
        )


def test_s4_1_capability(imap: ImapServer) -> None:
    imap.play("C: a CAPABILITY\nS~ .* BINARY( |$)\nS: a OK")
