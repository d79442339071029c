"""RFC 5267 4: CONTEXT=SEARCH, CONTEXT=SORT: results that are kept up to date."""

from tests.support.imap_server import ImapServer, message

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
OTHER = "C2: s SELECT INBOX\n...2:\nS2: s OK\n"


def test_s4_2_the_hint_alone_changes_nothing(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .* CONTEXT=SEARCH CONTEXT=SORT\b
        S: c OK
        C: a SEARCH RETURN (CONTEXT) UNSEEN
        S~ \* ESEARCH \(TAG "a"\) ALL 1:2$
        S: a OK
        C: b UID SORT RETURN (CONTEXT COUNT) (SUBJECT) UTF-8 UNSEEN
        S~ \* ESEARCH \(TAG "b"\) UID COUNT 2$
        S: b OK
        C: d STORE 1 +FLAGS.SILENT (\Seen)
        S: d OK
        """
    )


def test_s4_3_flags_are_told_where_a_silent_store_comes_after_the_change(imap: ImapServer) -> None:
    """The flags that are told and the result agree: message 1 is flagged (RFC 3501 6.4.6)."""
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + OTHER
        + r"""
        C: a UID SEARCH RETURN (UPDATE ALL) FLAGGED
        S: * ESEARCH (TAG "a") UID
        S: a OK
        C2: b STORE 1:2 +FLAGS.SILENT (\Flagged)
        S2: b OK
        C: b UID STORE 1 +FLAGS.SILENT (\Draft)
        S: * 1 FETCH (UID 1 FLAGS (\Flagged \Draft
        S: * 2 FETCH (UID 2 FLAGS (\Flagged
        S: * ESEARCH (TAG "a") UID ADDTO (0 1:2)
        S: b OK
        """
    )


def test_s4_3_flags_arrivals_and_expunges(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + OTHER
        + r"""
        C: a UID SEARCH RETURN (UPDATE ALL) UNSEEN
        S~ \* ESEARCH \(TAG "a"\) UID ALL 1:5$
        S: a OK
        C2: b STORE 1:2,4 +FLAGS.SILENT (\Seen)
        S2: b OK
        C: b NOOP
        ...
        S: * 4 FETCH
        S: * ESEARCH (TAG "a") UID REMOVEFROM (0 1:2,4)
        S: b OK
        C2: c STORE 2 -FLAGS.SILENT (\Seen)
        S2: c OK
        C2: d APPEND INBOX {1+}
        C2: x
        ...2:
        S2: d OK
        C: c NOOP
        ...
        S: * ESEARCH (TAG "a") UID ADDTO (0 2,6)
        S: c OK
        # Our own STORE changes the result as well.
        C: d STORE 3 +FLAGS.SILENT (\Seen \Deleted)
        S: * ESEARCH (TAG "a") UID REMOVEFROM (0 3)
        S: d OK
        C: e STORE 5 +FLAGS.SILENT (\Deleted)
        S: e OK
        C: f EXPUNGE
        S: * ESEARCH (TAG "a") UID REMOVEFROM (0 5)
        S: * 5 EXPUNGE
        S: * 3 EXPUNGE
        ...
        S: f OK
        C: g CANCELUPDATE "a"
        S: g OK
        C: h STORE 2 +FLAGS.SILENT (\Seen)
        S: h OK
        """
    )


def test_s4_3_message_numbers_are_those_of_the_moment(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (UPDATE COUNT) FLAGGED
        S~ \* ESEARCH \(TAG "a"\) COUNT 0$
        S: a OK
        C: b STORE 2,4 +FLAGS.SILENT (\Flagged \Deleted)
        S: * ESEARCH (TAG "a") ADDTO (0 2,4)
        S: b OK
        C: c UID EXPUNGE 2
        S: * ESEARCH (TAG "a") REMOVEFROM (0 2)
        S: * 2 EXPUNGE
        ...
        S: c OK
        C: d STORE 3 -FLAGS.SILENT (\Flagged)
        S: * ESEARCH (TAG "a") REMOVEFROM (0 3)
        S: d OK
        """
    )


def test_s4_4_sorted_results_name_places(imap: ImapServer) -> None:
    imap.deliver(*(message(n, "x" * size) for n, size in enumerate((50, 10, 30, 20, 40), 1)))
    imap.play(
        SELECT
        + r"""
        C: a UID SORT RETURN (UPDATE ALL) (SIZE) UTF-8 UNFLAGGED
        S: * ESEARCH (TAG "a") UID ALL 2,4,3,5,1
        S: a OK
        C: b UID STORE 2,3,5 +FLAGS.SILENT (\Flagged)
        S: * ESEARCH (TAG "a") UID REMOVEFROM (4 5 3 3 1 2)
        S: b OK
        C: c UID STORE 2:3,5 -FLAGS.SILENT (\Flagged)
        S: * ESEARCH (TAG "a") UID ADDTO (1 2 3 3 4 5)
        S: c OK
        C: d UID STORE 4 +FLAGS.SILENT (\Deleted)
        S: d OK
        C: e EXPUNGE
        S: * ESEARCH (TAG "a") UID REMOVEFROM (2 4)
        S: * 4 EXPUNGE
        ...
        S: e OK
        C: f APPEND INBOX {1+}
        C: x
        ...
        S: * ESEARCH (TAG "a") UID ADDTO (1 6)
        S: f OK
        """
    )


def test_s4_3_updates_come_while_idle(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + OTHER
        + r"""
        C: a UID SEARCH RETURN (UPDATE) SUBJECT number
        S: * ESEARCH (TAG "a") UID ALL 1
        S: a OK
        C: i IDLE
        S: +
        C2: b UID COPY 1 INBOX
        ...2:
        S2: b OK
        S: * 2 EXISTS
        ...
        S: * ESEARCH (TAG "a") UID ADDTO (0 2)
        C: DONE
        S: i OK
        """
    )


def test_s4_3_noupdate(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + "".join(
            f'C: t{n} SEARCH RETURN (UPDATE) SEEN\nS: * ESEARCH (TAG "t{n}")\nS: t{n} OK\n'
            for n in range(8)
        )
        + r"""
        C: a SEARCH RETURN (UPDATE) ALL
        S: * ESEARCH (TAG "a") ALL 1
        S: * NO [NOUPDATE "a"]
        S: a OK
        C: b CANCELUPDATE "t1" "t2"
        S: b OK
        C: s2 SEARCH RETURN (SAVE) ALL
        S: s2 OK
        C: c SEARCH RETURN (UPDATE) $ UNSEEN
        S: * ESEARCH (TAG "c") ALL 1
        S: * NO [NOUPDATE "c"]
        S: c OK
        C: d SEARCH RETURN (UPDATE) ALL
        S: * ESEARCH (TAG "d") ALL 1
        S: d OK
        C: e CANCELUPDATE
        S: e BAD
        """
    )


def test_s4_3_the_folder_takes_its_contexts_with_it(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (UPDATE) UNSEEN
        S: * ESEARCH (TAG "a") ALL 1
        S: a OK
        C: b SELECT INBOX
        ...
        S: b OK
        C: c STORE 1 +FLAGS.SILENT (\Seen)
        S: c OK
        """
    )


def test_s4_3_a_tag_names_one_result_at_a_time(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        SELECT
        + r"""
        C: a SEARCH RETURN (UPDATE) FLAGGED
        S: * ESEARCH (TAG "a")
        S: a OK
        C: a SORT RETURN (UPDATE) (DATE) UTF-8 ALL
        S: a BAD
        C: a UID SEARCH RETURN (UPDATE COUNT) SEEN
        S: a BAD
        C: a UID SEARCH RETURN (COUNT) SEEN
        S: * ESEARCH (TAG "a") UID COUNT 0
        S: a OK
        C: b STORE 1 +FLAGS.SILENT (\Flagged)
        S: * ESEARCH (TAG "a") ADDTO (0 1)
        S: b OK
        C: c CANCELUPDATE "a"
        S: c OK
        C: a SEARCH RETURN (UPDATE) SEEN
        S: * ESEARCH (TAG "a")
        S: a OK
        """
    )


def test_s4_3_a_search_by_message_numbers_is_kept_up(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 6)))
    imap.play(
        SELECT
        + OTHER
        + r"""
        C: a UID SEARCH RETURN (UPDATE ALL) 2:3 UNFLAGGED
        S: * ESEARCH (TAG "a") UID ALL 2:3
        S: a OK
        C: b SEARCH RETURN (UPDATE COUNT) *
        S: * ESEARCH (TAG "b") COUNT 1
        S: b OK
        C: c UID SORT RETURN (UPDATE ALL) (SIZE) UTF-8 UID 4:*
        S: * ESEARCH (TAG "c") UID ALL 4:5
        S: c OK
        C2: a UID STORE 2,4 +FLAGS.SILENT (\Flagged)
        S2: a OK
        C2: b UID STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        C2: c EXPUNGE
        ...2:
        S2: c OK
        # 1 is gone: numbers 2 and 3 are now UIDs 3 and 4, of which the latter has its flag already.
        C: d NOOP
        S: * 1 EXPUNGE
        ...
        S: * 3 FETCH (UID 4 FLAGS (\Flagged
        S: * ESEARCH (TAG "a") UID REMOVEFROM (0 2)
        S: d OK
        C2: d UID STORE 4 -FLAGS.SILENT (\Flagged)
        S2: d OK
        C: e NOOP
        ...
        S: * ESEARCH (TAG "a") UID ADDTO (0 4)
        S: e OK
        C2+ f APPEND INBOX {1+}\r\nx\r\n
        ...2:
        S2: f OK
        C: g NOOP
        S: * 5 EXISTS
        ...
        S: * ESEARCH (TAG "b") REMOVEFROM (0 4)
        S: * ESEARCH (TAG "b") ADDTO (0 5)
        S: * ESEARCH (TAG "c") UID ADDTO (1 6)
        S: g OK
        """
    )


def test_s4_3_star_is_the_last_message_of_the_moment(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + OTHER
        + r"""
        C: a UID SEARCH RETURN (UPDATE ALL) UID 90:*
        S: * ESEARCH (TAG "a") UID ALL 2
        S: a OK
        C2: a UID STORE 2 +FLAGS.SILENT (\Deleted)
        S2: a OK
        C2: b EXPUNGE
        ...2:
        S2: b OK
        C: b NOOP
        S: * ESEARCH (TAG "a") UID REMOVEFROM (0 2)
        S: * 2 EXPUNGE
        ...
        S: * ESEARCH (TAG "a") UID ADDTO (0 1)
        S: b OK
        """
    )
