"""RFC 6203: SEARCH=FUZZY."""

from tests.support.imap_server import ImapServer


def mail(subject: str, body: str) -> bytes:
    return f"Subject: {subject}\r\n\r\n{body}\r\n".encode()


MAILS = (
    mail("The IMAP break", "the quick brown fox"),
    mail("break of imap", "a fox that is brown and quick"),
    mail("IMAP", "a quick fox"),
    mail("other", "nothing"),
)


def test_fuzzy_keys_and_scores(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    searches = r"""
        C: a SEARCH FUZZY SUBJECT "imap break"
        S~ \* SEARCH 1 2$
        S: a OK
        C: b SEARCH SUBJECT "imap break"
        S~ \* SEARCH 1$
        S: b OK
        C: c UID SEARCH RETURN (ALL RELEVANCY) FUZZY (TEXT "brown fox")
        S~ \* ESEARCH \(TAG "c"\) UID ALL 1:2 RELEVANCY \(100 50\)$
        S: c OK
        C: d SEARCH RETURN (ALL) NOT FUZZY BODY "fox quick"
        S: * ESEARCH (TAG "d") ALL 4
        S: d OK
        C: e SEARCH FUZZY OR SUBJECT "break the" BODY nothing
        S~ \* SEARCH 1 4$
        S: e OK
        C: f SEARCH FUZZY UNSEEN FUZZY 1:2
        S~ \* SEARCH 1 2$
        S: f OK
    """
    imap.play(
        "C: s SELECT INBOX\n...\nS: s OK\n"
        + "C: c CAPABILITY\nS~ \\* CAPABILITY .*\\bSEARCH=FUZZY\\b\nS: c OK\n"
        + searches
        + searches
    )


def test_s5_sort_by_relevancy(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SORT (RELEVANCY SUBJECT) UTF-8 FUZZY TEXT "fox that"
        S~ \* SORT 2$
        S: a OK
        C: b SORT (RELEVANCY) UTF-8 FUZZY TEXT "quick fox"
        S~ \* SORT 3 1 2$
        S: b OK
        C: c SORT RETURN (ALL RELEVANCY) (REVERSE RELEVANCY) UTF-8 FUZZY TEXT "quick fox"
        S~ \* ESEARCH \(TAG "c"\) ALL 1:3 RELEVANCY \(50 50 100\)$
        S: c OK
        """
    )


def test_s4_scores_need_a_fuzzy_key(imap: ImapServer) -> None:
    imap.deliver(*MAILS)
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SEARCH RETURN (ALL RELEVANCY) SUBJECT imap
        S: a BAD
        C: b SEARCH FUZZY
        S: b BAD
        """
    )
