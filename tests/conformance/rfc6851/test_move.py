"""RFC 6851: MOVE."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_move(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2), message(3))
    imap.play(
        SELECT
        + r"""
        C: a MOVE 1,3 Trash
        S~ \* OK \[COPYUID \d+ 1,3 1:2\] .*
        S: * 3 EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: a OK
        C: b UID MOVE 2 Nowhere
        S: b NO [TRYCREATE]
        C: c UID MOVE 2 Archive
        S~ \* OK \[COPYUID \d+ 2 1\] .*
        S: * 1 EXPUNGE
        ...
        S: c OK
        C: d STATUS Trash (MESSAGES)
        S: * STATUS "Trash" (MESSAGES 2)
        S: d OK
        """
    )


def test_not_from_a_folder_opened_for_reading(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play("C: a EXAMINE INBOX\n...\nS: a OK\nC: b MOVE 1 Trash\nS: b NO [CANNOT]")


def test_what_others_expunged_cannot_be_moved(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b MOVE 1 Trash
        ...2:
        S2: b OK
        C: a MOVE 1 Trash
        S: a NO [EXPUNGEISSUED]
        """
    )
