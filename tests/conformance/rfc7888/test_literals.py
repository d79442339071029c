"""RFC 7888: LITERAL+."""

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import ImapServer, imap_server

SMALL = ImapSettings(plaintext_login=True, max_append_bytes=100000, spool_bytes=1024)


def test_no_continuation_for_them(imap: ImapServer) -> None:
    imap.dialog().play("S: * OK\nC+ a LOGIN {5+}\\r\\nuser1 {6+}\\r\\nsecret\\r\\n\nS: a OK")


def test_too_large_ones_are_read_and_dropped() -> None:
    with imap_server(SMALL) as server:
        dialog = server.play("C: a NOOP\nS: a OK")
        dialog.client().send(b"b APPEND INBOX {150000+}\r\n" + b"x" * 150000 + b"\r\n")
        dialog.play("S: b NO [TOOBIG]\nC: c NOOP\nS: c OK")


def test_message_through_a_file() -> None:
    body = b"Subject: large\r\n\r\n" + b"line\r\n" * 5000
    with imap_server(SMALL) as server:
        dialog = server.play("C: a SELECT INBOX\n...\nS: a OK")
        dialog.client().send(b"b APPEND INBOX {%d}\r\n" % len(body))
        dialog.play("S: +")
        dialog.client().send(body + b"\r\n")
        dialog.play("S: * 1 EXISTS\n...\nS: b OK [APPENDUID\nC: c FETCH 1 RFC822.SIZE")
        dialog.play(f"S: * 1 FETCH (RFC822.SIZE {len(body)})\nS: c OK\nC: d FETCH 1 BODY.PEEK[]")
        assert dialog.client().line() == (
            f"* 1 FETCH (BODY[] {{{len(body)}}}\r\n" + body.decode() + ")"
        )


def test_stranger_gets_no_large_literal(imap: ImapServer) -> None:
    imap.dialog().play(
        "S: * OK\nC: a LOGIN {100000}\nS: a BAD\nC: b APPEND INBOX {50000}\nS: b BAD"
    )


def test_a_dropped_command_leaves_no_file_behind() -> None:
    with imap_server(SMALL) as server:
        dialog = server.play("C: a NOOP\nS: a OK")
        dialog.client().send(b"b APPEND INBOX {2000+}\r\n" + b"x" * 2000 + b" {999999}\r\n")
        dialog.play("S: b NO [TOOBIG]\nC: c NOOP\nS: c OK")
        (link,) = server.service._links
        assert not link._spooler.files
