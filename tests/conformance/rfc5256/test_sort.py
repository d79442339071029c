"""RFC 5256: SORT."""

from tests.support.imap_server import ImapServer

SELECT = "C: s SELECT INBOX\n...\nS: s OK\n"


def mail(subject: str, sender: str, date: str, to: str = "u@x.test", pad: int = 0) -> bytes:
    date = date and f"Date: {date}\r\n"
    return (
        f"From: {sender}\r\nTo: {to}\r\nCc: c{pad}@x.test\r\nSubject: {subject}\r\n{date}\r\n"
        + "x" * pad
    ).encode()


MAILS = (
    mail("Re: banana", "Zoe <zoe@x.test>", "Tue, 3 Nov 2026 10:00:00 +0200", pad=30),
    mail("apple", "Bob <BOB@y.test>", "Tue, 3 Nov 2026 09:00:00 +0000", pad=10),
    mail("[list] Banana (fwd)", "ann@z.test", "Mon, 2 Nov 2026 10:00:00 +0000", pad=20),
    # Without a Date: INTERNALDATE, which is of 2023.
    mail("", "bob@x.test", "", "anna@x.test", pad=400),
)


def test_sort_keys(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        SELECT
        + r"""
        C: a SORT (SUBJECT) UTF-8 ALL
        S~ \* SORT 4 2 1 3$
        S: a OK
        C: b SORT (SUBJECT REVERSE DATE) US-ASCII ALL
        S~ \* SORT 4 2 1 3$
        S: b OK
        C: c SORT (SUBJECT DATE) US-ASCII ALL
        S~ \* SORT 4 2 3 1$
        S: c OK
        C: d SORT (DATE) UTF-8 ALL
        S~ \* SORT 4 3 1 2$
        S: d OK
        C: e SORT (REVERSE DATE) UTF-8 ALL
        S~ \* SORT 2 1 3 4$
        S: e OK
        C: f SORT (FROM) UTF-8 ALL
        S~ \* SORT 3 2 4 1$
        S: f OK
        C: g SORT (REVERSE FROM REVERSE SIZE) UTF-8 ALL
        S~ \* SORT 1 4 2 3$
        S: g OK
        C: h SORT (SIZE) UTF-8 1:3
        S~ \* SORT 2 3 1$
        S: h OK
        C: i SORT (TO CC) UTF-8 ALL
        S~ \* SORT 4 2 3 1$
        S: i OK
        C: j SORT (REVERSE ARRIVAL) UTF-8 ALL
        S~ \* SORT 1 2 3 4$
        S: j OK
        """
    )


def test_uid_sort_and_search_keys(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        SELECT
        + r"""
        C: a STORE 1 +FLAGS.SILENT (\Deleted)
        S: a OK
        C: b EXPUNGE
        ...
        S: b OK
        C: c UID SORT (FROM) UTF-8 SUBJECT a
        S~ \* SORT 3 2$
        S: c OK
        C: d SORT (FROM) UTF-8 FROM nobody
        S~ \* SORT$
        S: d OK
        """
    )


def test_what_is_wrong_is_refused(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        SELECT
        + r"""
        C: a SORT () UTF-8 ALL
        S: a BAD
        C: b SORT (COLOUR) UTF-8 ALL
        S: b BAD
        C: c SORT (REVERSE) UTF-8 ALL
        S: c BAD
        C: d SORT (DATE) ALL
        S: d NO [BADCHARSET
        C: e SORT (DATE) X-NONE ALL
        S: e NO [BADCHARSET
        C: f SORT (DATE) UTF-8
        S: f BAD
        """
    )


def test_numbers_do_not_move_under_sort(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        SELECT
        + r"""
        C2: a SELECT INBOX
        ...2:
        S2: a OK
        C2: b STORE 1 +FLAGS.SILENT (\Deleted)
        S2: b OK
        C2: c EXPUNGE
        ...2:
        S2: c OK
        C: a SORT (SIZE) UTF-8 ALL
        S~ \* SORT .*2 3.*
        S: a OK
        C: b UID SORT (SIZE) UTF-8 ALL
        S: * 1 EXPUNGE
        ...
        S~ \* SORT 2 3 4$
        S: b OK
        """
    )


def test_modseq(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        SELECT
        + r"""
        C: a SORT (SIZE) UTF-8 MODSEQ 1
        S: * OK [HIGHESTMODSEQ
        S~ \* SORT 2 3 1 4 \(MODSEQ \d+\)$
        S: a OK
        """
    )
