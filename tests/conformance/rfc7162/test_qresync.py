"""RFC 7162 3.2: QRESYNC."""

from pathlib import Path

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_fixture import maildir_store
from tests.support.imap_server import ImapServer, imap_server, message

ENABLE = "C: q ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: q OK\n"
SELECT = ENABLE + "C: s SELECT INBOX\n...\nS: s OK\n"
# Where the folder stands: leaves $validity and $modseq, then lets go of it.
MARK = r"""
    C: m SELECT INBOX
    ...
    S~ \* OK \[UIDVALIDITY (?P<validity>\d+)\]
    ...
    S~ \* OK \[HIGHESTMODSEQ (?P<modseq>\d+)\]
    ...
    S: m OK
    C: n UNSELECT
    S: n OK
"""
# Another client expunges 2 and 4, flags 3, and one message more comes.
AWAY = r"""
    C2: a SELECT INBOX
    ...2:
    S2: a OK
    C2: b STORE 2,4 +FLAGS.SILENT (\Deleted)
    S2: b OK
    C2: c EXPUNGE
    ...2:
    S2: c OK
    C2: d UID STORE 3 +FLAGS.SILENT (\Flagged)
    S2: d OK
    C2: e APPEND INBOX {1+}
    C2: x
    ...2:
    S2: e OK
"""


