"""RFC 4469: CATENATE."""

from pathlib import Path

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
MIXED = (
    b'Subject: parts\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\none\r\n"
    b"--b\r\nContent-Type: a/b\r\n\r\ntwo\r\n--b--\r\n"
)


def test_s3_literals_and_parts(imap: ImapServer) -> None:
    imap.deliver(MIXED, folder="Drafts")
    dialog = imap.play(
        r"""
        C: v STATUS Drafts (UIDVALIDITY)
        S~ \* STATUS "Drafts" \(UIDVALIDITY (?P<v>\d+)\)
        S: v OK
        C+ a APPEND Drafts (\\Seen) CATENATE (URL "/Drafts;UIDVALIDITY=$v/;UID=1/;section=HEADER"
        C:  TEXT {7}
        S: +
        C+ --b\r\n\r\n URL "/Drafts;UIDVALIDITY=$v/;UID=1/;section=1"
        C:  TEXT {9+}
        C+ \r\n--b--\r\n)\r\n
        S~ a OK \[APPENDUID $v 2\]
        C: b SELECT Drafts
        ...
        S: b OK
        C: c FETCH 1:2 FLAGS
        S: * 1 FETCH (FLAGS (\Recent))
        S: * 2 FETCH (FLAGS (\Seen \Recent))
        S: c OK
        C: d FETCH 2 BODY.PEEK[]
        """
    )
    head = MIXED.partition(b"--b")[0].decode()
    body = head + "--b\r\n\r\none\r\n--b--\r\n"
    assert dialog.client().line() == f"* 2 FETCH (BODY[] {{{len(body)}}}\r\n{body})"


@pytest.mark.parametrize(
    ("url", "octets"),
    [
        ("/INBOX;UID=1/;section=1.MIME", b"Content-Type: text/plain\r\n\r\n"),
        ("/inbox/;UID=1/;SECTION=2", b"two"),
        ("INBOX;UID=1;section=HEADER.FIELDS%20(Subject)", b"Subject: parts\r\n\r\n"),
        (";UID=1/;section=2", b"two"),
        ("/;UID=1/;section=2/;PARTIAL=1.1", b"w"),
        ("/INBOX;UID=1/;section=2/;partial=1", b"wo"),
        ("/INBOX;UID=1", MIXED),
        ("/Entw%C3%BCrfe;UID=1", message(1)),
    ],
)
def test_s3_urls(imap: ImapServer, url: str, octets: bytes) -> None:
    imap.deliver(MIXED)
    dialog = imap.play('C: u CREATE "Entw&APw-rfe"\nS: u OK\n' + SELECT)
    imap.deliver(message(1), folder="Entwürfe")
    dialog.play(f'C: a APPEND Sent CATENATE (URL "{url}" TEXT {{1+}}\nC: !)\n...\nS: a OK')
    dialog.play("C: b SELECT Sent\n...\nS: b OK\nC: c FETCH 1 BODY.PEEK[]")
    whole = octets + b"!"
    expected = b"* 1 FETCH (BODY[] {%d}\r\n%b)" % (len(whole), whole)
    assert dialog.client().line() == expected.decode()


@pytest.mark.parametrize(
    "url",
    [
        "/INBOX;UID=9",
        "/INBOX;UID=1/;section=7",
        "/INBOX;UID=1/;section=nonsense",
        "/Nowhere;UID=1",
        "/INBOX;UIDVALIDITY=1/;UID=1",
        "/INBOX",
        "imap://other.example/INBOX;UID=1",
        "http://x/;UID=1",
        "/INBOX;UID=0",
        ";UID=1",
        "/%FF;UID=1",
        "/../other;UID=1",
        "/INBOX;UID=1/;section=]",
    ],
)
def test_s4_1_badurl(imap: ImapServer, url: str) -> None:
    imap.deliver(MIXED)
    shown = url.replace("]", "%5D")
    imap.play(
        f"""
        C: a APPEND Sent CATENATE (TEXT {{1+}}
        C: x URL "{url}")
        S: a NO [BADURL {shown}]
        C: b STATUS Sent (MESSAGES)
        S: * STATUS "Sent" (MESSAGES 0)
        S: b OK
        """
    )


def test_s4_2_toobig(tmp_path: Path) -> None:
    settings = ImapSettings(plaintext_login=True, max_append_bytes=2000, spool_bytes=1024)
    with imap_server(settings, maildir_store(tmp_path)) as server:
        server.deliver(b"Subject: x\r\n\r\n" + b"x" * 990)
        url = '"/INBOX;UID=1"'
        server.play(
            f"""
            C: a APPEND Sent CATENATE (URL {url} URL {url} URL {url})
            S: a NO [TOOBIG]
            C: b APPEND Sent CATENATE (TEXT {{1500+}}
            C: {"y" * 1500} TEXT {{600+}}
            C: {"y" * 600})
            S: b NO [TOOBIG]
            C: c APPEND Sent CATENATE (TEXT {{1100+}}
            C: {"y" * 1100} URL "/INBOX;UID=1;section=TEXT;partial=0.10")
            S: c OK
            C: d SELECT Sent
            ...
            S: d OK
            C: e FETCH 1 RFC822.SIZE
            S: * 1 FETCH (RFC822.SIZE 1110)
            """
        )


def test_s5_grammar(imap: ImapServer) -> None:
    imap.play(
        """
        C: a APPEND Sent CATENATE ()
        S: a BAD
        C: b APPEND Sent CATENATE (TEXT "x")
        S: b BAD
        C: c APPEND Sent CATENATE (URL)
        S: c BAD
        C: d APPEND Sent CATENATE (TEXT {0+}
        C: )
        S: d NO [CANNOT]
        """
    )


def test_with_replace_and_utf8_and_binary(imap: ImapServer) -> None:
    imap.deliver(MIXED)
    imap.play(
        SELECT
        + r"""
        C: e ENABLE UTF8=ACCEPT
        ...
        S: e OK
        C+ a UID REPLACE 1 INBOX CATENATE (UTF8 (~{15+}\r\nSubject: \xc3\xbc\r\n\r\n)
        C:  URL "/INBOX;UID=1/;section=1")
        S: * OK [APPENDUID
        ...
        S: a OK
        C: b FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT])
        S~ \* 1 FETCH \(RFC822.SIZE 18 BODY\[TEXT\] \{3\}\r\none\)
        """
    )
