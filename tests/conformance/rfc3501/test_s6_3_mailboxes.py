"""RFC 3501 6.3: commands on mailboxes."""

import pytest

from tests.support.imap_server import ImapServer, message


def test_select_tells_all_it_must(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        r"""
        C: a SELECT INBOX
        S~ \* FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft\)
        S~ \* OK \[PERMANENTFLAGS \(.*\\\*\)\] .*
        S: * 2 EXISTS
        S: * 2 RECENT
        S: * OK [UNSEEN 1]
        S~ \* OK \[UIDVALIDITY \d+\] .*
        S: * OK [UIDNEXT 3]
        S~ \* OK \[HIGHESTMODSEQ \d+\] .*
        ...
        S: a OK [READ-WRITE]
        """
    )


def test_examine_changes_nothing(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: a EXAMINE inbox
        S: * FLAGS
        S: * OK [PERMANENTFLAGS ()]
        S: * 1 EXISTS
        S: * 1 RECENT
        ...
        S: a OK [READ-ONLY]
        C: b STORE 1 +FLAGS (\Deleted)
        S: b NO
        C: c EXPUNGE
        S: c NO
        C: d FETCH 1 (FLAGS BODY[TEXT])
        S~ \* 1 FETCH \(FLAGS \(\\Recent\) BODY\[TEXT\] \{7\}\r\nHello\r\n\)
        S: d OK
        C: e SELECT INBOX
        ...
        S: * 1 RECENT
        ...
        S: e OK [READ-WRITE]
        """
    )


def test_select_of_what_is_not_there_deselects(imap: ImapServer) -> None:
    imap.play(
        """
        C: a SELECT INBOX
        ...
        S: a OK
        C: b SELECT Nowhere
        S: * OK [CLOSED]
        S: b NO [NONEXISTENT]
        C: c FETCH 1 FLAGS
        S: c BAD
        """
    )


def test_create_delete_rename(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE Work/
        S: a OK
        C: b CREATE Work
        S: b NO [ALREADYEXISTS]
        C: c CREATE Work/Plans
        S: c OK
        C: d RENAME Work Job
        S: d OK
        C: e LIST "" "Job*"
        S~ \* LIST \(.*\) "/" "?Job"?
        S~ \* LIST \(.*\) "/" "?Job/Plans"?
        S: e OK
        C: f DELETE Job/Plans
        S: f OK
        C: g DELETE Job/Plans
        S: g NO [NONEXISTENT]
        C: h RENAME Nowhere Else
        S: h NO [NONEXISTENT]
        C: i DELETE INBOX
        S: i NO [CANNOT]
        C: j RENAME Job INBOX
        S: j NO [ALREADYEXISTS]
        """
    )


def test_rename_inbox_moves_its_messages(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        """
        C: a RENAME INBOX Old
        S: a OK
        C: b STATUS Old (MESSAGES)
        S: * STATUS "Old" (MESSAGES 1)
        S: b OK
        C: c STATUS INBOX (MESSAGES)
        S: * STATUS "INBOX" (MESSAGES 0)
        S: c OK
        """
    )


def test_list_wildcards(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE A/B/C
        S: a OK
        C: b LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: b OK
        C: c LIST "" A/%
        S~ \* LIST \(\\Noselect \\HasChildren\) "/" "?A/B"?
        S: c OK
        C: d LIST A/ *
        S~ \* LIST \(.*\) "/" "?A/B"?
        S~ \* LIST \(.*\) "/" "?A/B/C"?
        S: d OK
        C: e LIST "" inbox
        S: * LIST (\HasNoChildren) "/" "INBOX"
        S: e OK
        C: f LIST "" Nowhere
        S: f OK
        """
    )


def test_subscriptions(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a SUBSCRIBE Lists/Cats
        S: a OK
        C: b LSUB "" Lists/*
        S~ \* LSUB \(\) "/" "?Lists/Cats"?
        S: b OK
        C: c LSUB "" Li%
        S: * LSUB (\Noselect) "/" "Lists"
        S: c OK
        C: d UNSUBSCRIBE Lists/Cats
        S: d OK
        C: e LSUB "" Lists/*
        S: e OK
        """
    )


