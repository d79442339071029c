"""RFC 9586: UIDONLY."""

from tests.support.imap_server import ImapServer, message

ENABLE = "C: u ENABLE UIDONLY\nS: * ENABLED UIDONLY\nS: u OK\n"
SELECT = ENABLE + "C: s SELECT INBOX\n...\nS: s OK\n"


def test_s3_2_message_numbers_are_refused(imap: ImapServer) -> None:
    imap.deliver(message(1), message(2))
    imap.play(
        SELECT
        + r"""
        C: c CAPABILITY
        S~ \* CAPABILITY .*\bUIDONLY\b
        S: c OK
        C: a FETCH 1 FLAGS
        S: a BAD [UIDREQUIRED]
        C: b STORE 1 FLAGS ()
        S: b BAD [UIDREQUIRED]
        C: d COPY 1 Trash
        S: d BAD [UIDREQUIRED]
        C: e MOVE 1 Trash
        S: e BAD [UIDREQUIRED]
        C: f SEARCH ALL
        S: f BAD [UIDREQUIRED]
        C: g SORT (DATE) UTF-8 ALL
        S: g BAD [UIDREQUIRED]
        C: h THREAD REFS UTF-8 ALL
        S: h BAD [UIDREQUIRED]
        C: i UID SEARCH 1:2
        S: i BAD [UIDREQUIRED]
        C: j UID SEARCH OR UNSEEN NOT 1
        S: j BAD [UIDREQUIRED]
        C: k UID SEARCH UNSEEN
        S~ \* SEARCH 1 2$
        S: k OK
        C: l UID SEARCH RETURN (SAVE) ALL
        S: l OK
        C: m UID SEARCH $ UID 2
        S~ \* SEARCH 2$
        S: m OK
        """
    )


def test_s3_2_select_names_no_numbers(imap: ImapServer) -> None:
    imap.deliver(message(1))
    imap.play(
        ENABLE
        + r"""
        C: a SELECT INBOX
        S: * FLAGS
        S: * OK [PERMANENTFLAGS
        S: * 1 EXISTS
        S: * 1 RECENT
        S: * OK [UIDVALIDITY
        ...
        S: a OK
        C: b ENABLE QRESYNC
        ...
        S: b OK
        C: c SELECT INBOX (QRESYNC (1 1 1:2 (1 1)))
        S: c BAD [UIDREQUIRED]
        """
    )


def test_s3_3_uidfetch(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 5)))
    imap.play(
        SELECT
        + r"""
        C: a UID STORE 1 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b EXPUNGE
        S: * VANISHED 1
        ...
        S: b OK
        C: c UID FETCH 2:* (RFC822.SIZE)
        S~ \* 2 UIDFETCH \(RFC822.SIZE \d+\)$
        S~ \* 3 UIDFETCH \(RFC822.SIZE \d+\)$
        S~ \* 4 UIDFETCH \(RFC822.SIZE \d+\)$
        S: c OK
        C: d UID FETCH 3 (UID)
        S~ \* 3 UIDFETCH \(UID 3\)$
        S: d OK
        C: e UID FETCH 3 BODY[TEXT]
        S~ \* 3 UIDFETCH \(FLAGS \(\\Seen.*\) BODY\[TEXT\] "?.*Hello
        S: e OK
        C: f UID STORE 4 FLAGS (\Flagged)
        S~ \* 4 UIDFETCH \(FLAGS \(\\Flagged.*\)\)$
        S: f OK
        """
    )


def test_s3_4_changes_of_others(imap: ImapServer) -> None:
    imap.deliver(*(message(n) for n in range(1, 5)))
    imap.play(
        SELECT
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 2 +FLAGS.SILENT (\Deleted)
        S2: b OK
        C2: c EXPUNGE
        ...2:
        S2: c OK
        C2: d UID STORE 4 +FLAGS.SILENT (\Seen)
        S2: d OK
        C: a NOOP
        S: * VANISHED 2
        ...
        S~ \* 4 UIDFETCH \(FLAGS \(\\Seen.*\)\)$
        S: a OK
        C: b UID STORE 3 (UNCHANGEDSINCE 99999) +FLAGS.SILENT (\Seen)
        ...
        S~ \* 3 UIDFETCH \(MODSEQ \(\d+\)\)$
        S: b OK
        """
    )
