"""RFC 4315: UIDPLUS."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_uid_expunge_removes_only_what_it_names(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2), message(3))
    imap.play(
        SELECT
        + r"""
        C: a STORE 1:3 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b UID EXPUNGE 2,99
        S: * 2 EXPUNGE
        ...
        S: b OK
        C: c UID SEARCH ALL
        S: * SEARCH 1 3
        S: c OK
        """
    )


def test_appenduid_is_the_uid_of_the_message(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C: a APPEND INBOX {3+}
        C: abc
        ...
        S~ a OK \[APPENDUID (?P<validity>\d+) 2\] .*
        C: b STATUS INBOX (UIDVALIDITY)
        S: * STATUS "INBOX" (UIDVALIDITY $validity)
        S: b OK
        """
    )


def test_copyuid_keeps_the_order(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2), message(3))
    imap.play(
        SELECT
        + r"""
        C: a UID COPY 3,1 Sent
        S~ a OK \[COPYUID \d+ 1,3 1:2\] .*
        """
    )