def test_mailbox_names_beyond_ascii(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE "Entw&APw-rfe"
        S: a OK
        C: b LIST "" Entw*
        S~ \* LIST \(\\HasNoChildren\) "/" "?Entw&APw-rfe"?
        S: b OK
        """
    )


def test_s5_1_3_new_names_are_spelt_as_list_spells_them(imap: ImapServer) -> None:
    dialog = imap.play(
        r"""
        # Not shifted back, printable ASCII in base64, and two shifts where one would do.
        C: a CREATE "&Jjo!"
        S: a NO [CANNOT]
        C: b CREATE "a&AGE-"
        S: b NO [CANNOT]
        C: c CREATE "&U,BTFw-&ZeVnLIqe-"
        S: c NO [CANNOT]
        C: d CREATE "A&B"
        S: d NO [CANNOT]
        C: e CREATE "A&-B"
        S: e OK
        C: f RENAME "A&-B" "A&C"
        S: f NO [CANNOT]
        # 5.1: no 8-bit names.
        C+ g CREATE "caf\xc3\xa9"\r\n
        S: g NO [CANNOT]
        C: h LIST "" A&*
        S~ \* LIST \(.*\) "/" "A&-B"
        S: h OK
        """
    )
    dialog.close()


def test_status(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        r"""
        C: a STATUS INBOX (UNSEEN MESSAGES UIDNEXT RECENT UIDVALIDITY)
        S~ \* STATUS "INBOX" \(UNSEEN 2 MESSAGES 2 UIDNEXT 3 RECENT 2 UIDVALIDITY \d+\)
        S: a OK
        C: b STATUS Nowhere (MESSAGES)
        S: b NO [NONEXISTENT]
        """
    )


def test_append(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a APPEND INBOX (\Seen $Work) "24-Nov-2026 10:00:00 +0100" {12}
        S: +
        C: X: y\r
        """.replace("{12}", "{13}").replace("X: y\\r", "Subject: y\n        C:")
        + r"""
        S~ a OK \[APPENDUID \d+ 1\] .*
        C: b SELECT INBOX
        S: * FLAGS
        ...
        S: b OK
        C: c FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)
        S~ \* 1 FETCH \(FLAGS \(.*\) INTERNALDATE "24-Nov-2026 09:00:00 \+0000" RFC822.SIZE 13\)
        S: c OK
        """
    )


def test_a_date_is_told_in_utc_and_searched_by_the_day_told(imap: ImapServer) -> None:
    imap.play(
        """
        C: a APPEND INBOX "24-Nov-2026 00:30:00 +0200" {3+}
        C: a:b
        S: a OK
        C: b SELECT INBOX
        ...
        S: b OK
        C: c FETCH 1 INTERNALDATE
        S: * 1 FETCH (INTERNALDATE "23-Nov-2026 22:30:00 +0000")
        S: c OK
        C: d SEARCH ON 23-Nov-2026
        S: * SEARCH 1
        S: d OK
        C: e SEARCH OR SINCE 24-Nov-2026 BEFORE 23-Nov-2026
        S~ \\* SEARCH$
        S: e OK
        C: f COPY 1 Sent
        S: f OK
        C: g SELECT Sent
        ...
        S: g OK
        C: h FETCH 1 INTERNALDATE
        S: * 1 FETCH (INTERNALDATE "23-Nov-2026 22:30:00 +0000")
        S: h OK
        """
    )


