"""RFC 3501 2.3, 2.4 and 7.4.2: what FETCH tells of messages of every shape, on the real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dialog import Client
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server


@pytest.fixture
def real(tmp_path: Path) -> Iterator[ImapServer]:
    with imap_server(make_store=maildir_store(tmp_path)) as server:
        yield server


def shown(real: ImapServer, item: str, *texts: str) -> list[str]:
    """The values of one FETCH item for messages of these texts (line ends LF)."""
    real.deliver(*(text.replace("\n", "\r\n").encode() for text in texts))
    dialog = real.play(f"C: a EXAMINE INBOX\n...\nS: a OK\nC: b FETCH 1:* {item}")
    found = []
    for number in range(1, len(texts) + 1):
        line = dialog.client().line()
        head = f"* {number} FETCH ({item} "
        assert line.startswith(head), line
        found.append(line.removeprefix(head)[:-1])
    dialog.play("S: b OK")
    return found


ANN = '((NIL NIL "ann" "a.test"))'


@pytest.mark.parametrize(
    ("header", "envelope"),
    [
        # Absent is NIL, empty is empty; Sender and Reply-To are From where there is none.
        ("X: y", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (
            "Date:\nSubject:\nFrom: ann@a.test\nSender:\nReply-To:\nTo:\nCc:\nBcc:\n"
            "In-Reply-To:\nMessage-ID:",
            f'("" "" {ANN} {ANN} {ANN} NIL NIL NIL "" "")',
        ),
        (
            'From: "A \\"q\\" B" <ann@a.test>\nSender: s@a.test\nReply-To: r@a.test',
            '(NIL NIL (("A \\"q\\" B" NIL "ann" "a.test")) ((NIL NIL "s" "a.test"))'
            ' ((NIL NIL "r" "a.test")) NIL NIL NIL NIL NIL)',
        ),
        # Groups: a name without a host begins one, nothing ends it; source routes.
        (
            'To: G: x@y.test, "z w"@v.test;\nCc: undisclosed:;\nBcc: <@r1.test,@r2.test:u@w.test>',
            '(NIL NIL NIL NIL NIL ((NIL NIL "G" NIL)(NIL NIL "x" "y.test")(NIL NIL "z w" "v.test")'
            '(NIL NIL NIL NIL)) ((NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL))'
            ' ((NIL "@r1.test,@r2.test" "u" "w.test")) NIL NIL)',
        ),
        (
            "Date: Tue, 24 Nov 2026 10:00:00 +0000 (x)\nSubject: a\n b\nIn-Reply-To: <1@a>\n"
            "Message-ID: <2@a>",
            '("Tue, 24 Nov 2026 10:00:00 +0000 (x)" "a b" NIL NIL NIL NIL NIL NIL "<1@a>" "<2@a>")',
        ),
    ],
)
def test_s2_3_5_envelope(real: ImapServer, header: str, envelope: str) -> None:
    assert shown(real, "ENVELOPE", f"{header}\n\nbody\n") == [envelope]


TEXT = '"text" "plain" ("charset" "us-ascii") NIL NIL "7bit"'
SHAPES = [
    # The example of 7.4.2, then what defaults to what (RFC 2045 5.2, 2046 5.1.5).
    ("Subject: a\n\nx\n", f"({TEXT} 3 1)", f"({TEXT} 3 1 NIL NIL NIL NIL)"),
    ("Subject: only a header\n", f"({TEXT} 0 0)", f"({TEXT} 0 0 NIL NIL NIL NIL)"),
    (
        "Content-Type: image/png\n\nzz",
        '("image" "png" NIL NIL NIL "7bit" 2)',
        '("image" "png" NIL NIL NIL "7bit" 2 NIL NIL NIL NIL)',
    ),
    (
        "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nt\n--b--\n",
        '(("message" "rfc822" NIL NIL NIL "7bit" 16 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
        f' ({TEXT} 1 0) 2) "digest")',
        '(("message" "rfc822" NIL NIL NIL "7bit" 16 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL)'
        f' ({TEXT} 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "digest" ("boundary" "b") NIL NIL NIL)',
    ),
    (
        "Content-Type: multipart/mixed; boundary=b\n\nnothing\n",
        f'(({TEXT} 0 0) "mixed")',
        f'(({TEXT} 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)',
    ),
    (
        "Content-Type: text/plain; charset=utf-8; format=flowed\nContent-ID: <c@d>\n"
        "Content-Description: desc\nContent-Transfer-Encoding: quoted-printable\n"
        'Content-MD5: abc\nContent-Disposition: attachment; filename="f g"\n'
        "Content-Language: en, de\nContent-Location: http://x/\n\na=20\n",
        '("text" "plain" ("charset" "utf-8" "format" "flowed") "<c@d>" "desc" "quoted-printable"'
        " 6 1)",
        '("text" "plain" ("charset" "utf-8" "format" "flowed") "<c@d>" "desc" "quoted-printable"'
        ' 6 1 "abc" ("attachment" ("filename" "f g")) ("en" "de") "http://x/")',
    ),
]


@pytest.mark.parametrize(("text", "body", "structure"), SHAPES)
def test_s7_4_2_body_structure(real: ImapServer, text: str, body: str, structure: str) -> None:
    assert shown(real, "BODYSTRUCTURE", text) == [structure]
    real.play(f"C: a EXAMINE INBOX\n...\nS: a OK\nC: b FETCH 1 BODY\nS: * 1 FETCH (BODY {body})")


def test_s2_4_header_and_text_are_the_whole_message(real: ImapServer) -> None:
    """Also of what has no body, no blank line, no header or nothing at all; RFC822.SIZE (2.3.4) is
    what BODY[] has."""
    texts = [shape[0] for shape in SHAPES] + ["no header at all", "Subject: s\n\n", "\nbody", ""]
    real.deliver(*(text.replace("\n", "\r\n").encode() for text in texts))
    dialog = real.play("C: a EXAMINE INBOX\n...\nS: a OK")
    for number, text in enumerate(texts, 1):
        whole = text.replace("\n", "\r\n")
        got = {
            item: _fetched(dialog.client(), number, item)
            for item in ("BODY[]", "BODY[HEADER]", "BODY[TEXT]", "RFC822", "RFC822.SIZE")
        }
        assert got["BODY[]"] == got["RFC822"] == got["BODY[HEADER]"] + got["BODY[TEXT]"] == whole
        assert int(got["RFC822.SIZE"]) == len(whole)


def _fetched(client: Client, number: int, item: str) -> str:
    client.send(f"c FETCH {number} {item}\r\n".encode())
    head, line = f"* {number} FETCH ({item} ", client.line()
    assert line.startswith(head), line
    assert client.line().startswith("c OK")
    value = line.removeprefix(head)[:-1]
    return value.partition("}\r\n")[2] if value.startswith("{") else value.strip('"')


def test_s6_4_5_parts_of_a_message_within(real: ImapServer) -> None:
    """6.4.5: part numbers go on within message/rfc822; what is not there is NIL."""
    inner = "Subject: inner\r\n\r\nline\r\n"
    real.deliver(f"Content-Type: message/rfc822\r\n\r\n{inner}".encode())
    dialog = real.play("C: a EXAMINE INBOX\n...\nS: a OK")
    client = dialog.client()
    for item, value in (
        ("BODY[1]", inner),
        ("BODY[1.HEADER]", "Subject: inner\r\n\r\n"),
        ("BODY[1.TEXT]", "line\r\n"),
        ("BODY[1.1]", "line\r\n"),
        ("BODY[1.MIME]", "Content-Type: message/rfc822\r\n\r\n"),
        ("BODY[HEADER]", "Content-Type: message/rfc822\r\n\r\n"),
        ("BODY[HEADER.FIELDS (X SUBJECT)]", "\r\n"),
        ("BODY[1.HEADER.FIELDS (SUBJECT)]", "Subject: inner\r\n\r\n"),
        ("BODY[1.HEADER.FIELDS.NOT (SUBJECT)]", "\r\n"),
        ("BODY[2]", "NIL"),
        ("BODY[1.2]", "NIL"),
        ("BODY[1.1.1]", "NIL"),
    ):
        assert _fetched(client, 1, item) == value, item


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('" 1-Jan-1970 00:00:00 -0000"', " 1-Jan-1970 00:00:00"),
        ('" 1-Jan-1970 00:00:00 +0001"', "31-Dec-1969 23:59:00"),
        ('"31-Dec-1969 23:59:59 +0000"', "31-Dec-1969 23:59:59"),
        ('"13-Dec-1901 20:45:51 +0000"', "13-Dec-1901 20:45:51"),
        ('"01-Jan-0001 00:00:00 +0000"', " 1-Jan-0001 00:00:00"),
        ('"19-Jan-2038 03:14:08 +0000"', "19-Jan-2038 03:14:08"),
        ('"07-Feb-2106 06:28:16 +0000"', " 7-Feb-2106 06:28:16"),
        ('" 1-Jan-3000 00:00:00 -0330"', " 1-Jan-3000 03:30:00"),
        ('"31-Dec-9999 23:59:59 +0000"', "31-Dec-9999 23:59:59"),
        ('"01-Jan-2000 00:59:60 +1400"', "31-Dec-1999 10:59:59"),
    ],
)
def test_s2_3_3_instants_are_exact(tmp_path: Path, given: str, told: str) -> None:
    """To the second, at once, in a copy, and for a node that reads what this one has written."""
    line = f'INTERNALDATE "{told} +0000")'
    with imap_server(make_store=maildir_store(tmp_path)) as server:
        server.play(
            f"""
            C: a APPEND INBOX {given} {{3+}}
            C: a:b
            S: a OK
            C: b SELECT INBOX
            ...
            S: b OK
            C: c FETCH 1 INTERNALDATE
            S: * 1 FETCH ({line}
            S: c OK
            C: d COPY 1 Sent
            S: d OK
            """
        )
    with imap_server(make_store=maildir_store(tmp_path, node="2")) as server:
        for folder in ("INBOX", "Sent"):
            server.play(
                f"C: a EXAMINE {folder}\n...\nS: a OK\nC: b FETCH 1 INTERNALDATE\n"
                f"S: * 1 FETCH ({line}\nS: b OK"
            )


@pytest.mark.parametrize("at", ["31-Dec-9999 23:59:59 -0001", "01-Jan-0001 00:00:00 +0001"])
def test_s2_3_3_an_instant_beyond_the_years_is_refused(real: ImapServer, at: str) -> None:
    """In UTC it would be of the year 10000, or 0, which a date-time cannot say."""
    real.play(f'C: a APPEND INBOX "{at}" {{3+}}\nC: a:b\nS: a BAD')
