"""RFC 3501 6.4: commands on messages; 7.4.1: when EXPUNGE may be told; RFC 2180."""

import pytest

from tests.support.imap_server import ImapServer, message


@pytest.fixture
def three(imap: ImapServer) -> ImapServer:
    """INBOX holds three messages."""
    imap.deliver(message(1), message(2), message(3))
    return imap


SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
BOTH = SELECT + "C2: s SELECT INBOX\n...2:\nS2: s OK\n"


def test_fetch_sets_seen_unless_peeking(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a FETCH 1 BODY.PEEK[TEXT]
        S~ \* 1 FETCH \(BODY\[TEXT\] \{7\}\r\nHello\r\n\)
        S: a OK
        C: b FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Recent))
        S: b OK
        C: c FETCH 1 BODY[TEXT]
        S~ \* 1 FETCH \(FLAGS \(\\Seen \\Recent\) BODY\[TEXT\] \{7\}\r\nHello\r\n\)
        S: c OK
        C: d NOOP
        S: d OK
        """
    )


def test_fetch_of_unknown_numbers(three: ImapServer) -> None:
    three.play(
        SELECT
        + """
        C: a FETCH 4 FLAGS
        S: a BAD
        C: b UID FETCH 4:9 FLAGS
        S~ \\* 3 FETCH \\(.*UID 3.*\\)
        S: b OK
        C: c UID FETCH 9 FLAGS
        S: c OK
        C: d FETCH 3:2 UID
        S: * 2 FETCH (UID 2)
        S: * 3 FETCH (UID 3)
        S: d OK
        """.replace("4:9", "4:*")
    )


def test_store_forms(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a STORE 1:2 +FLAGS (\Flagged)
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Flagged \\Recent\)\)
        S~ \* 2 FETCH \(UID 2 FLAGS \(\\Flagged \\Recent\)\)
        S: a OK
        C: b UID STORE 2 -FLAGS.SILENT (\Flagged)
        S: b OK
        C: c FETCH 1:2 FLAGS
        S: * 1 FETCH (FLAGS (\Flagged \Recent))
        S: * 2 FETCH (FLAGS (\Recent))
        S: c OK
        C: d STORE 1 FLAGS ($Work)
        # RFC 3501 7.2.6: the client hears of a keyword before it meets it.
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Work \*)]
        S: * 1 FETCH (UID 1 FLAGS (\Recent $Work))
        ...
        S: d OK
        """
    )


def test_silent_store_hides_nothing_that_others_did(three: ImapServer) -> None:
    """RFC 3501 6.4.6: .SILENT or not, what others changed is told, though our change came after."""
    three.play(
        BOTH
        + r"""
        C2: a STORE 1:2 +FLAGS.SILENT (\Seen)
        ...2:
        S2: a OK
        C: a STORE 1:3 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 FLAGS (\Seen \Draft \Recent))
        S: * 2 FETCH (UID 2 FLAGS (\Seen \Draft \Recent))
        S: a OK
        C2: b STORE 3 +FLAGS.SILENT ($Work)
        ...2:
        S2: b OK
        C: b UID STORE 3 -FLAGS.SILENT (\Draft)
        ...
        S: * 3 FETCH (UID 3 FLAGS (\Recent $Work))
        S: b OK
        C2: c STORE 1:2 -FLAGS.SILENT (\Seen)
        ...2:
        S2: c OK
        # Of what our own change made of it in any case there is nothing to say.
        C: c STORE 1 -FLAGS.SILENT (\Seen \Draft)
        S: * 2 FETCH (UID 2 FLAGS (\Draft \Recent))
        S: c OK
        C2: d STORE 2 +FLAGS.SILENT (\Flagged)
        ...2:
        S2: d OK
        C: d STORE 2 FLAGS.SILENT (\Answered $Work)
        S: d OK
        C: e NOOP
        S: e OK
        """
    )


def test_silent_store_tells_while_an_expunge_waits(three: ImapServer) -> None:
    """RFC 3501 7.4.1: FETCH tells newer flags than those from which news are told."""
    three.play(
        BOTH
        + r"""
        C2: a STORE 3 +FLAGS (\Deleted)
        ...2:
        S2: a OK
        C2: b EXPUNGE
        ...2:
        S2: b OK
        C2: c STORE 1 +FLAGS.SILENT (\Seen)
        S2: c OK
        C: a FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Seen \Recent))
        S: a OK
        C2: d STORE 1 -FLAGS.SILENT (\Seen)
        S2: d OK
        C: b STORE 1:2 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 FLAGS (\Draft \Recent))
        S: b OK
        C: c NOOP
        S: * 3 EXPUNGE
        ...
        S: c OK
        """
    )


