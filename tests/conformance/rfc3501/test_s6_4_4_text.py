"""RFC 3501 6.4.4: TEXT and BODY find substrings exactly, the second time (from the index) as the
first."""

from tests.support.imap_server import ImapServer


def mail(subject: str, body: str) -> bytes:
    return (
        f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    ).encode()


def test_again_and_again(imap: ImapServer) -> None:
    imap.deliver(
        mail("first", "The quick brown fox"),
        mail("fox", "jumps over the lazy dog"),
        mail("third", 'Ein "schöner" Tag\r\nund mehr'),
    )
    searches = r"""
        C: a SEARCH BODY "ck brow"
        S~ \* SEARCH 1$
        S: a OK
        C: b SEARCH TEXT fox
        S~ \* SEARCH 1 2$
        S: b OK
        C: c SEARCH BODY FOX
        S~ \* SEARCH 1$
        S: c OK
        C: d SEARCH CHARSET UTF-8 TEXT "SCHÖNER\" T"
        S~ \* SEARCH 3$
        S: d OK
        C: e SEARCH BODY zy
        S~ \* SEARCH 2$
        S: e OK
        C: f SEARCH NOT BODY "the" OR TEXT third BODY over
        S~ \* SEARCH 3$
        S: f OK
        C: g SEARCH BODY "dog ein"
        S~ \* SEARCH$
        S: g OK
    """
    imap.play("C: s SELECT INBOX\n...\nS: s OK\n" + searches + searches)
    imap.deliver(mail("fourth", "a fox more"))
    imap.play("C: s SELECT INBOX\n...\nS: s OK\nC: a SEARCH BODY fox\nS: * SEARCH 1 4\nS: a OK")
