"""RFC 5957: SORT=DISPLAY."""

from tests.support.imap_server import ImapServer


def mail(sender: str, to: str) -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\n\r\nx\r\n".encode()


def test_display_names_are_sorted(imap: ImapServer) -> None:
    imap.deliver(
        mail("=?utf-8?q?=C3=84nne?= <z@x.test>", "Team: a@x.test, b@x.test;"),
        mail("bob@x.test", "zoe@x.test"),
        mail('"anna" <y@x.test>', "=?utf-8?q?Ute?= <a@x.test>"),
        mail("Bob <a@x.test>", "tea@x.test"),
    )
    imap.play(
        r"""
        C: s SELECT INBOX
        ...
        S: s OK
        C: a SORT (DISPLAYFROM) UTF-8 ALL
        S~ \* SORT 3 1 4 2$
        S: a OK
        C: b SORT (REVERSE DISPLAYTO) UTF-8 ALL
        S~ \* SORT 2 3 1 4$
        S: b OK
        C: c CAPABILITY
        S~ \* CAPABILITY .* SORT SORT=DISPLAY
        S: c OK
        """
    )
