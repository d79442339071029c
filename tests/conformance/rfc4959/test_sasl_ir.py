"""RFC 4959: SASL-IR."""

import base64

from tests.support.imap_server import ImapServer

PLAIN = base64.b64encode(b"\0user1\0secret").decode()


def test_initial_response(imap: ImapServer) -> None:
    imap.dialog().play(f"S: * OK\nC: a AUTHENTICATE PLAIN {PLAIN}\nS: a OK")


def test_empty_initial_response(imap: ImapServer) -> None:
    imap.dialog().play("S: * OK\nC: a AUTHENTICATE PLAIN =\nS: a BAD")


def test_initial_user_name_for_login(imap: ImapServer) -> None:
    user, password = (base64.b64encode(word).decode() for word in (b"user1", b"secret"))
    imap.dialog().play(
        f"S: * OK\nC: a AUTHENTICATE LOGIN {user}\nS: + UGFzc\nC: {password}\nS: a OK"
    )
