"""RFC 8514: SAVEDATE."""

from tests.support.imap_server import ImapServer, message


def test_savedate(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a FETCH 1 SAVEDATE
        S~ \* 1 FETCH \(SAVEDATE "[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d \+0000"\)
        S: a OK
        C: b SEARCH SAVEDSINCE 1-Jan-2000
        S: * SEARCH 1
        S: b OK
        C: c SEARCH SAVEDBEFORE 1-Jan-2000
        S: * SEARCH
        S: c OK
        """
    )
