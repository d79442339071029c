"""RFC 4731: ESEARCH."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_return_options(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (MIN MAX COUNT) 2:4
        S: * ESEARCH (TAG "a") MIN 2 MAX 4 COUNT 3
        S: a OK
        C: b UID SEARCH RETURN () OR 1:2 5
        S: * ESEARCH (TAG "b") UID ALL 1:2,5
        S: b OK
        C: c SEARCH RETURN (MIN COUNT ALL) DELETED
        S: * ESEARCH (TAG "c") COUNT 0
        S: c OK
        C: d SEARCH RETURN (NONSENSE) ALL
        S: d BAD
        """
    )
