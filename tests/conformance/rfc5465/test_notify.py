"""RFC 5465: NOTIFY. Client 1 watches, client 2 acts."""

import pytest

from mailnode.runtime.settings.imap import ImapSettings
from tests.support.imap_server import ImapServer, imap_server, message
from tests.support.sharers import BOB, give, put, share

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"
MESSAGES = "(MessageNew MessageExpunge)"


def test_s3_1_status_of_what_is_watched(imap: ImapServer) -> None:
    imap.deliver(message(1), folder="Sent")
    imap.play(
        SELECT
        + r"""
        C+ a NOTIFY SET STATUS (selected (MessageNew MessageExpunge))
        C:  (mailboxes (INBOX Sent Nowhere) (MessageNew MessageExpunge FlagChange))
        S~ \* STATUS "Sent" \(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \d+ HIGHESTMODSEQ \d+\)
        S: a OK
        C: b NOTIFY SET STATUS (subtree (Sent) (MailboxName))
        S: b OK
        """
    )


def test_s5_2_new_messages_elsewhere(imap: ImapServer) -> None:
    dialog = imap.play(f"C: a NOTIFY SET (mailboxes Sent {MESSAGES})\nS: a OK\nNOTHING:")
    imap.deliver(message(1), folder="Sent")
    dialog.play('S: * STATUS "Sent" (UIDNEXT 2 MESSAGES 1)\nNOTHING:')
    imap.deliver(message(2), folder="Trash")
    dialog.play("NOTHING:\nC: b NOOP\nS: b OK")
    dialog.play("C: c NOTIFY NONE\nS: c OK")
    imap.deliver(message(2), folder="Sent")
    dialog.play("NOTHING:\nC: d NOOP\nS: d OK")


def test_s5_2_new_messages_here_with_what_is_wanted_of_them(imap: ImapServer) -> None:
    dialog = imap.play(
        SELECT
        + """
        C+ a NOTIFY SET (selected (MessageNew (UID
        C:  BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge))
        S: a OK
        """
    )
    imap.deliver(message(7))
    dialog.play(
        r"""
        S: * 1 EXISTS
        S: * 1 RECENT
        S~ \* 1 FETCH \(UID 1 BODY\[HEADER.FIELDS \(SUBJECT\)\] .*Subject: number 7
        NOTHING:
        C+ b APPEND INBOX {13+}\r\nSubject: me\r\n\r\n
        S: * 2 EXISTS
        S: * 2 RECENT
        S: b OK
        NOTHING:
        """
    )


def test_s5_1_and_s5_3_flags_and_expunges_here(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: a NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))
        S: a OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        S: * 1 FETCH (UID 1 FLAGS (\Deleted \Recent))
        C2: c EXPUNGE
        ...2:
        S2: c OK
        S: * 1 EXPUNGE
        ...
        C: d NOTIFY SET (selected (MessageNew MessageExpunge))
        S: d OK
        C2: d STORE 1 +FLAGS.SILENT (\Flagged)
        S2: d OK
        NOTHING:
        C: e NOOP
        S: e OK
        C: f FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Flagged \Recent))
        S: f OK
        """
    )


def test_s5_1_flags_elsewhere(imap: ImapServer) -> None:
    imap.deliver(message(1), folder="Sent")
    imap.play(
        r"""
        C: a NOTIFY SET (personal (MessageNew MessageExpunge FlagChange))
        S: a OK
        C2: a SELECT Sent
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Flagged)
        S2: b OK
        NOTHING:
        C2: c STORE 1 +FLAGS.SILENT (\Seen)
        S2: c OK
        S~ \* STATUS "Sent" \(UIDVALIDITY \d+ UNSEEN 0\)
        C: d ENABLE CONDSTORE
        ...
        S: d OK
        C2: d STORE 1 -FLAGS.SILENT (\Flagged)
        S2: d OK
        S~ \* STATUS "Sent" \(UIDVALIDITY \d+ UNSEEN 0 HIGHESTMODSEQ \d+\)
        """
    )


def test_s6_1_2_selected_delayed_waits_for_a_command(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    dialog = imap.play(
        SELECT
        + r"""
        C: a NOTIFY SET (selected-delayed (MessageNew MessageExpunge))
        S: a OK
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        C2: c EXPUNGE
        ...2:
        S2: c OK
        NOTHING:
        C: d FETCH 2 UID
        S: * 2 FETCH (UID 2)
        S: d OK
        NOTHING:
        C: e NOOP
        S: * 1 EXPUNGE
        ...
        S: e OK
        """
    )
    imap.deliver(message(3))
    dialog.play("S: * 2 EXISTS")


def test_s3_1_without_selected_nothing_is_told_of_it(imap: ImapServer) -> None:
    imap.deliver(message(1))
    dialog = imap.play(SELECT + f"C: a NOTIFY SET (mailboxes Sent {MESSAGES})\nS: a OK")
    imap.deliver(message(2))
    dialog.play(
        r"""
        NOTHING:
        C: b NOOP
        S: b OK
        C: c IDLE
        S: + idling
        NOTHING:
        C: DONE
        S: c OK
        C: d STORE 1 +FLAGS (\Deleted)
        S: * 1 FETCH
        S: d OK
        C: e EXPUNGE
        S: * 1 EXPUNGE
        ...
        S: e OK
        C: f NOTIFY SET (selected (MessageNew MessageExpunge))
        S: f OK
        """
    )
    imap.deliver(message(3))
    dialog.play("S: * 2 EXISTS")


def test_s3_1_set_is_a_noop_too(imap: ImapServer) -> None:
    dialog = imap.play(SELECT)
    imap.deliver(message(1))
    dialog.play(f"C: a NOTIFY SET (selected {MESSAGES})\nS: * 1 EXISTS\n...\nS: a OK\nNOTHING:")


def test_s5_4_mailbox_names(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a NOTIFY SET (personal (MailboxName)) (subtree Work (MessageNew MessageExpunge))
        S: a OK
        C2: a CREATE Work
        S2: a OK
        S: * LIST (\HasNoChildren) "/" "Work"
        C2: b CREATE Work/Now
        S2: b OK
        S: * LIST (\HasChildren) "/" "Work"
        S: * LIST (\HasNoChildren) "/" "Work/Now"
        C2: c RENAME Work Job
        S2: c OK
        S: * LIST (\HasChildren) "/" "Job" ("OLDNAME" ("Work"))
        NOTHING:
        C2: d DELETE Job/Now
        S2: d OK
        S: * LIST (\NonExistent) "/" "Job/Now"
        S: * LIST (\HasNoChildren) "/" "Job"
        C: e CREATE Mine/Own
        S: e OK
        NOTHING:
        C: f RENAME Mine/Own Mine/Other
        S: f OK
        NOTHING:
        C: g DELETE Mine/Other
        S: g OK
        NOTHING:
        """
    )