def test_append_of_mail_older_than_unix(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a APPEND INBOX "20-Jul-1969 20:17:40 +0000" {12+}
        C+ Subject: x\r\n\r\n
        S: a OK
        C: b SELECT INBOX
        ...
        S: b OK
        C: c FETCH 1 INTERNALDATE
        S: * 1 FETCH (INTERNALDATE "20-Jul-1969 20:17:40 +0000")
        S: c OK
        C: d SEARCH ON 20-Jul-1969 BEFORE 1-Jan-1970
        S: * SEARCH 1
        S: d OK
        C: e SORT (ARRIVAL) UTF-8 SINCE 20-Jul-1969
        S: * SORT 1
        S: e OK
        """
    )


def test_append_refused(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a APPEND Nowhere {3+}
        C: abc
        S: a NO [TRYCREATE]
        C: b APPEND INBOX {4+}
        C+ ab\x00c\r\n
        S: b NO [CANNOT]
        C: c APPEND INBOX {0}
        S: +
        C:
        S: c NO
        C: d APPEND INBOX {99999999999}
        S: d NO [TOOBIG]
        C: e NOOP
        S: e OK
        """
    )


def test_append_to_the_selected_mailbox_is_told(imap: ImapServer) -> None:
    imap.play(
        """
        C: a SELECT INBOX
        ...
        S: a OK
        C: b APPEND INBOX {3+}
        C: abc
        S: * 1 EXISTS
        S: * 1 RECENT
        S: b OK [APPENDUID
        """
    )


def test_append_over_quota(imap: ImapServer) -> None:
    imap.gate.quota_bytes = 10
    imap.play("C: a APPEND INBOX {11+}\nC: abcdefghijk\nS: a NO [OVERQUOTA]")


def test_folder_deleted_under_another_session(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Gone
        S: a OK
        C2: a SELECT Gone
        ...2:
        S2: a OK
        C: b DELETE Gone
        S: b OK
        C2: b NOOP
        S2: * BYE [UNAVAILABLE]
        CLOSED2:
        """
    )


@pytest.mark.parametrize(
    "text",
    [
        "UID COPY 1 INBOX",
        "UID MOVE 1 INBOX",
        "REPLACE 1 INBOX {1+}",
        "UID STORE 1 FLAGS x",
        "UID EXPUNGE 1",
        "CLOSE",
    ],
)
def test_folder_deleted_under_another_session_is_no_target_to_create(
    imap: ImapServer, text: str
) -> None:
    imap.play(
        f"""
        C: a CREATE Gone
        S: a OK
        C: b APPEND Gone {{3+}}
        C: abc
        S: b OK
        C2: a SELECT Gone
        ...2:
        S2: a OK
        C: c DELETE Gone
        S: c OK
        C2: b {text}
        """
        + ("C2: x\n" if "REPLACE" in text else "")
        + "S2: * BYE [UNAVAILABLE]\nCLOSED2:"
    )


def test_deleting_the_selected_folder_deselects(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Gone
        S: a OK
        C: b SELECT Gone
        ...
        S: b OK
        C: c DELETE Gone
        S: * OK [CLOSED]
        S: c OK
        C: d SELECT INBOX
        ...
        S: d OK
        """
    )


def test_folder_renamed_under_another_session(imap: ImapServer) -> None:
    imap.play(
        """
        C: a CREATE Work
        S: a OK
        C2: a SELECT Work
        ...2:
        S2: a OK
        C: b RENAME Work Job
        S: b OK
        C: c APPEND Job {3+}
        C: abc
        S: c OK
        C2: b NOOP
        S2: * 1 EXISTS
        """
    )


def test_delete_leaves_other_mailboxes_selected(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a CREATE up/down
        S: a OK
        C: b CREATE up
        S: b OK
        C: c SELECT up/down
        ...
        S: c OK
        C: d DELETE nosuch
        S: d NO
        C: e DELETE INBOX
        S: e NO
        C: f DELETE up
        S: f OK
        C: g FETCH 1:* FLAGS
        S: g BAD no such message
        C: h DELETE up/down
        S: * OK [CLOSED]
        S: h OK
        C: i FETCH 1:* FLAGS
        S: i BAD not allowed
        """
    )
