"""RFC 9051 6: what a client of IMAP4rev2 gets from each command where RFC 3501 had it otherwise, or
had it as an extension."""

import pytest

from tests.support.imap_server import ImapServer, message

REV2 = "C: z ENABLE IMAP4rev2\nS: * ENABLED IMAP4rev2\nS: z OK\n"


@pytest.fixture
def three(imap: ImapServer) -> ImapServer:
    imap.deliver(message(1), message(2), message(3))
    return imap


def test_s6_3_10_namespace(imap: ImapServer) -> None:
    imap.play(
        REV2
        + """
        C: a NAMESPACE
        S: * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Public/" "/"))
        S: a OK
        """
    )


def test_s6_3_3_examine(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a EXAMINE INBOX
        ...
        S: * OK [PERMANENTFLAGS ()]
        ...
        S~ \* LIST \(\\HasNoChildren.*\) "/" "INBOX"
        S: a OK [READ-ONLY]
        C: b STORE 1 +FLAGS (\Seen)
        S: b NO
        C: c FETCH 1 (FLAGS BODY[TEXT])
        S~ \* 1 FETCH \((FLAGS \(\) )?BODY\[TEXT\] \{7\}\r\nHello\r\n( FLAGS \(\))?\)
        S: c OK
        C: d UNSELECT
        S: d OK
        C: e FETCH 1 FLAGS
        S: e BAD
        """
    )


def test_s6_3_11_status(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STORE 2 +FLAGS.SILENT (\Deleted)
        S: b OK
        C: c STATUS INBOX (MESSAGES UNSEEN DELETED SIZE)
        S: * STATUS "INBOX" (MESSAGES 3 UNSEEN 3 DELETED 1 SIZE 453)
        S: c OK
        C: d STATUS Nowhere (MESSAGES)
        S: d NO [NONEXISTENT]
        """
    )


def test_s6_3_12_append(imap: ImapServer) -> None:
    imap.play(
        REV2
        + r"""
        C: a APPEND Nowhere {3+}
        C: a:b
        S: a NO [TRYCREATE]
        C+ b APPEND INBOX ($Forwarded \\Seen) " 1-Jan-2026 00:00:00 +0100" ~{5}\r\n
        S: +
        C: a:b
        C+ \r\n
        S~ b OK \[APPENDUID \d+ 1\]
        C: c SELECT INBOX
        ...
        S: c OK
        C: d FETCH 1 (FLAGS INTERNALDATE)
        S: * 1 FETCH (FLAGS (\Seen $Forwarded) INTERNALDATE "31-Dec-2025 23:00:00 +0000")
        S: d OK
        """
    )


def test_s6_3_13_idle(imap: ImapServer) -> None:
    imap.play(REV2 + "C: a SELECT INBOX\n...\nS: a OK\nC: b IDLE\nS: +")
    dialog = imap._dialogs[-1]
    imap.deliver(message(1))
    dialog.play("S: * 1 EXISTS\nNOTHING:\nC: DONE\nS: b OK")


def test_s6_3_9_list(imap: ImapServer) -> None:
    imap.play(
        REV2
        + r"""
        C: a CREATE a/b
        S: a OK
        C: b SUBSCRIBE a/b
        S: b OK
        C: c LIST "" ("a/%" "Sen*") RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES))
        S~ \* LIST \(\\HasNoChildren.*\\Sent\) "/" "Sent"
        S: * STATUS "Sent" (MESSAGES 0)
        S: * LIST (\HasNoChildren \Subscribed) "/" "a/b"
        S: * STATUS "a/b" (MESSAGES 0)
        S: c OK
        C: d DELETE a/b
        S: d OK
        C: e LIST (SUBSCRIBED) "" a*
        S~ \* LIST \((?=.*\\NonExistent).*\\Subscribed\) "/" "a/b"
        S: e OK
        C: f UNSUBSCRIBE a/b
        S: f OK
        C: g LIST (SUBSCRIBED) "" a*
        S: g OK
        """
    )


def test_s6_3_6_rename_of_inbox_leaves_it_empty(three: ImapServer) -> None:
    three.play(
        REV2
        + """
        C: a RENAME INBOX old
        S: a OK
        C: b STATUS old (MESSAGES)
        S: * STATUS "old" (MESSAGES 3)
        S: b OK
        C: c STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 0)
        S: c OK
        C: d RENAME old INBOX
        S: d NO
        C: e DELETE INBOX
        S: e NO
        C: f CREATE INBOX
        S: f NO
        """
    )


def test_s6_4_4_search_with_return_and_save(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b SEARCH RETURN (MIN MAX COUNT) SUBJECT "number"
        S: * ESEARCH (TAG "b") MIN 1 MAX 3 COUNT 3
        S: b OK
        C: c UID SEARCH KEYWORD nobody-has-it
        S~ \* ESEARCH \(TAG "c"\) UID$
        S: c OK
        C: d SEARCH RETURN (SAVE) 2:3
        S: d OK
        C: e FETCH $ UID
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: e OK
        # UTF-8 without a word about it (6.4.4).
        C: f SEARCH RETURN (COUNT) NOT SUBJECT "ä"
        S: * ESEARCH (TAG "f") COUNT 3
        S: f OK
        C: g SEARCH CHARSET x-unknown ALL
        S: g NO [BADCHARSET
        """
    )


def test_s6_4_8_move_names_the_copies_first(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b COPY 1 Sent
        S~ b OK \[COPYUID \d+ 1 1\]
        C: c MOVE 2 Sent
        S~ \* OK \[COPYUID \d+ 2 2\]
        S: * 2 EXPUNGE
        S: c OK
        C: d UID MOVE 99 Sent
        S: d OK
        C: e COPY 1 Nowhere
        S: e NO [TRYCREATE]
        C: f UID EXPUNGE 1
        S: f OK
        C: g STORE 2 +FLAGS.SILENT (\Deleted)
        S: g OK
        C: h UID EXPUNGE 3
        S: * 2 EXPUNGE
        S: h OK
        """
    )


def test_s6_4_6_store_of_keywords_that_everybody_knows(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STORE 1 +FLAGS ($Forwarded $MDNSent $Junk $NotJunk $Phishing)
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $Junk $MDNSent $NotJunk $Phi
        ...
        S: * 1 FETCH (UID 1 FLAGS ($Forwarded $Junk $MDNSent $NotJunk $Phishing
        S: b OK
        C: c SEARCH KEYWORD $forwarded
        S: * ESEARCH (TAG "c") ALL 1
        S: c OK
        """
    )


def test_s7_1_closed_stands_between_two_mailboxes(three: ImapServer) -> None:
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b SELECT Sent
        S: * OK [CLOSED]
        ...
        S~ \* LIST \(.*\\Sent\) "/" "Sent"
        S: b OK
        C: c SELECT Nowhere
        S: * OK [CLOSED]
        S: c NO [NONEXISTENT]
        C: d FETCH 1 FLAGS
        S: d BAD
        """
    )


def test_appendix_e_what_rev2_left_out_works_on(three: ImapServer) -> None:
    """LSUB, CHECK, RFC822 and the like are no part of IMAP4rev2; nobody is hindered."""
    three.play(
        REV2
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b CHECK
        S: b OK
        C: c LSUB "" Nowhere
        S: c OK
        C: d FETCH 1 (RFC822.HEADER)
        S: * 1 FETCH (RFC822.HEADER {144}
        S: d OK
        """
    )
