"""RFC 8474: OBJECTID."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def test_mailbox_id_is_the_same_everywhere_and_survives_a_rename(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Work
        S~ a OK \[MAILBOXID \((?P<id>[A-Za-z0-9_-]+)\)\] .*
        C: b STATUS Work (MAILBOXID)
        S: * STATUS "Work" (MAILBOXID ($id))
        S: b OK
        C: c RENAME Work Job
        S: c OK
        C: d SELECT Job
        ...
        S: * OK [MAILBOXID ($id)]
        S: * OK [URLMECH INTERNAL]
        S: d OK
        """
    )


def test_email_id_follows_a_copy(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1 (EMAILID THREADID)
        S~ \* 1 FETCH \(EMAILID \((?P<id>[A-Za-z0-9_-]+)\) THREADID (NIL|\([A-Za-z0-9_-]+\))\)
        S: a OK
        C: b COPY 1 Trash
        S: b OK
        C: c SEARCH EMAILID $id
        S: * SEARCH 1
        S: c OK
        C: d SELECT Trash
        ...
        S: d OK
        C: e FETCH 1 EMAILID
        S: * 1 FETCH (EMAILID ($id))
        S: e OK
        """
    )
