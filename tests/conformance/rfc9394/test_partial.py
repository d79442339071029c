"""RFC 9394: PARTIAL, in the answers to SEARCH and SORT and as a modifier of UID FETCH."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
# UIDs 1 to 12 without 2 and 5.
SOME_GONE = r"""
    C: p STORE 2,5 +FLAGS.SILENT (\Deleted)
    ...
    S: p OK
    C: q EXPUNGE
    ...
    S: q OK
"""


def test_s3_1_search(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 13)))
    imap.play(
        SELECT
        + SOME_GONE
        + r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .* PARTIAL\b
        S: c OK
        C: a UID SEARCH RETURN (PARTIAL 1:4) ALL
        S~ \* ESEARCH \(TAG "a"\) UID PARTIAL \(1:4 1,3:4,6\)$
        S: a OK
        C: b UID SEARCH RETURN (PARTIAL -1:-3) ALL
        S~ \* ESEARCH \(TAG "b"\) UID PARTIAL \(-1:-3 10:12\)$
        S: b OK
        C: d UID SEARCH RETURN (PARTIAL -3:-2 COUNT) ALL
        S~ \* ESEARCH \(TAG "d"\) UID COUNT 10 PARTIAL \(-3:-2 10:11\)$
        S: d OK
        C: e SEARCH RETURN (PARTIAL 9:20 MIN MAX) ALL
        S~ \* ESEARCH \(TAG "e"\) MIN 1 MAX 10 PARTIAL \(9:20 9:10\)$
        S: e OK
        C: f SEARCH RETURN (PARTIAL 11:20) ALL
        S~ \* ESEARCH \(TAG "f"\) PARTIAL \(11:20 NIL\)$
        S: f OK
        C: g SEARCH RETURN (PARTIAL -11:-20) ALL
        S~ \* ESEARCH \(TAG "g"\) PARTIAL \(-11:-20 NIL\)$
        S: g OK
        """
    )


def test_s3_1_what_is_wrong_is_refused(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (ALL PARTIAL 1:2) ALL
        S: a BAD
        C: b SEARCH RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL
        S: b BAD
        C: c SEARCH RETURN (PARTIAL 0:2) ALL
        S: c BAD
        C: d SEARCH RETURN (PARTIAL 1:-2) ALL
        S: d BAD
        C: e SEARCH RETURN (PARTIAL) ALL
        S: e BAD
        C: f UID FETCH 1:* (FLAGS) (PARTIAL 1)
        S: f BAD
        """
    )


def test_s3_1_save_keeps_the_part(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 7)))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (SAVE PARTIAL 2:3) ALL
        S: * ESEARCH (TAG "a") PARTIAL (2:3 2:3)
        S: a OK
        C: b SEARCH RETURN (ALL) $
        S: * ESEARCH (TAG "b") ALL 2:3
        S: b OK
        C: c SEARCH RETURN (SAVE MIN PARTIAL -1:-2) ALL
        S: * ESEARCH (TAG "c") MIN 1 PARTIAL (-1:-2 5:6)
        S: c OK
        C: d SEARCH RETURN (ALL) $
        S: * ESEARCH (TAG "d") ALL 1,5:6
        S: d OK
        C: e SEARCH RETURN (SAVE COUNT PARTIAL 1:1) ALL
        S: * ESEARCH (TAG "e") COUNT 6 PARTIAL (1:1 1)
        S: e OK
        C: f SEARCH RETURN (ALL) $
        S: * ESEARCH (TAG "f") ALL 1:6
        S: f OK
        """
    )


def test_sort_cuts_what_is_sorted(imap: ImapServer) -> None:
    imap.deliver(*(message(n, "x" * (20 - n)) for n in range(1, 6)))
    imap.play(
        SELECT
        + r"""
        C: a SORT RETURN (PARTIAL 1:2) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "a") PARTIAL (1:2 5,4)
        S: a OK
        C: b SORT RETURN (PARTIAL -1:-2) (SIZE) UTF-8 ALL
        S: * ESEARCH (TAG "b") PARTIAL (-1:-2 2,1)
        S: b OK
        """
    )


def test_s3_2_uid_fetch(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 13)))
    imap.play(
        SELECT
        + SOME_GONE
        + r"""
        C: a UID FETCH 1:* (FLAGS) (PARTIAL 1:2)
        S: * 1 FETCH (UID 1
        S: * 2 FETCH (UID 3
        S: a OK
        C: b UID FETCH 2:11 (FLAGS) (PARTIAL -1:-2)
        S: * 8 FETCH (UID 10
        S: * 9 FETCH (UID 11
        S: b OK
        C: c UID FETCH 1:3 (FLAGS) (PARTIAL 3:9)
        S: c OK
        C: d UID STORE 12 +FLAGS.SILENT (\Seen)
        S: d OK
        C: e UID FETCH 12 (MODSEQ)
        ...
        S~ \* 10 FETCH \(UID 12 MODSEQ \((?P<modseq>\d+)\)\)
        S: e OK
        C: f UID STORE 11 +FLAGS.SILENT (\Seen)
        S: * 9 FETCH (UID 11 MODSEQ
        S: f OK
        # Of the last two, those changed since.
        C: g UID FETCH 1:* (FLAGS) (PARTIAL -1:-2 CHANGEDSINCE $modseq)
        S: * 9 FETCH (UID 11
        S: g OK
        """
    )


def test_s3_4_vanished_within_the_part(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 13)))
    imap.play(
        "C: q ENABLE QRESYNC\n...\nS: q OK\n"
        + SELECT
        + SOME_GONE
        + r"""
        C: a UID FETCH 1:* (FLAGS) (PARTIAL 1:2 CHANGEDSINCE 1 VANISHED)
        S: * VANISHED (EARLIER) 2
        ...
        S: a OK
        C: b UID FETCH 1:* (FLAGS) (PARTIAL -1:-2 CHANGEDSINCE 1 VANISHED)
        S: * 9 FETCH
        ...
        S: b OK
        """
    )
