"""RFC 2971: ID."""

from tests.support.imap_server import ImapServer


def test_id_before_and_after_login(imap: ImapServer) -> None:
    imap.dialog().play(
        """
        S: * OK
        C: a ID NIL
        S: * ID ("name" "mailnode"
        S: a OK
        C: b LOGIN user1 secret
        S: b OK
        C: c ID ("name" "test" "version" NIL)
        S: * ID (
        S: c OK
        C: d ID ("name")
        S: d BAD
        """
    )
