"""RFC 5032: WITHIN."""

from tests.support.imap_server import ImapServer, message


def test_older_and_younger(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        """
        C: s SELECT INBOX
        ...
        S: s OK
        C: a APPEND INBOX {3+}
        C: abc
        ...
        S: a OK
        C: b SEARCH OLDER 3600
        S: * SEARCH 1
        S: b OK
        C: c SEARCH YOUNGER 3600
        S: * SEARCH 2
        S: c OK
        C: d SEARCH YOUNGER 0
        S: d BAD
        """
    )
