"""RFC 5161: ENABLE."""

from tests.support.imap_server import ImapServer


def test_only_what_we_know_is_enabled(imap: ImapServer) -> None:
    imap.play(
        """
        C: a ENABLE CONDSTORE X-NONSENSE
        S: * ENABLED CONDSTORE
        S: a OK
        C: b ENABLE X-NONSENSE
        S: * ENABLED
        S: b OK
        C: c ENABLE
        S: c BAD
        """
    )


def test_not_before_login(imap: ImapServer) -> None:
    imap.dialog().play("S: * OK\nC: a ENABLE CONDSTORE\nS: a BAD")
