"""RFC 7162 3.1: CONDSTORE."""

import pytest

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX (CONDSTORE)\n...\nS: s OK\n"


def test_modseq_is_told_once_it_is_on(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1 (UID MODSEQ)
        S~ \* 1 FETCH \(UID 1 MODSEQ \((?P<one>\d+)\)\)
        S: a OK
        C: b STORE 2 +FLAGS.SILENT (\Seen)
        S~ \* 2 FETCH \(UID 2 MODSEQ \((?P<two>\d+)\)\)
        S: b OK
        C: c FETCH 1:2 (FLAGS) (CHANGEDSINCE $one)
        S~ \* 2 FETCH \((?=.*FLAGS \(\\Seen)(?=.*MODSEQ \($two\)).*\)
        S: c OK
        C: d SEARCH MODSEQ $two
        S: * SEARCH 2 (MODSEQ $two)
        S: d OK
        C: e SEARCH RETURN (COUNT) MODSEQ $two
        S: * ESEARCH (TAG "e") COUNT 1 MODSEQ $two
        S: e OK
        """
    )


def test_silent_store_tells_of_others_with_modseq(imap: ImapServer) -> None:
    """RFC 7162 3.1.3 has no flags in the answer, RFC 3501 6.4.6 those that others changed."""
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1:2 (MODSEQ)
        ...
        S: a OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Flagged)
        S2: b OK
        C: b UID STORE 1:2 +FLAGS.SILENT (\Seen)
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Flagged \\Seen.*\) MODSEQ \((?P<now>\d+)\)\)
        S: * 2 FETCH (UID 2 MODSEQ ($now))
        S: b OK
        """
    )


def test_unchangedsince(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1:2 (MODSEQ)
        S~ \* 1 FETCH \(MODSEQ \((?P<one>\d+)\)\)
        S~ \* 2 FETCH \(MODSEQ \((?P<two>\d+)\)\)
        S: a OK
        C: b STORE 1 (UNCHANGEDSINCE $one) +FLAGS.SILENT (\Flagged)
        S: * 1 FETCH (UID 1 MODSEQ (
        S: b OK
        C: c STORE 1,2 (UNCHANGEDSINCE $two) +FLAGS.SILENT (\Seen)
        S: * 2 FETCH (UID 2 MODSEQ (
        S: c OK [MODIFIED 1]
        C: d UID STORE 2 (UNCHANGEDSINCE $two) FLAGS (\Draft)
        ...
        S: d OK [MODIFIED 2]
        """
    )


def test_changes_of_others_carry_modseq(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Seen)
        S2: b OK
        C: b NOOP
        S~ \* 1 FETCH \(UID 1 FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: b OK
        """
    )


def test_what_switches_it_on(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b STATUS INBOX (HIGHESTMODSEQ)
        S: * OK [HIGHESTMODSEQ
        S~ \* STATUS "INBOX" \(HIGHESTMODSEQ \d+\)
        S: b OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b FETCH 1 MODSEQ
        S2: * OK [HIGHESTMODSEQ
        S2: * 1 FETCH (MODSEQ (
        S2: b OK
        """
    )


def test_s3_2_8_expunge_names_the_modseq_and_close_does_not(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a STORE 1 +FLAGS.SILENT (\Deleted)
        ...
        S: a OK
        C: b EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: b OK [HIGHESTMODSEQ
        C: c STORE 1 +FLAGS.SILENT (\Deleted)
        ...
        S: c OK
        C: d CLOSE
        S: d OK closed
        """
    )


@pytest.mark.parametrize("told", ["FETCH 2 BODY[]", "STORE 2 +FLAGS (\\Seen)"])
def test_no_modseq_falls_while_an_expunge_waits(imap: ImapServer, told: str) -> None:
    """Numbers stay in FETCH and STORE (RFC 3501 7.4.1), so that 1 and 2 are there for client 1."""
    imap.deliver(message(1), message(2), message(3))
    imap.play(
        rf"""
        C: a SELECT INBOX (CONDSTORE)
        ...
        S: a OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1:2 +FLAGS.SILENT (\Deleted)
        S2: b OK
        C2: c UID EXPUNGE 1
        S2: * 1 EXPUNGE
        S2: c OK
        C: b {told}
        S~ \* 2 FETCH \(UID 2 FLAGS \((?P<flags>[^)]*)\) MODSEQ \((?P<modseq>\d+)\)
        ...
        S~ b (OK|NO)
        C2: d EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: d OK
        C: c FETCH 2 (UID FLAGS MODSEQ)
        S: * 2 FETCH (UID 2 FLAGS ($flags) MODSEQ ($modseq))
        S: * OK [HIGHESTMODSEQ
        S: c OK
        C: d NOOP
        S: * 2 EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: d OK
        """
    )