def test_s5_4_a_new_folder_is_watched(imap: ImapServer) -> None:
    dialog = imap.play(
        f"C: a NOTIFY SET (subtree Lists {MESSAGES})\nS: a OK\n"
        "C2: a CREATE Lists/New\nS2: a OK\nNOTHING:"
    )
    imap.deliver(message(1), folder="Lists/New")
    dialog.play('S: * STATUS "Lists/New" (UIDNEXT 2 MESSAGES 1)')


def test_s5_5_subscriptions(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a NOTIFY SET (personal (SubscriptionChange)) (subscribed (MessageNew MessageExpunge))
        S: a OK
        C2: a UNSUBSCRIBE Sent
        S2: a OK
        S: * LIST (\HasNoChildren \Sent) "/" "Sent"
        C2: b SUBSCRIBE Sent
        S2: b OK
        S: * LIST (\HasNoChildren \Subscribed \Sent) "/" "Sent"
        C: c UNSUBSCRIBE Sent
        S: c OK
        NOTHING:
        """
    )


def test_s5_6_and_s5_7_metadata(imap: ImapServer) -> None:
    imap.play(
        r"""
        C: a NOTIFY SET (mailboxes Sent (MailboxMetadataChange)) (personal (ServerMetadataChange))
        S: a OK
        C2: a SETMETADATA Sent (/shared/comment "x" /private/comment "y")
        S2: a OK
        S: * METADATA "Sent" /private/comment /shared/comment
        C2: b SETMETADATA Sent (/shared/comment NIL)
        S2: b OK
        S: * METADATA "Sent" /shared/comment
        C2: c SETMETADATA Trash (/shared/comment "x")
        S2: c OK
        NOTHING:
        C2: d SETMETADATA "" (/private/comment "z")
        S2: d OK
        S: * METADATA "" /private/comment
        C: e SETMETADATA Sent (/shared/comment "mine")
        S: e OK
        NOTHING:
        """
    )


def test_s5_8_overflow() -> None:
    with imap_server(ImapSettings(plaintext_login=True, notify_folders=7)) as server:
        dialog = server.play(
            f"""
            C: a NOTIFY SET (personal {MESSAGES})
            S: a OK
            C2: a CREATE One
            S2: a OK
            NOTHING:
            C2: b CREATE Two
            S2: b OK
            S: * OK [NOTIFICATIONOVERFLOW]
            C: c NOTIFY SET (personal {MESSAGES})
            S: c NO [NOTIFICATIONOVERFLOW]
            C: d NOTIFY SET (mailboxes One {MESSAGES})
            S: d OK
            """
        )
        server.deliver(message(1), folder="One")
        dialog.play('S: * STATUS "One" (UIDNEXT 2 MESSAGES 1)')


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "SET",
        "SET ()",
        "SET (selected (MessageNew))",
        "SET (selected (MessageExpunge))",
        "SET (selected (FlagChange))",
        "SET (selected (MessageNew MessageExpunge MailboxName))",
        "SET (personal (MessageNew (UID) MessageExpunge))",
        f"SET (selected {MESSAGES}) (selected-delayed {MESSAGES})",
        "SET (everything (MailboxName))",
        "SET (mailboxes (MailboxName))",
        "SET personal (MailboxName)",
        "NONE (personal (MailboxName))",
    ],
)
def test_s8_wrong_ones(imap: ImapServer, wrong: str) -> None:
    imap.play(f"C: a NOTIFY {wrong}\nS: a BAD\nC: b NOOP\nS: b OK")


def test_s3_1_unknown_events(imap: ImapServer) -> None:
    imap.play(
        """
        C: a NOTIFY SET (selected (MessageNew MessageExpunge AnnotationChange))
        S: a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange
        C: b NOTIFY SET (selected NONE) (personal NONE)
        S: b OK
        """
    )


def test_s5_own_messages_elsewhere_are_no_news(imap: ImapServer) -> None:
    dialog = imap.play(
        f"C: a NOTIFY SET (personal {MESSAGES})\nS: a OK\n"
        + r"""
        C+ b APPEND Sent {13+}\r\nSubject: me\r\n\r\n
        S: b OK
        NOTHING:
        """
    )
    imap.deliver(message(1), folder="Sent")
    dialog.play('S: * STATUS "Sent" (UIDNEXT 3 MESSAGES 2)')


def test_a_mailbox_that_never_rests_does_not_hold_up_commands() -> None:
    with imap_server() as server:
        dialog = server.play(f"C: a NOTIFY SET (mailboxes Sent {MESSAGES})\nS: a OK")
        (link,) = server.service._links
        watch = link.session.watch
        assert watch is not None
        look = watch.look

        def restless(account):  # type: ignore[no-untyped-def]
            found = look(account)
            watch.changed.add("Sent")  # there is always something more to look at
            return found

        watch.look = restless  # type: ignore[method-assign]
        server.deliver(message(1), folder="Sent")
        dialog.play("...\nC: b NOOP\nS: b OK\nC: c LOGOUT\n...\nS: c OK")


def test_s7_what_is_wanted_of_messages_that_join_a_search(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])) SUBJECT "ber 7"
        S: * ESEARCH (TAG "a") COUNT 0
        S: a OK
        C: b UID SEARCH RETURN (UPDATE(FLAGS)) FLAGGED
        S: * ESEARCH (TAG "b") UID
        S: b OK
        C: c SEARCH RETURN (UPDATE ()) ALL
        S: c BAD
        C: i IDLE
        S: +
        """
    ).play(
        r"""
        C2: a APPEND INBOX {22+}
        C2: Subject: number 70
        C2+ \r\n\r\n
        ...2:
        S2: a OK
        S: * 2 EXISTS
        ...
        S~ \* 2 FETCH \(UID 2 BODY\[HEADER.FIELDS \(SUBJECT\)\] \{\d+\}\r\nSubject: number 70\r\n
        S: * ESEARCH (TAG "a") ADDTO (0 2)
        # What joins by its flags is known already; what does not join is not told of.
        C2: s SELECT INBOX
        ...2:
        S2: s OK
        C2: b STORE 1 +FLAGS.SILENT (\Flagged)
        ...2:
        S2: b OK
        S: * 1 FETCH (UID 1 FLAGS (\Flagged
        S: * ESEARCH (TAG "b") UID ADDTO (0 1)
        C: DONE
        S: i OK
        # Nor is what this session has made itself.
        C: d COPY 2 INBOX
        S: * 3 EXISTS
        S: * 3 RECENT
        S: * ESEARCH (TAG "a") ADDTO (0 3)
        S: d OK [COPYUID
        """
    )


