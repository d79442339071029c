"""RFC 3691: UNSELECT."""

from tests.support.imap_server import ImapServer, message


def test_unselect_keeps_deleted_messages(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a UNSELECT
        S: a BAD
        C: b SELECT INBOX
        ...
        S: b OK
        C: c STORE 1 +FLAGS.SILENT (\Deleted)
        S: c OK
        C: d UNSELECT
        S: d OK
        C: e STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 1)
        S: e OK
        C: f FETCH 1 FLAGS
        S: f BAD
        """
    )