def test_s3_2_3_it_is_named_and_needs_enable(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .*\bENABLE\b.* CONDSTORE QRESYNC
        S: c OK
        C: a SELECT INBOX (QRESYNC (1 1))
        S: a BAD
        C: b SELECT INBOX
        ...
        S: b OK
        C: d UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: d BAD
        """
    )


def test_s3_2_5_1_select_tells_what_vanished_and_changed(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        ENABLE
        + MARK
        + AWAY
        + r"""
        C: a SELECT INBOX (QRESYNC ($validity $modseq))
        ...
        S: * 4 EXISTS
        ...
        S: * VANISHED (EARLIER) 2,4
        S~ \* 2 FETCH \(UID 3 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)
        S~ \* 4 FETCH \(UID 6 FLAGS \(.*\) MODSEQ \(\d+\)\)
        S: a OK [READ-WRITE]
        C: b SELECT INBOX (QRESYNC ($validity $modseq 1:3))
        S: * OK [CLOSED]
        ...
        S: * VANISHED (EARLIER) 2
        S: * 2 FETCH (UID 3 FLAGS (
        S: b OK
        C: c EXAMINE INBOX (QRESYNC ($validity $modseq 5:6 (1,3 1,5)))
        ...
        S: * 4 FETCH (UID 6 FLAGS (
        S: c OK [READ-ONLY]
        """
    )


def test_s3_2_5_1_a_wrong_uidvalidity_is_as_if_nothing_was_asked(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        ENABLE
        + MARK
        + r"""
        C: a SELECT INBOX (QRESYNC (77 1 1:5))
        S: * FLAGS
        S: * OK [PERMANENTFLAGS
        S: * 2 EXISTS
        S~ \* \d+ RECENT
        S: * OK [UNSEEN 1]
        S: * OK [UIDVALIDITY $validity]
        S: * OK [UIDNEXT 3]
        S: * OK [HIGHESTMODSEQ $modseq]
        S: * OK [MAILBOXID
        S: * OK [URLMECH INTERNAL]
        S: a OK
        """
    )


def test_s3_2_6_uid_fetch_vanished(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        ENABLE
        + MARK
        + AWAY
        + r"""
        C: a SELECT INBOX
        ...
        S: a OK
        C: b UID FETCH 1:* (FLAGS) (CHANGEDSINCE $modseq VANISHED)
        S: * VANISHED (EARLIER) 2,4
        S: * 2 FETCH (UID 3
        S: * 4 FETCH (UID 6
        S: b OK
        C: c UID FETCH 3:5 (FLAGS) (VANISHED CHANGEDSINCE $modseq)
        S: * VANISHED (EARLIER) 4
        S: * 2 FETCH (UID 3
        S: c OK
        C: d UID FETCH 1:* (FLAGS) (VANISHED)
        S: d BAD
        C: e FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
        S: e BAD
        """
    )


def test_s3_2_7_expunge_answers_with_vanished(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 7)))
    imap.play(
        SELECT
        + r"""
        C: a STORE 1:2,4,6 +FLAGS.SILENT (\Deleted)
        ...
        S: a OK
        C: b UID EXPUNGE 6
        S: * VANISHED 6
        ...
        S: b OK [HIGHESTMODSEQ
        C: c EXPUNGE
        S: * VANISHED 1:2,4
        ...
        S: c OK [HIGHESTMODSEQ
        C: d UID MOVE 5 Trash
        S: * OK [COPYUID
        S: * VANISHED 5
        ...
        S: d OK [HIGHESTMODSEQ
        C: e STORE 1 +FLAGS.SILENT (\Deleted)
        S: * 1 FETCH (UID 3 MODSEQ (
        S: e OK
        # 3.2.8: CLOSE tells nothing of what it expunged, and no modseq either.
        C: f CLOSE
        S: f OK closed
        """
    )


def test_s3_2_10_others_expunges_are_vanished_too(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + AWAY
        + r"""
        C: a FETCH 1 (FLAGS)
        S: * 1 FETCH (FLAGS
        S: * OK [HIGHESTMODSEQ
        S: a OK
        C: b NOOP
        S: * VANISHED 2,4
        S: * 4 EXISTS
        ...
        S~ \* 2 FETCH \(UID 3 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)
        S: b OK
        C: i IDLE
        S: +
        C2: f UID STORE 1 +FLAGS.SILENT (\Deleted)
        ...2:
        S2: f OK
        C2: g EXPUNGE
        ...2:
        S2: * 1 EXPUNGE
        ...2:
        S2: g OK
        ...
        S: * VANISHED 1
        C: DONE
        ...
        S: i OK
        """
    )


def test_s3_2_4_an_implicit_store_tells_uid_and_modseq(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C: a FETCH 1 BODY[TEXT]
        S~ \* 1 FETCH \(UID 1 FLAGS \(\\Seen.*\) MODSEQ \(\d+\) BODY\[TEXT\]
        S: a OK
        """
    )


def test_what_history_does_not_know_is_told_by_what_is_there(tmp_path: Path) -> None:
    make = maildir_store(tmp_path, expunge_history=100)
    with imap_server(ImapSettings(plaintext_login=True), make) as imap:
        imap.deliver(*(message(n) for n in range(1, 151)))
        imap.play(
            ENABLE
            + MARK
            + r"""
            C2: a SELECT INBOX
            ...2:
            S2: a OK
            C2: b STORE 3:140 +FLAGS.SILENT (\Deleted)
            ...2:
            S2: b OK
            C2: c EXPUNGE
            ...2:
            S2: c OK
            C: a SELECT INBOX (QRESYNC ($validity $modseq 1:130,149:170))
            ...
            S: * VANISHED (EARLIER) 3:130
            S: a OK
            C: b SELECT INBOX (QRESYNC ($validity $modseq))
            ...
            S: * VANISHED (EARLIER) 3:140
            S: b OK
            C: d UID FETCH 100:145 (FLAGS) (CHANGEDSINCE $modseq VANISHED)
            S: * VANISHED (EARLIER) 100:140
            S: d OK
            # RFC 7162 3.2.5.2: both sides agree on message 5, so nothing below it is missing.
            C: e SELECT INBOX (QRESYNC ($validity $modseq 1:160 (1,5,9 1,143,149)))
            ...
            S: * OK [MAILBOXID
            S: * OK [URLMECH INTERNAL]
            S: e OK
            """
        )


def test_s3_2_a_client_learns_how_far_it_is_while_an_expunge_waits(imap: ImapServer) -> None:
    """Else it would take the modseq of a later change for the one it has reached, and would never
    ask for the expunge after its connection was lost (6)."""
    imap.deliver(*(message(n) for n in range(1, 5)))
    imap.play(
        ENABLE
        + r"""
        C: s SELECT INBOX
        ...
        S~ \* OK \[HIGHESTMODSEQ (?P<seen>\d+)\]
        ...
        S: s OK
        C2: s SELECT INBOX
        ...2:
        S2: s OK
        C2: a STORE 1 +FLAGS.SILENT (\Deleted)
        S2: a OK
        C2: b EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: b OK
        C2: c STORE 1 +FLAGS.SILENT (\Flagged)
        S2: c OK
        C: a FETCH 2 (FLAGS)
        S: * 2 FETCH (FLAGS
        S: * OK [HIGHESTMODSEQ $seen]
        S: a OK
        C: b STORE 4 +FLAGS.SILENT (\Seen)
        S: * 4 FETCH (UID 4 MODSEQ (
        S: * OK [HIGHESTMODSEQ $seen]
        S: b OK
        C: c SEARCH FLAGGED
        S: * SEARCH 2
        S: * OK [HIGHESTMODSEQ $seen]
        S: c OK
        C: d NOOP
        S: * VANISHED 1
        ...
        S: d OK
        C: e FETCH 1 (FLAGS)
        S: * 1 FETCH (FLAGS
        S: e OK
        """
    )


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("SEARCH 2", "* SEARCH 2"),
        ("SEARCH NOT (SEEN NOT 2)", "* SEARCH 2 3"),
        ("SORT (ARRIVAL) UTF-8 2", "* SORT 2"),
        ("THREAD REFERENCES UTF-8 2", "* THREAD (2)"),
    ],
)
def test_s3_2_10_2_nothing_vanishes_within_a_uid_search_by_numbers(
    imap: ImapServer, command: str, answer: str
) -> None:
    imap.deliver(*(message(n) for n in range(1, 4)))
    imap.play(
        SELECT
        + rf"""
        C2: s SELECT INBOX
        ...2:
        S2: s OK
        C2: a STORE 1 +FLAGS.SILENT (\Deleted)
        S2: a OK
        C2: c STORE 2:3 +FLAGS.SILENT (\Flagged)
        S2: c OK
        C: n NOOP
        ...
        S: n OK
        C2: b EXPUNGE
        S2: * 1 EXPUNGE
        ...2:
        S2: b OK
        C: a UID {command.replace("SEEN", "UNFLAGGED")}
        S: {answer}
        S: * OK [HIGHESTMODSEQ
        S: a OK
        C: b UID SEARCH UID 2
        S: * VANISHED 1
        ...
        S: * SEARCH 2
        S: b OK
        """
    )


def test_s3_2_an_annotation_moves_the_mailbox_on(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a STATUS INBOX (HIGHESTMODSEQ)
        S~ \* STATUS "INBOX" \(HIGHESTMODSEQ (?P<before>\d+)\)
        S: a OK
        C: b SETMETADATA INBOX (/private/comment "x")
        S: b OK
        C: c STATUS INBOX (HIGHESTMODSEQ)
        S~ \* STATUS "INBOX" \(HIGHESTMODSEQ (?!$before\))(?P<after>\d+)\)
        S: c OK
        # What changes nothing does not; nor does an annotation of the server.
        C: d SETMETADATA INBOX (/private/comment "x")
        S: d OK
        C: e SETMETADATA "" (/private/comment "x")
        S: e OK
        C: f STATUS INBOX (HIGHESTMODSEQ)
        S: * STATUS "INBOX" (HIGHESTMODSEQ $after)
        S: f OK
        """
    )


@pytest.mark.parametrize("sets", ["1:*", "$", "1:5 (1:* 1:5)", "1:5 (1:2 *)", "(1,$ 1:2)"])
def test_s7_what_is_known_has_no_star(imap: ImapServer, sets: str) -> None:
    imap.deliver(message(1))
    imap.play(
        ENABLE
        + MARK
        + f"""
        C: a SELECT INBOX (QRESYNC ($validity 1 {sets}))
        S: a BAD
        C: b SELECT INBOX (QRESYNC ($validity 1 1:5 (1:2 1:5)))
        ...
        S: b OK
        """
    )