def test_s3_1_a_mailbox_that_may_be_seen_but_not_read(imap: ImapServer) -> None:
    put(imap, message(1))
    give(imap, BOB, "l")
    share(
        imap,
        r"""
        C2: a NOTIFY SET (subtree "Other Users" (MessageNew MessageExpunge))
        S2: * LIST (\NoAccess) "/" "Other Users/ann@example.test/INBOX"
        S2: a OK
        C2: b NOTIFY SET (mailboxes nosuch (MessageNew MessageExpunge))
        S2: b OK
        """,
    )


def test_s6_names_in_any_form_of_unicode(imap: ImapServer) -> None:
    composed, split = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
    dialog = imap.play(
        rf"""
        C: q ENABLE IMAP4rev2
        S: * ENABLED
        S: q OK
        C: a CREATE "{composed}"
        S: a OK
        C: b NOTIFY SET (mailboxes "{split}" {MESSAGES}) (subtree "{split}" (MailboxName))
        S: b OK
        """
    )
    imap.deliver(message(1), folder=composed)
    dialog.play(f'S: * STATUS "{composed}" (UIDNEXT 2 MESSAGES 1)')
    imap.play('C: a CREATE "caf&AOk-/x"\nS: a OK')
    dialog.play(f"""
        S~ \\* LIST \\(\\\\HasChildren.*\\) "/" "{composed}"
        S~ \\* LIST \\(\\\\HasNoChildren.*\\) "/" "{composed}/x"
        NOTHING:
        """)
