"""RFC 5255 4: I18NLEVEL=1, the comparator i;unicode-casemap (RFC 5051)."""

from tests.support.imap_server import ImapServer


def mail(subject: str) -> bytes:
    kind = "Content-Type: text/plain; charset=utf-8"
    return f"Subject: {subject}\r\n{kind}\r\n\r\n{subject}\r\n".encode()


def test_search_and_sort_compare_without_regard_to_case(imap: ImapServer) -> None:
    imap.deliver(mail("éclair"), mail("ÉTUDE"), mail("eclair"), mail("Zebra"), mail("ΣΟΦΊΑ"))
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SEARCH CHARSET UTF-8 SUBJECT "ÉCLAIR"
        S~ \* SEARCH 1$
        S: a OK
        C: b SEARCH CHARSET UTF-8 BODY "étude"
        S~ \* SEARCH 2$
        S: b OK
        C: c SEARCH CHARSET UTF-8 TEXT "σοφία"
        S~ \* SEARCH 5$
        S: c OK
        # Decomposed, E with its accent sorts behind E and before F.
        C: d SORT (SUBJECT) UTF-8 ALL
        S~ \* SORT 3 1 2 4 5$
        S: d OK
        C: e CAPABILITY
        S~ \* CAPABILITY .*\bI18NLEVEL=1\b
        S: e OK
        """
    )