def test_new_keywords_are_told(three: ImapServer) -> None:
    three.play(
        BOTH
        + r"""
        C: a STORE 1 +FLAGS.SILENT ($New)
        S~ \* FLAGS \(.*\$New\)
        S: * OK [PERMANENTFLAGS
        S: a OK
        C2: b NOOP
        S2~ \* FLAGS \(.*\$New\)
        S2: * OK [PERMANENTFLAGS
        S2: * 1 FETCH (UID 1 FLAGS
        S2: b OK
        """
    )


def test_expunge_numbers(three: ImapServer) -> None:
    three.play(
        BOTH
        + r"""
        C: a STORE 1,3 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b EXPUNGE
        S: * 3 EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: b OK
        C2: c NOOP
        S2: * 3 EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: c OK
        C2: d FETCH 1 UID
        S2: * 1 FETCH (UID 2)
        S2: d OK
        """
    )


def test_close_expunges_in_silence(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a STORE 2 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b CLOSE
        S: b OK
        C: c STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 2)
        S: c OK
        C: d FETCH 1 FLAGS
        S: d BAD
        """
    )


def test_no_expunge_during_fetch_store_search(three: ImapServer) -> None:
    three.play(
        BOTH
        + r"""
        C: a STORE 1 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: b OK
        C2: a FETCH 2:3 (UID)
        S2: * 2 FETCH (UID 2)
        S2: * 3 FETCH (UID 3)
        S2: a OK
        C2: b STORE 3 +FLAGS (\Flagged)
        S2~ \* 3 FETCH \(UID 3 FLAGS \(.*\\Flagged.*\)\)
        S2: b OK
        C2: c FETCH 3 FLAGS
        S2~ \* 3 FETCH \(FLAGS \(.*\\Flagged.*\)\)
        S2: c OK
        C2: d SEARCH FLAGGED
        S2: * SEARCH 3
        S2: d OK
        C2: e FETCH 1 (FLAGS BODY.PEEK[])
        S2: e NO [EXPUNGEISSUED]
        C2: f STORE 1 +FLAGS (\Flagged)
        S2: f NO [EXPUNGEISSUED]
        C2: g COPY 1 Trash
        S2: * 1 EXPUNGE
        ...2:
        S2: g NO [EXPUNGEISSUED]
        """
    )


def test_uid_commands_tell_expunges(three: ImapServer) -> None:
    three.play(
        BOTH
        + r"""
        C: a STORE 1 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b EXPUNGE
        ...
        S: b OK
        C2: a UID FETCH 1 (FLAGS)
        S2: * 1 EXPUNGE
        ...2:
        S2: a OK
        """
    )


def test_search(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a STORE 2 +FLAGS.SILENT (\Seen)
        S: a OK
        C: b SEARCH UNSEEN
        S: * SEARCH 1 3
        S: b OK
        C: c UID SEARCH NOT (SUBJECT "number 2")
        S: * SEARCH 1 3
        S: c OK
        C: d SEARCH SUBJECT nothing
        S: * SEARCH
        S: d OK
        C: e SEARCH CHARSET KLINGON TEXT x
        S: e NO [BADCHARSET
        C: f SEARCH OR 1 UID 3
        S: * SEARCH 1 3
        S: f OK
        """
    )


def test_copy(three: ImapServer) -> None:
    three.play(
        SELECT
        + r"""
        C: a COPY 1:2 Nowhere
        S: a NO [TRYCREATE]
        C: b COPY 2:3 Trash
        S~ b OK \[COPYUID \d+ 2:3 1:2\] .*
        C: c COPY 3 INBOX
        S: * 4 EXISTS
        ...
        S~ c OK \[COPYUID \d+ 3 4\] .*
        C: d UID COPY 99 Trash
        S: d OK
        """
    )


def test_flag_changes_of_others_are_told(three: ImapServer) -> None:
    three.play(
        BOTH
        + r"""
        C: a STORE 2 +FLAGS.SILENT (\Seen)
        S: a OK
        C2: b NOOP
        S2~ \* 2 FETCH \(UID 2 FLAGS \(.*\\Seen.*\)\)
        S2: b OK
        C: c NOOP
        S: c OK
        """
    )


def test_only_one_session_sees_recent(three: ImapServer) -> None:
    three.play(
        r"""
        C: a SELECT INBOX
        ...
        S: * 3 RECENT
        ...
        S: a OK
        C2: a SELECT INBOX
        ...2:
        S2: * 0 RECENT
        ...2:
        S2: a OK
        """
    )


def test_check(three: ImapServer) -> None:
    three.play(SELECT + "C: a CHECK\nS: a OK")
